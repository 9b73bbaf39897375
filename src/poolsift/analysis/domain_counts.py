"""Counts per sender domain that stay exact up to a million distinct entries and say when they no longer are."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

#: Distinct entries kept; beyond that the rarest are dropped and ``capped`` is set.
MAX_ENTRIES: Final = 1_000_000

_MERGE_AT: Final = 200_000


class DomainCounts:
    """Adds up counts by ``keys``, a list of text columns."""

    def __init__(self, keys: list[str], max_entries: int = MAX_ENTRIES) -> None:
        self._keys = keys
        self._max_entries = max_entries
        self._pending: list[pa.Table] = []
        self._pending_rows = 0
        self.capped = False

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table that has the key columns."""
        if not table.num_rows:
            return
        counted = table.select(self._keys).group_by(self._keys, use_threads=False).aggregate([([], "count_all")])
        self._pending.append(counted)
        self._pending_rows += counted.num_rows
        if self._pending_rows > _MERGE_AT:
            self._merge()

    def top(self, count: int) -> list[dict[str, object]]:
        """The most frequent entries, ties in order of their keys; ``records`` holds the count."""
        self._merge()
        if not self._pending:
            return []
        order = [("count_all", "descending"), *((key, "ascending") for key in self._keys)]
        best = self._pending[0].sort_by(order).slice(0, count)
        return [{**{key: row[key] for key in self._keys}, "records": row["count_all"]} for row in best.to_pylist()]

    def _merge(self) -> None:
        if not self._pending:
            return
        table = pa.concat_tables(self._pending)
        table = table.group_by(self._keys, use_threads=False).aggregate([("count_all", "sum")])
        table = table.rename_columns([*self._keys, "count_all"])
        if table.num_rows > self._max_entries:
            self.capped = True
            order = [("count_all", "descending"), *((key, "ascending") for key in self._keys)]
            table = table.take(pc.sort_indices(table, order)).slice(0, self._max_entries)
        self._pending = [table]
        self._pending_rows = 0
