"""Sums by key in bounded memory: exact while the keys fit, and from then on with a bound on what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What every sum counts; the first decides what is kept.
SUMS: Final = ("messages", "recipients")

_MERGE_AT: Final = 1 << 18


class BoundedCounts:
    """Adds up ``messages`` and ``recipients`` by text ``keys``; at most ``most`` keys are kept.

    Beyond that the keys with fewest messages are dropped. A key can then lack at most ``missed`` messages, whether it
    is still listed or not: a key that was dropped had no more than the most frequent one dropped at that time.
    """

    def __init__(self, keys: Sequence[str], most: int) -> None:
        self._keys = list(keys)
        self._most = most
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self.missed = 0

    def add(self, table: pa.Table) -> None:
        """Take a table of keys and sums; keys may repeat."""
        if not table.num_rows:
            return
        self._pending.append(summed(table, self._keys))
        self._pending_rows += self._pending[-1].num_rows
        if self._pending_rows > _MERGE_AT:
            self._merge()

    def table(self) -> pa.Table:
        """Every key that was kept with its sums, most messages first, ties in order of the keys."""
        self._merge()
        if not self._pending:
            nothing = {name: pa.array([], pa.string()) for name in self._keys}
            return pa.table({**nothing, **{name: pa.array([], pa.int64()) for name in SUMS}})
        return self._ordered(self._pending[0])

    def _merge(self) -> None:
        if not self._pending:
            return
        table = summed(pa.concat_tables(self._pending), self._keys)
        if table.num_rows > self._most:
            table = self._ordered(table)
            self.missed += table["messages"][self._most].as_py()
            table = table.slice(0, self._most)
        self._pending, self._pending_rows = [table], 0

    def _ordered(self, table: pa.Table) -> pa.Table:
        order = [("messages", "descending"), *((key, "ascending") for key in self._keys)]
        return table.take(pc.sort_indices(table, order))


def summed(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """One row a key."""
    found = table.group_by(list(keys), use_threads=False).aggregate([(name, "sum") for name in SUMS])
    return found.select([*keys, *(f"{name}_sum" for name in SUMS)]).rename_columns([*keys, *SUMS])
