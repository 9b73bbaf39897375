"""Gateways that a tenant file may lack: the mail hosts of accepted domains that are in none, as text to paste."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, NamedTuple

from poolsift.analysis.escaping import shown
from poolsift.domain_facts import organizational_domain
from poolsift.tenant_text import gateway_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poolsift.engines.mail_routes import MailHost, MailRoute
    from poolsift.tenant import TenantEntry

#: Domains named in a remark.
_SHOWN = 5


class _Found(NamedTuple):
    """What one provider's hosts come to: whose mail they take, their addresses, those of them that are incomplete."""

    domains: dict[str, None]
    prefixes: dict[str, None]
    gaps: dict[str, None]


def suggested_gateways(entry: TenantEntry, routes: Iterable[MailRoute]) -> list[str]:
    """A ``[[tenant.gateway]]`` for each organizational domain of mail hosts with an address outside all gateways.

    Its prefixes are those addresses alone. They are where mail is taken, not where it is handed on from: the text says
    what to compare them with.
    """
    found: dict[str, _Found] = {}
    for domain, host in _hosts(routes):
        prefixes = list(_strays(entry, host))
        if not prefixes:
            continue
        group = found.setdefault(organizational_domain(host.name.rstrip(".").lower()), _Found({}, {}, {}))
        group.domains[domain] = None
        group.prefixes.update(dict.fromkeys(prefixes))
        if host.gaps:
            group.gaps[host.name] = None
    return [gateway_text(shown(name), group.prefixes, _remarks(entry, name, group)) for name, group in found.items()]


def _hosts(routes: Iterable[MailRoute]) -> Iterator[tuple[str, MailHost]]:
    return ((route.domain, host) for route in routes for host in route.hosts if not host.is_exchange)


def _strays(entry: TenantEntry, host: MailHost) -> Iterator[str]:
    """The addresses of a host that no gateway holds, each as a prefix; what is no address is left out."""
    for text in host.addresses:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if entry.gateway_of(text) is None:
            yield f"{address}/{address.max_prefixlen}"


def _remarks(entry: TenantEntry, name: str, group: _Found) -> Iterator[str]:
    domains = [*group.domains]
    named = ", ".join(domains[:_SHOWN]) + (f" and {len(domains) - _SHOWN} more" if len(domains) > _SHOWN else "")
    tenant = shown(entry.name or entry.id or "the tenant")
    yield f"To paste below [[tenant]] {tenant} if it is yours: mail for {named} comes by hosts of {shown(name)}."
    yield "These addresses are where its MX listens."
    yield "A provider hands mail on from others too: check with the ranges it publishes."
    if group.gaps:
        yield f"Not all addresses could be found out of: {', '.join(map(shown, group.gaps))}."
