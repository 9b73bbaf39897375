"""Verdict tables as arrays: the pools of many rows at once, and which states of the evidence a changed fact moves."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from poolsift.evidence import FACT_MASK, FACTS, Fact, Known
from poolsift.rules import VerdictTable, select, valid_states
from poolsift.verdicts import POOLS, Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

#: Fact → the values that a change may give it.
Settings = dict[Fact, frozenset[Known]]

_NORMAL: Final = POOLS.index(Pool.NORMAL)
_UNDETERMINED: Final = POOLS.index(Pool.UNDETERMINED)


class PoolTables:
    """Pool and candidates of every state of the evidence, for each profile that ``rules`` may decide by."""

    def __init__(self, rules: str, assume: Mapping[Fact, Known]) -> None:
        selection = select(rules)
        packed = [VerdictTable(profile, assume).packed() for profile in selection.profiles]
        table = np.stack([np.frombuffer(one, np.uint8).reshape(-1, 4) for one in packed])
        self._pools = np.ascontiguousarray(table[:, :, 0])
        self._candidates = np.ascontiguousarray(table[:, :, 2])
        self._since = np.array([since for since, _ in selection.timeline], np.int64)
        self._profiles = np.array([number for _, number in selection.timeline], np.intp)
        self._timeless = selection.timeless

    @property
    def needs_time(self) -> bool:
        """Whether the profile depends on a row's time."""
        return len(self._since) > 1

    def lookup(self, evidence: NDArray[np.uint32], times: NDArray[np.int64] | None) -> tuple[Bytes, Bytes]:
        """Pool numbers and candidates; ``times`` in µs since 1970, the least int64 where none is recorded."""
        states = evidence & np.uint32(FACT_MASK)
        if times is None or not self.needs_time:
            profile = self._profiles[0]
            return self._pools[profile][states], self._candidates[profile][states]
        profiles = self._profiles[np.searchsorted(self._since, times, side="right") - 1]
        profiles[times == np.iinfo(np.int64).min] = self._timeless
        return self._pools[profiles, states], self._candidates[profiles, states]

    def moved_by(self, fact: Fact, values: frozenset[Known], others: Settings, *, only_to_normal: bool = False) -> Mask:
        """For each of the 65,536 states whether giving ``fact`` one of ``values`` may move a row.

        ``others`` are what other changes may do to the row beside this one: a state counts when the fact makes a
        difference together with any choice of them. A row that is moved by several changes is found by one of them:
        on the way from its recorded facts to the changed ones, one fact after another, some step changes the pool.
        """
        moved = np.zeros(FACT_MASK + 1, np.bool_)
        states = np.array(valid_states(), np.uint32)
        rest = {other: ways for other, ways in others.items() if other != fact}
        for pools, choice in product(self._pools, _choices(rest)):
            without = _set(states, choice)
            before = pools[without]
            for value in values:
                after = pools[_set(without, {fact: value})]
                moved[states] |= (after != before) & (after == _NORMAL if only_to_normal else True)
        return moved


def _choices(settings: Mapping[Fact, frozenset[Known]]) -> Iterator[dict[Fact, Known]]:
    """Every way to leave each fact as it is or give it one of its values."""
    ways: list[tuple[Known | None, ...]] = [(None, *sorted(values)) for values in settings.values()]
    for values in product(*ways):
        yield {fact: value for fact, value in zip(settings, values, strict=True) if value is not None}


def _set(states: NDArray[np.uint32], values: Mapping[Fact, Known]) -> NDArray[np.uint32]:
    for fact, value in values.items():
        shift = 2 * FACTS.index(fact)
        states = states & np.uint32(FACT_MASK & ~(3 << shift)) | np.uint32(int(value) << shift)
    return states


def may_be_normal(pools: Bytes, candidates: Bytes) -> Mask:
    """Which rows are undetermined with the normal pool among their candidates."""
    possible: Mask = (pools == _UNDETERMINED) & ((candidates & 1 << _NORMAL) != 0)
    return possible
