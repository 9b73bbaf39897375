"""Text of tenant files: the commented template, one learned from headers, and a gateway to paste in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from poolsift.domain_facts import canonical_domain

if TYPE_CHECKING:
    from collections.abc import Iterable

TEMPLATE: Final = """\
# poolsift tenant file. Check it with: poolsift tenant check FILE
# Several tenants in one file: repeat [[tenant]] and give each its id.

[[tenant]]
# id = "00000000-0000-0000-0000-000000000001"   # optional with a single tenant
name = "contoso"

# Exchange admin center > Mail flow > Accepted domains. Names are exact; write
# { domain = "lab.contoso.com", subdomains = true } where "Accept mail for all subdomains" is on.
accepted_domains = ["contoso.com"]
initial_domain = "contoso.onmicrosoft.com"
# licenses = 1200                               # for the tenant external recipient limit

# Third-party or on-premises hosts that the MX records point to.
# [[tenant.gateway]]
# name = "on-prem edge"
# prefixes = ["203.0.113.0/24", "2001:db8:1::/48"]
# connector = "Inbound from on-prem"
# enhanced_filtering = false                    # Enhanced Filtering for Connectors

# Outbound spam policy; 0 is the service default.
# [tenant.limits]
# external_per_hour = 0
# internal_per_hour = 0
# per_day = 0

# Additions to the shipped pool tables.
# [pools]
# names = { "MyRegionPool" = "normal" }
# prefixes = [{ prefix = "198.51.100.0/24", pool = "relay", since = 2026-01-01 }]
"""


def learned_tenants(pairs: Iterable[tuple[str | None, str | None]]) -> str:
    """The text of a tenant file learned from (tenant id, sender domain) pairs of records stamped accepted.

    The sets are marked ``learned``: they can say that a domain is accepted, never that it is not. Pairs
    without tenant id make one tenant of their own only where no id was seen at all. Same pairs, same text.
    """
    domains: dict[str | None, set[str]] = {}
    for tenant_id, domain in pairs:
        name = canonical_domain(domain) if domain else None
        if name is not None:
            domains.setdefault(tenant_id.lower() if tenant_id else None, set()).add(name)
    nameless = domains.pop(None, set())
    if nameless and not domains:
        domains[None] = nameless
    lines = ["# Learned from records that Microsoft 365 stamped as sent from an accepted domain."]
    for tenant_id in sorted(domains, key=str):
        lines += ["", "[[tenant]]"]
        if tenant_id is not None:
            lines.append(f"id = {_quoted(tenant_id)}")
        lines += ["learned = true", "accepted_domains = ["]
        lines += [f"  {_quoted(name)}," for name in sorted(domains[tenant_id])]
        lines.append("]")
    return "\n".join(lines) + "\n"


def gateway_text(name: str, prefixes: Iterable[str], remarks: Iterable[str]) -> str:
    """A ``[[tenant.gateway]]`` to paste below its tenant: remarks on top, what nobody can know left as a question."""
    return "\n".join(
        [
            *(f"# {remark}" for remark in remarks),
            "[[tenant.gateway]]",
            f"name = {_quoted(name)}",
            f"prefixes = [{', '.join(map(_quoted, prefixes))}]",
            '# connector = "..."            # which inbound connector does its mail come by?',
            "# enhanced_filtering = true     # is Enhanced Filtering for Connectors on there: true or false?",
        ]
    )


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
