"""The what-if commands that a summary suggests: for the fixes of most records that an overlay can try."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from poolsift.analysis.escaping import shown
from poolsift.domain_facts import organizational_domain
from poolsift.fixes import Fix
from poolsift.overlay import change_for
from poolsift.verdicts import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.overlay import Change
    from poolsift.tenant import Tenant

#: Suggestions shown.
_MOST: Final = 3

_POOLS: Final = frozenset({Pool.RELAY, Pool.HIGH_RISK, Pool.RELAY_HIGH_RISK})
#: Fixes whose change needs an address or a gateway, which the summary does not count: ``--best`` finds them.
_NEED_SEARCH: Final = frozenset({Fix.AUTHORIZE_CLIENT_IP, Fix.ENABLE_ENHANCED_FILTERING})


def whatif_hints(result: Mapping[str, Any], out: str, tenant: Tenant | None) -> list[str]:
    """At most three lines for the summary of a finished output ``out``, each with the records it stands for."""
    place = shlex.quote(out)
    commands: dict[str, int] = {}
    search = False
    for entry in result["top_domains"]:
        if entry["pool"] not in _POOLS or entry["fix"] is None:
            continue
        search |= entry["fix"] in _NEED_SEARCH
        change = _change(entry, tenant)
        if change is not None:
            command = f"poolsift whatif {place} {_option(change)}"
            commands[command] = commands.get(command, 0) + entry["records"]
    named = [(command, f"# {records:,} records") for command, records in commands.items()][: _MOST - search]
    if search:
        named.append((f"poolsift whatif {place} --best 10", "# what helps most, addresses and gateways too"))
    width = max((len(command) for command, _ in named), default=0)
    return [f"  {shown(command.ljust(width), limit=2_000)}  {remark}" for command, remark in named]


def _change(entry: Mapping[str, Any], tenant: Tenant | None) -> Change | None:
    """The change that the fix of a domain stands for; one to accept is for the tenant that owns its parent."""
    fix, domain = entry["fix"], entry["sender_domain"]
    if fix != Fix.ACCEPT_DOMAIN:
        return change_for(fix, sender_domain=domain)
    owners = [one for one in (tenant.tenants if tenant else ()) if organizational_domain(domain) in one.own]
    if tenant is None or len(owners) != 1:
        return None
    word = None if len(tenant.tenants) == 1 else owners[0].name or owners[0].id
    return change_for(fix, sender_domain=domain, tenant=word)


def _option(change: Change) -> str:
    word, _, value = change.text().partition(" ")
    return f"--{word} {shlex.quote(value)}"
