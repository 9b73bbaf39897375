"""Which domain and client address SPF is evaluated for, where a record does not say its result; the kernel's twin."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poolsift._native.nouns import PrefixTable, parse_address, split_mailbox
from poolsift.domain_facts import canonical_domain
from poolsift.networks import parse_network
from poolsift.records import SPF_WORDS
from poolsift.tables import shipped_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.tenant import TenantEntry

_LONGEST_HELO: Final = 255


class SpfInputs(NamedTuple):
    """What SPF (RFC 7208) is evaluated for.

    ``domain`` is canonical; an address literal or a single label has no record, its result is ``none``.
    ``helo`` is in lower case, and empty where none was recorded or none that SMTP allows. ``local`` is as
    written, and ``postmaster`` where the reverse-path is null (RFC 7208 section 2.4).
    """

    domain: str
    client_ip: str
    helo: str
    local: str

    @property
    def is_never_published(self) -> bool:
        """Whether there can be no record, so that the result is ``none`` (RFC 7208 section 4.3)."""
        return self.domain.startswith("[") or "." not in self.domain


def spf_inputs(record: Mapping[str, Any], entry: TenantEntry | None = None) -> SpfInputs | None:
    """The inputs for a record of canonical columns, or None: then SPF is recorded, or not evaluated.

    ``entry`` is the tenant that the record belongs to. Evaluated is the domain of ``mail_from``, or the HELO
    name where the reverse-path is null; not without ``mail_from``, nor with an unusable name.
    """
    if str(record.get("spf") or "").lower() in SPF_WORDS or record.get("mail_from") is None:
        return None
    address = effective_address(entry, record.get("client_ip"), record.get("source_ip"))
    if address is None or is_excluded(address):
        return None
    kind, local, domain = split_mailbox(record["mail_from"])
    helo = record.get("helo") or ""
    if kind == "null_path":
        name = _helo_name(helo)
        return None if name is None else SpfInputs(name, address, name, "postmaster")
    name = _canonical(kind, domain)
    return None if name is None else SpfInputs(name, address, usable_helo(helo), local.decode())


def effective_address(entry: TenantEntry | None, client_ip: str | None, source_ip: str | None) -> str | None:
    """The address that SPF is about, or None where it is not known.

    ``client_ip``; but where that lies in a gateway whose Enhanced Filtering is on, the address before the
    gateway. Of a gateway of which nothing is said, the client's.
    """
    client = _plain(client_ip)
    gateway = entry.gateway_of(client) if entry is not None else None
    return _plain(source_ip) if gateway is not None and gateway.enhanced_filtering else client


def excluded_prefixes() -> list[tuple[bytes, int]]:
    """Prefixes that SPF is never evaluated for, as the kernel takes them: (packed address, length) each."""
    networks = (parse_network(entry["prefix"]) for entry in shipped_table("spf_excluded")["prefix"])
    return [(network.network_address.packed, network.prefixlen) for network in networks]


def is_excluded(address: str) -> bool:
    """Whether SPF is never evaluated for this address; False for what is no address."""
    return _excluded_table().lookup(address) is not None


def usable_helo(helo: str) -> str:
    """A HELO name as outcomes are told apart by it: lower case, or empty for what SMTP does not allow."""
    printable = all("!" <= character <= "~" for character in helo)
    return helo.lower() if printable and len(helo) <= _LONGEST_HELO else ""


@cache
def _excluded_table() -> PrefixTable:
    return PrefixTable((packed, length, None, None, 0) for packed, length in excluded_prefixes())


def _plain(text: str | None) -> str | None:
    """The address in its usual form, IPv4-mapped ones as IPv4; None for what is none."""
    packed = parse_address(text) if text else None
    return None if packed is None else str(ip_address(packed))


def _helo_name(helo: str) -> str | None:
    if helo.startswith("[") and helo.endswith("]"):
        kind, _, domain = split_mailbox(f"x@{helo}")
        return _canonical(kind, domain)
    return canonical_domain(helo) if helo else None


def _canonical(kind: str, domain: bytes) -> str | None:
    if kind == "literal":
        return domain.decode("ascii").lower()
    return canonical_domain(domain.decode()) if kind.startswith("domain") else None
