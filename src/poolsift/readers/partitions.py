"""Rows set aside by partition number: in memory first, then in files that are read back one partition at a time."""

from __future__ import annotations

import os
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

#: Fixed, so that the order of what comes back depends on the data alone, never on the memory given.
PARTITIONS: Final = 256

#: Partitions are handed out together up to so many rows: each hand-out costs some milliseconds.
RANGE_ROWS: Final = 1 << 16

_NUMBER = "\0partition"


def _counted(numbers: pa.Array | pa.ChunkedArray) -> Counter[int]:
    """Rows by partition number."""
    return Counter({entry["values"]: entry["counts"] for entry in pc.value_counts(numbers).to_pylist()})


class PartitionedRows:
    """Tables split into 256 partitions, held in ``memory_bytes`` and beyond that in ``directory``.

    A spilled run is one Arrow file of exactly 256 batches, so that partition *n* of every run is
    its batch *n*. The directory belongs to the caller; files are made with mode 0600.
    """

    def __init__(self, directory: Path, name: str, memory_bytes: int) -> None:
        self._directory = directory
        self._name = name
        self._memory_bytes = memory_bytes
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._runs: list[Path] = []
        self._readers: list[pa.ipc.RecordBatchFileReader] = []
        self._sizes = [0] * PARTITIONS
        self._sealed: tuple[pa.Table, list[int]] | None = None
        self.rows = 0

    @property
    def spilled_runs(self) -> int:
        """How many files were written."""
        return len(self._runs)

    def add(self, table: pa.Table, numbers: pa.Array) -> None:
        """Set rows aside; ``numbers`` (uint8) says the partition of each."""
        if not table.num_rows:
            return
        self._pending.append(table.append_column(_NUMBER, numbers))
        self._pending_bytes += table.nbytes
        self.rows += table.num_rows
        for number, count in _counted(numbers).items():
            self._sizes[number] += count
        if self._pending_bytes > self._memory_bytes:
            self._spill()

    def ranges(self) -> Iterator[range]:
        """Neighbouring partitions taken together while they are small; decided by the number of rows alone."""
        start, rows = 0, 0
        for number, size in enumerate(self._sizes):
            if rows and rows + size > RANGE_ROWS:
                yield range(start, number)
                start, rows = number, 0
            rows += size
        if rows:
            yield range(start, PARTITIONS)

    def rows_of(self, numbers: range) -> pa.Table | None:
        """All rows of some partitions, or None when there are none; nothing may be added afterwards."""
        if self._sealed is None:
            self._seal()
        assert self._sealed is not None
        pieces = [pa.Table.from_batches([reader.get_batch(n)]) for reader in self._readers for n in numbers]
        table, offsets = self._sealed
        pieces.append(table.slice(offsets[numbers.start], offsets[numbers.stop] - offsets[numbers.start]))
        pieces = [piece for piece in pieces if piece.num_rows]
        return concat(pieces) if pieces else None

    def close(self) -> None:
        """Remove the files."""
        self._readers.clear()
        self._pending.clear()
        for path in self._runs:
            path.unlink(missing_ok=True)

    def _sorted(self) -> tuple[pa.Table, list[int]]:
        table = concat(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        table = table.take(pc.sort_indices(table.column(_NUMBER)))
        sizes = _counted(table.column(_NUMBER))
        offsets = list(accumulate((sizes[number] for number in range(PARTITIONS)), initial=0))
        return table.drop_columns([_NUMBER]), offsets

    def _seal(self) -> None:
        if self._pending:
            self._sealed = self._sorted()
        else:
            self._sealed = (pa.table({}), [0] * (PARTITIONS + 1))
        self._readers = [pa.ipc.open_file(pa.OSFile(str(path), "rb")) for path in self._runs]

    def _spill(self) -> None:
        path = self._directory / f"{self._name}-{len(self._runs):05}.arrow"
        table, offsets = self._sorted()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            self._runs.append(path)
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema, options=options) as writer:
                for number in range(PARTITIONS):
                    writer.write_batch(_one_batch(table.slice(offsets[number], offsets[number + 1] - offsets[number])))
        except OSError as error:
            raise OutputError("spill_failed", f"cannot set rows aside: {error.strerror or error}", str(path)) from error


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables one below the other; a column that one of them lacks is null there."""
    return pa.concat_tables(tables, promote_options="default")


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
