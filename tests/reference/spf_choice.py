"""Which domain and address SPF is evaluated for, from semantics section 2 alone: the slow twin of the kernel's choice."""

import ipaddress
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.conftest import DATA
from tests.reference.accepted import Gateway, Tenant, tenant_of
from tests.reference.addresses import canonical_domain, fold, ip_address, mailbox, written_halves
from tests.reference.evidence import text, word

#: Private (RFC 1918, unique local), loopback, link-local, unspecified, multicast, broadcast.
NEVER = tuple(
    map(
        ipaddress.ip_network,
        "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 127.0.0.0/8 ::1/128 169.254.0.0/16 fe80::/10 0.0.0.0/32 ::/128 "
        "224.0.0.0/4 ff00::/8 255.255.255.255/32".split(),
    )
)


@dataclass(frozen=True)
class Choice:
    """`inputs` is (domain, address, HELO name, local part), or None: not evaluated. `recorded` is the word that the record holds."""

    recorded: str | None
    replaced: bool
    inputs: tuple[str, str, str, str] | None

    @property
    def is_none(self) -> bool:
        """RFC 7208 4.3: no name of several labels, so no record and the result `none`."""
        return self.inputs is not None and (self.inputs[0].startswith("[") or "." not in self.inputs[0])


@cache
def microsofts() -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Microsoft's own prefixes: what the tables know of them."""
    excluded = tomllib.loads((DATA / "spf_excluded.toml").read_text(encoding="utf-8"))["prefix"]
    sending = tomllib.loads((DATA / "prefixes.toml").read_text(encoding="utf-8"))["prefix"]
    own = [line for line in excluded if line["source"].startswith("Microsoft")]
    return tuple(ipaddress.ip_network(line["prefix"]) for line in [*own, *sending])


def choose(
    record: Mapping[str, Any], tenants: Sequence[Tenant], newly: Callable[[Gateway], bool] = lambda _: False
) -> Choice:
    """The choice for one record; `newly` tells gateways that an overlay gives Enhanced Filtering."""
    recorded = word(record, "spf")
    tenant = tenant_of(tenants, text(record, "tenant_id"))
    gateway = tenant.gateway_of(text(record, "client_ip")) if tenant is not None else None
    replaced = gateway is not None and newly(gateway)
    if recorded is not None and not replaced:
        return Choice(recorded, False, None)
    filtered = replaced or (gateway is not None and gateway.enhanced is True)
    address = ip_address(text(record, "source_ip" if filtered else "client_ip"))
    name, helo, local = identity(record)
    if name is None or address is None or is_excluded(address):
        return Choice(recorded, replaced, None)
    return Choice(recorded, replaced, (name, str(address), helo, local))


def identity(record: Mapping[str, Any]) -> tuple[str | None, str, str]:
    """Domain, HELO name and local part: of `mail_from`; of `helo` if the reverse-path is null."""
    if record.get("mail_from") is None:
        return None, "", ""
    path = mailbox(record["mail_from"])
    helo = record.get("helo") or ""
    if path.kind != "null_path":
        printable = len(helo) <= 255 and all(33 <= ord(one) <= 126 for one in helo)
        halves = written_halves(record["mail_from"])
        return path.domain, fold(helo) if printable else "", halves[0] if halves else ""
    if helo.startswith("["):
        literal = mailbox("x@" + helo) if helo.endswith("]") else None
        return literal.domain if literal else None, helo, "postmaster"
    name = canonical_domain(helo) if helo else None
    return name, name or "", "postmaster"


def is_excluded(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Never evaluated for these; documentation prefixes are."""
    return any(address.version == one.version and address in one for one in (*NEVER, *microsofts()))
