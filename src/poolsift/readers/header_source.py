"""The address before a gateway, as far as a message's headers show it.

A gateway is a host that the MX records point to and that hands the mail on to Microsoft 365. Which hosts are one is
known from the tenant file alone, so the address is recorded for every message that shows one, and counts for those
whose client_ip lies in a gateway.

First what Enhanced Filtering wrote down. Else the Received chain below the hop into Microsoft 365: the first public
address there that is not the client's own; what is private before it are the gateway's own hosts. Unknown is a value:
where a host handed the message over whose address nobody wrote down, or where Microsoft 365 had the message before,
nothing further below can stand for it.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from poolsift.readers.received import parse_received

if TYPE_CHECKING:
    from poolsift.readers.header_fields import HeaderFields
    from poolsift.readers.header_route import Route
    from poolsift.readers.received import Hop

_SOURCE_FIELDS: Final = (
    "x-ms-exchange-skiplistedinternetsender",
    "x-ms-exchange-externaloriginalinternetsender",
)
_ADDRESS: Final = re.compile(r"\bip=\[(\[?[^\[\]\s]+\]?)\]", re.IGNORECASE)
_FROM: Final = re.compile(r"from\s", re.IGNORECASE)
_LOCAL_NAMES: Final = ("localhost", "localhost.localdomain")
_PRIVATE: Final = tuple(
    ipaddress.ip_network(prefix) for prefix in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)


def source_address(fields: HeaderFields, route: Route, client: str | None) -> str | None:
    """The address before the gateway, as written; None where the headers do not show it. ``client`` is client_ip."""
    for value in (fields.first(name, route.position) for name in _SOURCE_FIELDS):
        if match := _ADDRESS.search(value or ""):
            return match.group(1)
    for value in (field.value for field in route.before):
        hop = parse_received(value)
        if hop.by_microsoft or (_FROM.match(value) and _hides_client(hop)):
            return None
        if hop.address is not None and _is_public(hop.address) and not _same(hop.address, client):
            return hop.address
    return None


def _hides_client(hop: Hop) -> bool:
    """Whether another host handed the message over, and its address is not written or not readable."""
    if hop.address is None:
        return not any(name.lower().rstrip(".") in _LOCAL_NAMES for name in hop.names)
    return _parsed(hop.address) is None


def _same(address: str, client: str | None) -> bool:
    return client is not None and _parsed(address) == _parsed(client)


def _is_public(text: str) -> bool:
    """An address that a host on the Internet may have; documentation prefixes count as public."""
    address = _parsed(text)
    if address is None:
        return False
    special = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return not special and not any(address in network for network in _PRIVATE)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; one mapped into IPv6 as IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
