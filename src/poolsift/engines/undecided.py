"""Counts the distinct sender domains of a run, and those of which DNS could not say whether they resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from poolsift._native.nouns import DnsTable
from poolsift.dns.names import unaskable
from poolsift.evidence import FACTS, Fact

if TYPE_CHECKING:
    import pyarrow as pa

#: Names counted exactly; it bounds memory to some 100 MB.
MAX_NAMES: Final = 2_000_000

_RESOLVES: Final = 3 << 2 * FACTS.index(Fact.DOMAIN_RESOLVES)


class UndecidedNames:
    """Within a run a name always comes to the same, so each counts as it was when first seen.

    Once ``most`` names are kept, the counts are "at least"; yet they are never 0 where a name is undecided.
    """

    def __init__(self, most: int = MAX_NAMES) -> None:
        self._most = most
        self._kept = DnsTable.growing()  # as a set of names; what it says of them nobody reads
        self._undecided = 0
        self._beyond = (0, 0)

    def add(self, verdicts: pa.RecordBatch) -> None:
        """Count the sender domains of some verdicts."""
        domains = verdicts.column("sender_domain")
        fresh = self._kept.missing(pc.unique(domains).drop_null().to_pylist())
        if not fresh:
            return
        is_unknown = pc.equal(pc.bit_wise_and(verdicts.column("evidence"), _RESOLVES), 0)
        unknown = set(pc.unique(domains.filter(is_unknown)).to_pylist())
        undecided = sum(name in unknown and unaskable(name) is None for name in fresh)
        count = len(fresh)
        table = DnsTable.build(fresh, ["A"] * count, ["unknown"] * count, [False] * count)
        if len(self._kept) < self._most:
            self._kept.absorb(table)
            self._undecided += undecided
        else:  # they may come again, so that only the most of one batch are surely distinct
            self._beyond = max(self._beyond[0], undecided), max(self._beyond[1], len(table))

    def counts(self) -> tuple[int, int]:
        """(undecided names, names seen); address literals are no names."""
        return self._undecided + self._beyond[0], len(self._kept) + self._beyond[1]
