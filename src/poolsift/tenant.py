"""The tenant file: accepted domains, gateways, limits and additions to the pool tables, checked strictly."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from poolsift.domain_facts import organizational_domain
from poolsift.errors import TenantFileError, UsageError
from poolsift.tenant_text import TEMPLATE, learned_tenants
from poolsift.toml_text import TomlText

if TYPE_CHECKING:
    from poolsift.networks import Network, PoolPrefix
    from poolsift.verdicts import ObservedPool

__all__ = [
    "TEMPLATE",
    "Gateway",
    "Limits",
    "Tenant",
    "TenantEntry",
    "initial_forms",
    "learned_tenants",
    "require_tenant",
]

_MICROSOFT_SUFFIX: Final = ".onmicrosoft.com"
_MAX_LIMIT: Final = 10_000  # Outbound spam policy: 0 to 10,000
_WARNINGS_SHOWN: Final = 20
#: The kernel's number for what is said of enhanced filtering (kernel.hpp, GatewayFiltering).
_FILTERING: Final = {True: 0, False: 1, None: 2}


@dataclass(frozen=True, slots=True)
class Gateway:
    """Third-party or on-premises hosts that the MX records point to.

    ``enhanced_filtering`` None: not said.
    """

    name: str
    networks: tuple[Network, ...]
    connector: str | None = None
    enhanced_filtering: bool | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the outbound spam policy in recipients; 0 is the service default."""

    external_per_hour: int = 0
    internal_per_hour: int = 0
    per_day: int = 0


@dataclass(frozen=True, slots=True)
class TenantEntry:
    """One tenant of the file. A ``learned`` set can say that a domain is accepted, never that it is not.

    ``accepted``: canonical name → whether any depth below it is accepted too.
    """

    id: str | None
    name: str | None
    accepted: dict[str, bool]
    initial_domain: str | None
    licenses: int | None
    learned: bool
    gateways: tuple[Gateway, ...]
    limits: Limits

    @property
    def accepted_with_initial(self) -> dict[str, bool]:
        """All accepted domains: the listed ones, the initial domain and its mail form."""
        return {**dict.fromkeys(initial_forms(self.initial_domain), False), **self.accepted}

    @property
    def own(self) -> frozenset[str]:
        """Organizational domains of the accepted domains other than the initial domain and its mail form."""
        initial = initial_forms(self.initial_domain)
        return frozenset(organizational_domain(name) for name in self.accepted if name not in initial)

    def gateway_of(self, client_ip: str | None) -> Gateway | None:
        """The gateway that holds an address, by the longest prefix; None for no address or no gateway."""
        try:
            address = ipaddress.ip_address(client_ip or "")
        except ValueError:
            return None
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        found = [
            (network.prefixlen, number)
            for number, gateway in enumerate(self.gateways)
            for network in gateway.networks
            if address in network
        ]
        return self.gateways[max(found)[1]] if found else None

    def spec(self) -> dict[str, Any]:
        """The kernel's entry of this tenant."""
        gateways = [
            (network.network_address.packed, network.prefixlen, _FILTERING[gateway.enhanced_filtering])
            for gateway in self.gateways
            for network in gateway.networks
        ]
        return {
            "id": None if self.id is None else self.id.lower(),
            "accepted": list(self.accepted_with_initial.items()),
            "learned": self.learned,
            "own": sorted(self.own),
            "gateways": gateways,
        }


@dataclass(frozen=True)
class Tenant:
    """A tenant file as checked: its tenants, its additions to the pool tables, its warnings. Picklable."""

    path: str
    tenants: tuple[TenantEntry, ...]
    pool_names: dict[str, ObservedPool] = field(default_factory=dict)
    prefixes: tuple[PoolPrefix, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: str) -> Tenant:
        """The tenant file at ``path``. Raises TenantFileError."""
        from poolsift.tenant_file import read_tenant

        return read_tenant(TomlText.read(str(path), TenantFileError))

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> Tenant:
        """The tenant file with this text; ``name`` stands in errors. Raises TenantFileError."""
        from poolsift.tenant_file import read_tenant

        return read_tenant(TomlText(text, name, TenantFileError))

    def entry(self, tenant_id: str | None) -> TenantEntry | None:
        """The tenant a record with this ``tenant_id`` belongs to; None when no accepted set is known.

        The one with that id (ASCII case ignored); a single tenant also takes records without id, and
        every record when it has no id itself.
        """
        for entry in self.tenants:
            if tenant_id and entry.id is not None and entry.id.lower() == tenant_id.lower():
                return entry
        if len(self.tenants) == 1 and (not tenant_id or self.tenants[0].id is None):
            return self.tenants[0]
        return None


def initial_forms(initial_domain: str | None) -> tuple[str, ...]:
    """The initial domain and, under onmicrosoft.com, its ``<label>.mail.onmicrosoft.com``."""
    if initial_domain is None:
        return ()
    label = initial_domain.removesuffix(_MICROSOFT_SUFFIX)
    if label == initial_domain or "." in label:
        return (initial_domain,)
    return initial_domain, f"{label}.mail{_MICROSOFT_SUFFIX}"


def require_tenant(tenant: Tenant | None, option: str) -> Tenant:
    """The tenant, or a usage error naming what needs one."""
    if tenant is None:
        raise UsageError(f"{option} needs a tenant file", expected="--tenant FILE")
    return tenant
