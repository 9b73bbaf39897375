"""One scenario of what-if: some changes together, judged on the rows they can move, counted against stored pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from poolsift.analysis.change_effects import effects
from poolsift.analysis.moves import Moves, MovesOfAll, PieceMoves
from poolsift.analysis.pool_tables import PoolTables, Settings, may_be_normal
from poolsift.analysis.stored_rows import any_of
from poolsift.evidence import FACTS, Fact, Known
from poolsift.overlay import ChangeKind, Overlay
from poolsift.verdicts import POOLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from poolsift.analysis.change_effects import Effect
    from poolsift.analysis.stored_rows import Mask, StoredRows
    from poolsift.analysis.stored_run import StoredRun
    from poolsift.domain_facts import DomainFacts
    from poolsift.overlay import Change

    Bytes = NDArray[np.uint8]

#: Names that a memo may know before it is replaced; there is one a scenario and thread.
_MAX_NAMES: Final = 200_000

#: Stored columns that the kernel is not given: it works them out, or never looks at them.
_NOT_REREAD: Final = frozenset({"pool", "candidates", "sender_domain", "recipient_count"})

_POOL_NUMBERS: Final = {pool.value: number for number, pool in enumerate(POOLS)}
_SPF: Final = FACTS.index(Fact.SPF_PASS)


class _Reach(NamedTuple):
    """An effect with the states of the evidence where it can matter."""

    effect: Effect
    states: Mask


class EffectsOf:
    """The effects of each change, made once, so that scenarios share what their tests found."""

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._known: dict[Change, tuple[Effect, ...]] = {}

    def __call__(self, change: Change) -> tuple[Effect, ...]:
        """The effects."""
        if change not in self._known:
            self._known[change] = effects(change, self._run.tenant)
        return self._known[change]


class Scenario:
    """Some changes together. Threads share it; each has its own ``ScenarioPiece``.

    ``only_to_normal`` judges only rows that may become normal: other moves are then not counted in full.
    """

    def __init__(
        self, run: StoredRun, changes: Sequence[Change], effects_of: EffectsOf, *, only_to_normal: bool = False
    ) -> None:
        self.changes = tuple(changes)
        self.overlay = Overlay(self.changes)
        self.classifier = run.classifier(self.overlay)
        rules = self.overlay.rules
        #: Where another profile decides: its table, by which every row is judged.
        self.tables = PoolTables(rules, run.assume) if rules else None
        self._reaches = _reaches(
            [effect for change in self.changes for effect in effects_of(change)],
            self.tables or run.tables,
            only_to_normal=only_to_normal,
        )
        yes = frozenset({Known.YES})
        self._spf_helps = (self.tables or run.tables).moved_by(Fact.SPF_PASS, yes, {})
        self._counts = MovesOfAll(tuple(change.text() for change in self.changes), run.most_entries)

    def touched(self, rows: StoredRows) -> Mask:
        """The rows to judge anew: no other can move, but by the profile."""
        return any_of((reach.states[rows.states] & rows.where(reach.effect.test) for reach in self._reaches), len(rows))

    def lacking(
        self, change: Change, rows: StoredRows, touched: Mask, evidence: NDArray[np.uint32]
    ) -> Mapping[str, int]:
        """Messages for which the output does not hold what a change needs, by what is missing."""
        if change.kind is ChangeKind.ENHANCED_FILTERING:
            unknown = touched & ((evidence >> np.uint32(2 * _SPF) & np.uint32(3)) == int(Known.UNKNOWN))
            has_source = rows.recorded("source_ip")
            return _counted(source_ip=unknown & ~has_source, spf=unknown & has_source)
        if change.kind is ChangeKind.AUTHORIZE:
            helped = self._spf_helps[rows.states]
            nowhere = helped & rows.sender_in(change.target) & ~rows.recorded("client_ip")
            return _counted(client_ip=nowhere)
        return {}

    def piece(self) -> ScenarioPiece:
        """A fresh count for one piece of the output."""
        return ScenarioPiece(self)

    def merge(self, piece: ScenarioPiece) -> None:
        """Take what one piece came to."""
        self._counts.merge(piece.moves)

    def result(self) -> Moves:
        """What was moved in all pieces."""
        return self._counts.result()


class ScenarioPiece:
    """One scenario in one piece of the output."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self.moves = PieceMoves()
        self._memo: DomainFacts | None = None

    def add(self, rows: StoredRows) -> None:
        """Judge and count one batch."""
        scenario = self._scenario
        if scenario.tables is None:
            pools, candidates = rows.pools.copy(), rows.candidates.copy()
        else:
            pools, candidates = scenario.tables.lookup(rows.evidence, rows.times)
        touched = scenario.touched(rows)
        evidence = rows.evidence
        if touched.any():
            again = self._judged(rows.batch.filter(pa.array(touched)))
            pools[touched], candidates[touched] = again["pools"], again["candidates"]
            evidence = evidence.copy()
            evidence[touched] = again["evidence"]
        self.moves.add(rows, pools, may_be_normal(pools, candidates))
        for change in scenario.changes:
            self.moves.lacking.update(scenario.lacking(change, rows, touched, evidence))

    def _judged(self, batch: pa.RecordBatch) -> Mapping[str, Any]:
        kept = [name for name in batch.schema.names if name not in _NOT_REREAD]
        again = self._scenario.classifier.reclassify(batch.select(kept), domains=self._names())
        table = pa.Table.from_batches([pa.record_batch(part) for part in again])
        pool = table["pool"].combine_chunks()
        numbers = np.array([_POOL_NUMBERS[word] for word in pool.dictionary.to_pylist()], np.uint8)
        return {
            "pools": numbers[pool.indices.to_numpy()],
            "candidates": table["candidates"].to_numpy(),
            "evidence": table["evidence"].to_numpy(),
        }

    def _names(self) -> DomainFacts:
        if self._memo is None or self._memo.memo.known_names > _MAX_NAMES:
            self._memo = self._scenario.classifier.domain_facts(from_evidence=True)
        return self._memo


def _reaches(found: Sequence[Effect], tables: PoolTables, *, only_to_normal: bool) -> list[_Reach]:
    """Each effect with the states it can move, whatever the other effects do to the same row."""
    settings: Settings = {}
    for effect in found:
        settings[effect.fact] = settings.get(effect.fact, frozenset()) | effect.values
    reaches = [
        _Reach(one, tables.moved_by(one.fact, one.values, settings, only_to_normal=only_to_normal)) for one in found
    ]
    return [reach for reach in reaches if reach.states.any()]


def _counted(**masks: Mask) -> dict[str, int]:
    """How many rows each mask names, those that name none left out."""
    counts = {word: int(np.count_nonzero(mask)) for word, mask in masks.items()}
    return {word: count for word, count in counts.items() if count}
