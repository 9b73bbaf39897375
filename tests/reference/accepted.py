"""Tenants as dicts: accepted domains, own organizational domains, gateways (semantics 2 and 7, choices 9 to 11, 27, 28)."""

import ipaddress
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from tests.reference.addresses import canonical_domain, fold, ip_address, organizational
from tests.reference.networks import Entry, Tables, entry


@dataclass(frozen=True)
class Gateway:
    """A third-party or on-premises host in front of the tenant; `enhanced` None is not recorded."""

    prefixes: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    enhanced: bool | None = None
    name: str = ""


@dataclass(frozen=True)
class Tenant:
    """One tenant; domains are canonical."""

    id: str | None = None
    exact: frozenset[str] = frozenset()
    with_subdomains: frozenset[str] = frozenset()
    initial: str | None = None
    learned: bool = False
    gateways: tuple[Gateway, ...] = ()
    name: str | None = None

    @cached_property
    def initial_names(self) -> frozenset[str]:
        """`contoso.onmicrosoft.com` and `contoso.mail.onmicrosoft.com`."""
        if self.initial is None:
            return frozenset()
        label, _, rest = self.initial.partition(".")
        return frozenset({self.initial, f"{label}.mail.{rest}"})

    def accepts(self, domain: str | None) -> bool:
        """Exact, or below a domain that was entered with `subdomains = true`; a literal never."""
        if domain is None or domain.startswith("["):
            return False
        if domain in self.exact or domain in self.with_subdomains or domain in self.initial_names:
            return True
        labels = domain.split(".")
        return any(".".join(labels[cut:]) in self.with_subdomains for cut in range(1, len(labels)))

    @cached_property
    def own_organizations(self) -> frozenset[str]:
        """Choice 27: organizational domains of what the tenant brought itself."""
        return frozenset(organizational(name) for name in (self.exact | self.with_subdomains) - self.initial_names)

    def owns(self, domain: str | None) -> bool:
        """The sender could simply be added to the accepted domains."""
        return domain is not None and not domain.startswith("[") and organizational(domain) in self.own_organizations

    def gateway_of(self, text: str | None) -> Gateway | None:
        """Choice 28: the gateway with the longest prefix around the address."""
        address = ip_address(text)
        found = [
            (prefix.prefixlen, gateway)
            for gateway in self.gateways
            for prefix in gateway.prefixes
            if address is not None and prefix.version == address.version and address in prefix
        ]
        return max(found, key=lambda pair: pair[0])[1] if found else None


def tenant_of(tenants: Sequence[Tenant], tenant_id: str | None) -> Tenant | None:
    """Choice 9: by id; a single tenant also takes rows without one, and every row when it has none itself."""
    if tenant_id:
        for tenant in tenants:
            if tenant.id is not None and fold(tenant.id) == fold(tenant_id):
                return tenant
    if len(tenants) == 1 and (not tenant_id or tenants[0].id is None):
        return tenants[0]
    return None


def read_tenant_file(path: Path) -> tuple[tuple[Tenant, ...], dict[str, str], tuple[Entry, ...]]:
    """Tenants, pool names and prefixes of a tenant file that is known to be good."""
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    pools = content.get("pools", {})
    tenants = tuple(read_tenant(table) for table in content.get("tenant", []))
    return tenants, pools.get("names", {}), tuple(entry(line) for line in pools.get("prefixes", []))


def read_tenant(table: dict) -> Tenant:
    plain = [item for item in table.get("accepted_domains", []) if isinstance(item, str)]
    tables = [item for item in table.get("accepted_domains", []) if not isinstance(item, str)]
    plain += [item["domain"] for item in tables if not item.get("subdomains")]
    deep = [item["domain"] for item in tables if item.get("subdomains")]
    gateways = [
        Gateway(
            tuple(ipaddress.ip_network(prefix) for prefix in gateway["prefixes"]),
            gateway.get("enhanced_filtering"),
            gateway.get("name", ""),
        )
        for gateway in table.get("gateway", [])
    ]
    initial = table.get("initial_domain")
    return Tenant(
        table.get("id"),
        frozenset(name for item in plain if (name := canonical_domain(item))),
        frozenset(name for item in deep if (name := canonical_domain(item))),
        canonical_domain(initial) if initial else None,
        table.get("learned", False),
        tuple(gateways),
        table.get("name"),
    )


def with_tenant_pools(tables: Tables, names: dict[str, str], prefixes: Sequence[Entry]) -> Tables:
    """Tenant names come first and tenant prefixes win over equal shipped ones (choices 20 and 22)."""
    merged = {**tables.names, **{fold(name): pool for name, pool in names.items()}}
    return replace(tables, names=merged, prefixes=tables.prefixes + tuple(prefixes), memo={})
