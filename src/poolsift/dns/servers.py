"""Which resolvers are asked: those named on the command line, or the system's."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

DNS_PORT: Final = 53
RESOLV_CONF: Final = "/etc/resolv.conf"

_BRACKETED: Final = re.compile(r"\[([^\[\]]*)\](?::(.+))?")
_EXPECTED: Final = "an address with or without port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53 or [2001:db8::53]:5353"


class Server(NamedTuple):
    """The address of a resolver."""

    host: str
    port: int = DNS_PORT

    @classmethod
    def parse(cls, text: str) -> Server:
        """``192.0.2.53``, ``192.0.2.53:5353``, ``2001:db8::53`` or ``[2001:db8::53]:5353``. Raises UsageError.

        Names of hosts are refused: whoever looks up the resolver by name has asked another one.
        """
        host, port = _split(text.strip())
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            raise UsageError("not the address of a resolver", found=repr(text), expected=_EXPECTED) from None
        if not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
            raise UsageError("not a port", found=repr(port), expected="1 to 65535")
        return cls(str(address), int(port))

    def __str__(self) -> str:
        """As c-ares and people read it; the port always stands there."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _split(text: str) -> tuple[str, str]:
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed is not None:
        return bracketed[1], bracketed[2] or str(DNS_PORT)
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, str(DNS_PORT)


def system_servers(path: str = RESOLV_CONF) -> list[Server]:
    """The resolvers of the system, in its order. Raises UsageError where the file names none."""
    import dns.exception
    import dns.resolver

    expected = "--resolver ADDRESS"
    try:
        found = dns.resolver.Resolver(filename=path).nameservers
    except (dns.exception.DNSException, OSError, ValueError) as error:
        raise UsageError(
            "names no resolver", path=path, found=str(error) or type(error).__name__, expected=expected
        ) from None
    try:
        return [Server.parse(str(one)) for one in found]
    except UsageError as error:
        raise UsageError(error.message, path=path, found=error.found, expected=expected) from None


def view_of(servers: Iterable[Server]) -> str:
    """What names the answers of these resolvers in a cache: their addresses, in one order."""
    return " ".join(sorted({str(server) for server in servers}))
