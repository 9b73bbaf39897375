"""What an overlay changes in one record, as the description of its changes reads (docs/internals.md, "Overlay")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from tests.reference.accepted import Gateway, Tenant
from tests.reference.addresses import ip_address, mailbox
from tests.reference.evidence import FACTS, Record, World, gather, text, word
from tests.reference.verdict import judge, spf_from


@dataclass(frozen=True)
class Accept:
    """`accept-domain`: of the tenant with this name."""

    domain: str
    subdomains: bool
    tenant: str

    def holds(self, domain: str | None, tenant: Tenant | None) -> bool:
        """Whether it makes the domain an accepted one of the record's tenant."""
        if tenant is None or tenant.name != self.tenant or domain is None or domain.startswith("["):
            return False
        return domain == self.domain or (self.subdomains and domain.endswith("." + self.domain))


@dataclass(frozen=True)
class Changes:
    """An overlay; domains are canonical, `rules` None: no other profile."""

    accept: tuple[Accept, ...] = ()
    publish: frozenset[str] = frozenset()
    sign: frozenset[str] = frozenset()
    authorize: tuple[tuple[IPv4Network | IPv6Network, str], ...] = ()
    filtering: frozenset[str] = frozenset()
    rules: str | None = None

    def text(self) -> str:
        """As a file."""
        lines = [f"accept-domain {a.domain}{' subdomains' * a.subdomains} tenant={a.tenant}" for a in self.accept]
        lines += [f"publish-dns {name}" for name in sorted(self.publish)]
        lines += [f"sign-dkim {name}" for name in sorted(self.sign)]
        lines += [f"authorize {prefix} = {domain}" for prefix, domain in self.authorize]
        lines += [f'enhanced-filtering "{name}"' for name in sorted(self.filtering)]
        lines += [] if self.rules is None else [f"rules {self.rules}"]
        return "\n".join(lines)


def classify(
    record: Record,
    world: World,
    changes: Changes,
    profile: str = "2023-11",
    assume: Mapping[str, str] | None = None,
    compare: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The verdict columns under the changes, and `overlaid`."""
    found = gather(record, world)
    before, tenant = dict(found.facts), found.tenant
    gateway = tenant.gateway_of(text(record, "client_ip")) if tenant else None
    newly_filtered = gateway is not None and gateway.enhanced is not True and gateway.name in changes.filtering
    filtered = newly_filtered or (gateway is not None and gateway.enhanced is True)
    path = domain_of(record.get("mail_from"))
    header = domain_of(text(record, "header_from"))
    found.facts["outbound"] = outbound(record, found.facts["outbound"], tenant, changes)
    found.facts["accepted_domain"] = accepted(found.facts["accepted_domain"], tenant, found.sender, header, changes)
    if found.sender in changes.publish:
        found.facts["domain_resolves"] = "yes"
        found.flags.discard("aaaa_only")
    if (path if text(record, "header_from") is None else header) in changes.sign:
        found.facts["dkim_pass"] = "yes"
    if newly_filtered:
        found.facts["spf_pass"] = "unknown"
    if authorized(ip_address(text(record, "source_ip" if filtered else "client_ip")), path, changes):
        found.facts["spf_pass"] = "yes"
    found.tenant = None if tenant is None else changed_tenant(tenant, changes)
    verdict = judge(record, world, found, changes.rules or profile, assume, compare)
    verdict["spf_from"] = None if newly_filtered else spf_from(record)
    decided = {name for name in FACTS if before[name] != found.facts[name]} | (
        {"spf_pass"} if newly_filtered else set()
    )
    verdict["overlaid"] = sum(1 << i for i, name in enumerate(FACTS) if name in decided)
    return verdict


def domain_of(address: str | None) -> str | None:
    """The canonical domain of a usable address."""
    return None if address is None else mailbox(address).domain


def outbound(record: Record, before: str, tenant: Tenant | None, changes: Changes) -> str:
    """As if the recipient were accepted, where it is only now."""
    domain = domain_of(text(record, "recipient"))
    if tenant is None or tenant.accepts(domain) or not any(one.holds(domain, tenant) for one in changes.accept):
        return before
    if before == "no" or word(record, "direction") == "inbound":
        return "no"
    return "yes" if sent_on(record) else "no"


def sent_on(record: Record) -> bool:
    """An outbound host, address, pool name or SFP is recorded."""
    named = text(record, "outbound_host") or text(record, "outbound_ip_pool_name")
    return bool(named or ip_address(text(record, "outbound_ip"))) or record.get("sfp") is not None


def accepted(before: str, tenant: Tenant | None, sender: str | None, header: str | None, changes: Changes) -> str:
    """The sender counts; a domain of the header alone makes a no unknown."""
    if any(one.holds(sender, tenant) for one in changes.accept):
        return "yes"
    return "unknown" if before == "no" and any(one.holds(header, tenant) for one in changes.accept) else before


def authorized(address: Any, domain: str | None, changes: Changes) -> bool:
    """Whether the changes let an address pass for a domain of MAIL FROM."""
    return address is not None and any(
        domain == name and address.version == prefix.version and address in prefix for prefix, name in changes.authorize
    )


def changed_tenant(tenant: Tenant, changes: Changes) -> Tenant:
    """The tenant that the fix is looked up for."""
    mine = [one for one in changes.accept if one.tenant == tenant.name]
    gateways: Sequence[Gateway] = [
        replace(one, enhanced=True) if one.name in changes.filtering else one for one in tenant.gateways
    ]
    return replace(
        tenant,
        exact=tenant.exact | {one.domain for one in mine if not one.subdomains},
        with_subdomains=tenant.with_subdomains | {one.domain for one in mine if one.subdomains},
        gateways=tuple(gateways),
    )
