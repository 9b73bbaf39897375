"""Which sender domains and SPF tuples some records name, one record after the other (semantics section 2)."""

import ipaddress
import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from tests.reference.addresses import canonical_domain, ip_address, mailbox
from tests.reference.dns import is_special
from tests.reference.evidence import Record, World, gather, text, word

PRIVATE = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
_TABLE = Path(find_spec("poolsift").origin).parent / "data" / "spf_excluded.toml"
NEVER = [ipaddress.ip_network(line["prefix"]) for line in tomllib.loads(_TABLE.read_text(encoding="utf-8"))["prefix"]]


class Survey(NamedTuple):
    """Rows as written, sorted, and the records left out by reason."""

    rows: list[dict[str, Any]]
    domains_left_out: dict[str, int]
    spf_left_out: dict[str, int]


def survey(records: Iterable[Record], world: World) -> Survey:
    """Everything that the records name, with how many records named it."""
    named: Counter = Counter()
    left_out: tuple[Counter, Counter] = (Counter(), Counter())
    for record in records:
        found = gather(record, world)
        for at, answer in enumerate((domain(found.sender, world), spf(record, found.facts["outbound"], world))):
            if isinstance(answer, str):
                left_out[at][answer] += 1
            else:
                named[answer] += 1
    columns = ("kind", "name", "client_ip", "helo", "records")
    ordered = sorted((*(part or "" for part in key), count) for key, count in named.items())
    rows = [
        dict(zip(columns, (kind, name, ip or None, helo or None, count), strict=True))
        for kind, name, ip, helo, count in ordered
    ]
    return Survey(rows, dict(left_out[0]), dict(left_out[1]))


def domain(sender: str | None, world: World) -> tuple | str:
    """The sender domain of one record, or why there is none to ask about."""
    if sender is None:
        return "no_sender_domain"
    return not_asked(sender, world) or ("domain", sender, None, None)


def spf(record: Record, outbound: str, world: World) -> tuple | str:
    """The SPF tuple of one record, or why SPF is not evaluated."""
    if outbound == "no":
        return "not_outbound"
    if word(record, "spf") is not None:
        return "spf_recorded"
    if record.get("mail_from") is None:
        return "mail_from_not_recorded"
    path = mailbox(record["mail_from"])
    if path.kind == "unusable":
        return "mail_from_unusable"
    if text(record, "client_ip") is None:
        return "client_ip_not_recorded"
    address = ip_address(record["client_ip"])
    if address is None:
        return "client_ip_unusable"
    said = text(record, "helo")
    helo = said and (canonical_domain(said) or said)
    name = helo if path.kind == "null_path" else path.domain
    reason = kept_out(address)
    if reason is not None:
        return reason
    if name is None:
        return "helo_not_recorded"
    return not_asked(name, world) or ("spf", name, str(address), helo)


def kept_out(address: Any) -> str | None:
    """Addresses that no sender's policy is about."""
    for kind in ("loopback", "link_local", "unspecified", "multicast"):
        if getattr(address, f"is_{kind}"):
            return kind
    if str(address) == "255.255.255.255":
        return "broadcast"
    if any(address in net for net in PRIVATE):
        return "private"
    return "microsoft" if any(address in net for net in NEVER) else None


def not_asked(name: str, world: World) -> str | None:
    """Why nobody is asked about a name."""
    if name.startswith("[") or ip_address(name.split("%", maxsplit=1)[0]) is not None:
        return "literal"
    if canonical_domain(name) != name:
        return "syntax"
    if "." not in name:
        return "single_label"
    return "special_use" if is_special(name, world.tables.special_use) else None
