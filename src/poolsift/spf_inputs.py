"""Which address SPF is evaluated for (the client's, or the one before a filtering gateway), and which never count."""

from __future__ import annotations

import ipaddress
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from poolsift.networks import shipped_prefixes

if TYPE_CHECKING:
    from poolsift.networks import Network
    from poolsift.tenant import TenantEntry

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Distinct addresses remembered; beyond, memory matters more than time.
_MEMO_VALUES: Final = 1 << 16

#: Addresses that no sender's policy is about, by why. RFC 1918 and RFC 4193 are the private ones: ``is_private`` of
#: ipaddress is wider and holds the documentation prefixes too, which are asked about, for example archives hold them.
_KINDS: Final = (
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("link_local", ("169.254.0.0/16", "fe80::/10")),
    ("unspecified", ("0.0.0.0/32", "::/128")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("broadcast", ("255.255.255.255/32",)),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
)
_MICROSOFT: Final = "microsoft"


def excluded_prefixes() -> list[tuple[bytes, int]]:
    """(packed address, length) of every prefix whose addresses SPF is never evaluated for.

    Microsoft's own count whatever their dates: no sender's policy was ever about another's mail host.
    """
    return [(network.network_address.packed, network.prefixlen) for network, _ in _excluded_networks()]


@lru_cache(maxsize=_MEMO_VALUES)
def client_address(text: str | None) -> tuple[str, str | None]:
    """A client address in canonical form, and why SPF says nothing about it (None: it does)."""
    if not text:
        return "", "client_ip_not_recorded"
    address = plain_address(text)
    return ("", "client_ip_unusable") if address is None else (str(address), _why_excluded(address))


def effective_address(
    client_ip: str | None, source_ip: str | None, entry: TenantEntry | None
) -> tuple[str, str | None]:
    """The address SPF is evaluated for, in canonical form, and why it is not evaluated (None: it is).

    Behind a gateway whose enhanced filtering is on that is the address before the gateway: the gateway's own says
    nothing about the sender. ``entry`` is the record's tenant.
    """
    gateway = None if entry is None else entry.gateway_of(client_ip)
    if gateway is None or gateway.enhanced_filtering is not True:
        return client_address(client_ip)
    address, reason = client_address(source_ip)
    return address, None if reason is None else reason.replace("client_ip", "source_ip")


def plain_address(text: str) -> Address | None:
    """The address as records hold it, an IPv4-mapped one as IPv4; None where it cannot be read or has a zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return None if address.scope_id is not None else address.ipv4_mapped or address
    return address


def _why_excluded(address: Address) -> str | None:
    number, bits = int(address), address.max_prefixlen
    for kind, heads in _excluded_heads().items():
        if any(number >> (bits - length) in held for (size, length), held in heads.items() if size == bits):
            return kind
    return None


@cache
def _excluded_heads() -> dict[str, dict[tuple[int, int], set[int]]]:
    """By kind and (bits of an address, length): the leading bits of each prefix as a number."""
    heads: dict[str, dict[tuple[int, int], set[int]]] = {}
    for network, kind in _excluded_networks():
        bits, length = network.max_prefixlen, network.prefixlen
        head = int(network.network_address) >> (bits - length)
        heads.setdefault(kind, {}).setdefault((bits, length), set()).add(head)
    return heads


def _excluded_networks() -> list[tuple[Network, str]]:
    own = [(ipaddress.ip_network(text), kind) for kind, texts in _KINDS for text in texts]
    return [*own, *((entry.network, _MICROSOFT) for entry in shipped_prefixes())]
