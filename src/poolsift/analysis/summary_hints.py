"""The what-if commands that a summary suggests: for the fixes of most records that an overlay can try."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from poolsift.analysis.escaping import shown
from poolsift.fixes import Fix
from poolsift.overlay import change_for
from poolsift.verdicts import Pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.overlay import Change

#: Suggestions shown.
_MOST: Final = 3

_POOLS: Final = frozenset({Pool.RELAY, Pool.HIGH_RISK, Pool.RELAY_HIGH_RISK})
#: Fixes whose change needs an address or a gateway, which the summary does not count: ``--best`` finds them.
_NEED_SEARCH: Final = frozenset({Fix.AUTHORIZE_CLIENT_IP, Fix.ENABLE_ENHANCED_FILTERING})


def whatif_hints(result: Mapping[str, Any], out: str, *, tenants: int) -> list[str]:
    """At most three lines for a finished output ``out``; ``tenants``: how many the tenant file has.

    With several of them a domain to accept needs a tenant too, which the summary does not count: ``--best`` names it.
    """
    place = shlex.quote(out)
    commands: dict[str, int] = {}
    search = False
    for entry in result["top_domains"]:
        if entry["pool"] not in _POOLS or entry["fix"] is None:
            continue
        change = change_for(entry["fix"], sender_domain=entry["sender_domain"])
        if change is None or (entry["fix"] == Fix.ACCEPT_DOMAIN and tenants != 1):
            search |= entry["fix"] in {*_NEED_SEARCH, Fix.ACCEPT_DOMAIN}
            continue
        command = f"poolsift whatif {place} {_option(change)}"
        commands[command] = commands.get(command, 0) + entry["records"]
    named = [(command, f"# {records:,} records") for command, records in commands.items()][: _MOST - search]
    if search:
        named.append((f"poolsift whatif {place} --best 10", "# what helps most, addresses and gateways too"))
    width = max((len(command) for command, _ in named), default=0)
    return [f"  {shown(command.ljust(width), limit=2_000)}  {remark}" for command, remark in named]


def _option(change: Change) -> str:
    return f"--{change.kind} {shlex.quote(change.target)}"
