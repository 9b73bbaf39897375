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

    From ``most`` names on, the counts stay as they are: there were at least so many.
    """

    def __init__(self, most: int = MAX_NAMES) -> None:
        self._most = most
        self._seen = DnsTable.growing()  # as a set of names; what it says of them nobody reads
        self._undecided = 0

    def add(self, verdicts: pa.RecordBatch) -> None:
        """Count the sender domains of some verdicts."""
        if len(self._seen) >= self._most:
            return
        domains = verdicts.column("sender_domain")
        fresh = self._seen.missing(pc.unique(domains).drop_null().to_pylist())
        if not fresh:
            return
        count = len(fresh)
        self._seen.absorb(DnsTable.build(fresh, ["A"] * count, ["unknown"] * count, [False] * count))
        is_unknown = pc.equal(pc.bit_wise_and(verdicts.column("evidence"), _RESOLVES), 0)
        unknown = set(pc.unique(domains.filter(is_unknown)).to_pylist())
        self._undecided += sum(name in unknown and unaskable(name) is None for name in fresh)

    def counts(self) -> tuple[int, int]:
        """(undecided names, names seen); address literals are no names."""
        return self._undecided, len(self._seen)
