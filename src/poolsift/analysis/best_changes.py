"""The single changes that move most messages of a finished run to the normal pool.

Two passes: the first bounds what every change found in the rows can move, the second counts the promising ones
exactly, as a what-if of each alone would. When a change left out might still be better, the next ones are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poolsift.analysis.change_candidates import COLUMNS, CandidateCounts
from poolsift.analysis.change_effects import needed_columns
from poolsift.analysis.scenario import EffectsOf, Scenario
from poolsift.analysis.stored_scan import scan
from poolsift.domain_facts import organizational_domain
from poolsift.overlay import Change, ChangeKind
from poolsift.rules import newest
from poolsift.verdicts import Pool

if TYPE_CHECKING:
    from poolsift.analysis.moves import Count
    from poolsift.analysis.stored_run import StoredRun

#: Changes counted in one pass beyond those that are wanted: most bounds are exact, so that this is enough.
_BESIDE: Final = 6
#: Passes after which the answer is given as far as it is known.
_MOST_PASSES: Final = 8
#: Whatever moves a message is before this.
_LAST: Final = (0, "")


class BestChange(NamedTuple):
    """One change, what it moves to the normal pool, and from which pools.

    ``own``: whether its domain belongs to a tenant of the file (shares an organizational domain with an accepted
    one), so that the tenant can make the change; None where it is about no domain, or no tenant file is known.
    """

    rank: int
    line: str
    messages: int
    recipients: int
    pools: dict[str, Count]
    own: bool | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Most messages first, ties by text."""
        return -self.messages, self.line

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        pools = {pool: count._asdict() for pool, count in self.pools.items()}
        return {
            "rank": self.rank,
            "change": self.line,
            "messages": self.messages,
            "recipients": self.recipients,
            "from_pools": pools,
            "own_domain": self.own,
        }


def best_changes(run: StoredRun, wanted: int, threads: int) -> list[BestChange]:
    """Up to ``wanted`` changes, most messages first, ties by their text. What moves nothing is left out."""
    seen = CandidateCounts(run)
    times = ["time"] if run.tables.needs_time else []
    kept = ["evidence", "sender_domain", "tenant_id", *COLUMNS, *times]
    scan(run, kept, [seen], threads)
    waiting = sorted(seen.candidates(), key=lambda one: one.order)
    now = _always(run)
    best: list[BestChange] = []
    last = _LAST
    for _ in range(_MOST_PASSES):
        now, waiting = [*now, *(one.change for one in waiting[: wanted + _BESIDE])], waiting[wanted + _BESIDE :]
        best = sorted([*best, *_counted(run, now, threads)], key=lambda one: one.order)[:wanted]
        last = best[-1].order if len(best) == wanted else _LAST
        if not waiting or waiting[0].order > last:
            break
        now = []
    beyond = max([seen.beyond, *(one.most for one in waiting[:1] if one.order < last)])
    if beyond > -last[0]:
        run.remarks.append(f"not every candidate was counted: one of the others may move up to {beyond:,} messages")
    return [change._replace(rank=rank) for rank, change in enumerate(best, 1)]


def _always(run: StoredRun) -> list[Change]:
    """Changes that are counted whatever the rows say: gateways that are not known to be filtered, the newest rules."""
    names = dict.fromkeys(one.name for one in run.gateways if one.enhanced_filtering is not True)
    rules = [Change(ChangeKind.RULES, newest())] if run.rules != newest() else []
    return [*(Change(ChangeKind.ENHANCED_FILTERING, name) for name in names), *rules]


def _counted(run: StoredRun, changes: list[Change], threads: int) -> list[BestChange]:
    """What each change alone moves to the normal pool."""
    effects_of = EffectsOf(run)
    scenarios = [Scenario(run, [change], effects_of, only_to_normal=True) for change in changes]
    tables = [run.tables, *(one.tables for one in scenarios if one.tables is not None)]
    times = ["time"] if any(table.needs_time for table in tables) else []
    scan(run, [*needed_columns(changes), *times], scenarios, threads)
    results = [scenario.result() for scenario in scenarios]
    best = []
    for change, moves in zip(changes, results, strict=True):
        pools = {move.from_pool: count for move, count in moves.ranked() if move.to_pool == Pool.NORMAL}
        if pools:
            best.append(BestChange(0, moves.changes[0], *moves.to_normal, pools, _is_own(run, change)))
    return best


def _is_own(run: StoredRun, change: Change) -> bool | None:
    if run.tenant is None or change.kind in {ChangeKind.ENHANCED_FILTERING, ChangeKind.RULES}:
        return None
    organizational = organizational_domain(change.target)
    return any(organizational in entry.own for entry in run.tenant.tenants)
