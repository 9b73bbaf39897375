"""What the spam filter wrote: X-Forefront-Antispam-Report and the SFA value of custom_data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Written in place of the client's address where a mailbox handed the message in.
NO_CLIENT_ADDRESS = "255.255.255.255"
_INT32_MAX = 2**31 - 1


class AntispamReport(NamedTuple):
    """The keys that matter here; a key that is missing or empty is None (not recorded)."""

    client_ip: str | None  #: ``CIP``, None where no host handed the message in
    helo: str | None  #: ``H``
    verdict: str | None  #: ``SFV``, upper case: NSPM, SPM, SKN …
    category: str | None  #: ``CAT``, upper case: NONE, OSPM …
    direction: str | None  #: ``DIR``, upper case: OUT, INB, INT
    disposition: str | None  #: ``DI``, upper case: SN, SO … (its meaning has changed over the years)
    sfp: int | None  #: ``SFP``: the pool that the filter chose

    @property
    def spam(self) -> bool | None:
        """The spam verdict: SFV:SPM or CAT:OSPM is spam, any other SFV is not, no SFV is unknown.

        It is the *outbound* verdict only where the report is one of outbound mail.
        """
        if self.verdict == "SPM" or self.category == "OSPM":
            return True
        return None if self.verdict is None else False


def parse_antispam_report(text: str) -> AntispamReport:
    """The report of an X-Forefront-Antispam-Report value: ``CIP:…;SFV:…;DIR:OUT;SFP:1101;``."""
    return _report(item.partition(":") for item in text.split(";"))


def parse_filter_summary(text: str) -> AntispamReport:
    """The report inside ``S:SFA=`` of custom_data: ``SUM|SFV=SPM|…|DI=SN|…|SFP=1501|…``."""
    return _report(item.partition("=") for item in text.split("|"))


def _report(items: Iterable[tuple[str, str, str]]) -> AntispamReport:
    """The report made of (key, separator, value); of a repeated key the first value stands."""
    keys: dict[str, str] = {}
    for key, _, value in items:
        if text := value.strip():
            keys.setdefault(key.strip().upper(), text)
    address = keys.get("CIP")
    return AntispamReport(
        client_ip=None if address == NO_CLIENT_ADDRESS else address,
        helo=keys.get("H"),
        verdict=_upper(keys, "SFV"),
        category=_upper(keys, "CAT"),
        direction=_upper(keys, "DIR"),
        disposition=_upper(keys, "DI"),
        sfp=_number(keys.get("SFP")),
    )


def _upper(keys: Mapping[str, str], key: str) -> str | None:
    value = keys.get(key)
    return None if value is None else value.upper()


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    number = int(text)
    return number if number <= _INT32_MAX else None
