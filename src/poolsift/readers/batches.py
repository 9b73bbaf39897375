"""From records (dicts of column → value) to record batches of the canonical schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from poolsift.errors import InputError, LimitError
from poolsift.readers.base import ReadOptions
from poolsift.readers.screen import Screen
from poolsift.records import RECORD_COLUMNS, record_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from poolsift.readers.base import Row
    from poolsift.readers.rejects import FileReport


@lru_cache(maxsize=64)
def batch_schema(extra: tuple[str, ...] = ()) -> pa.Schema:
    """The columns that a reader delivers: records, ``row``, then the input's others as strings."""
    schema = record_schema().append(pa.field("row", pa.int64()))
    for name in extra:
        schema = schema.append(pa.field(name, pa.string()))
    return schema


class BatchBuilder:
    """Collects records until a batch is due. A batch is screened before it is given: see
    :class:`Screen`, which rejects rows by what their values hold and counts field errors.

    ``extra``: names of the input's other columns, which records then carry under these names.
    """

    def __init__(self, report: FileReport, options: ReadOptions | None = None, extra: Sequence[str] = ()) -> None:
        self._options = options or ReadOptions()
        self._schema = batch_schema(tuple(extra))
        self._extra = tuple(extra)
        self._screen = Screen(report, self._options)
        self._records: list[Mapping[str, object]] = []
        self._places: list[Row] = []
        self._bytes = 0

    def add(self, place: Row, record: Mapping[str, object]) -> None:
        """One record of the row at ``place``; columns it lacks are not recorded."""
        self._records.append(record)
        self._places.append(place)
        self._bytes += len(place.raw)

    @property
    def is_full(self) -> bool:
        """Whether the batch has reached its rows or bytes."""
        return len(self._records) >= self._options.batch_rows or self._bytes >= self._options.batch_bytes

    def flush(self) -> pa.RecordBatch | None:
        """The screened batch of what was collected, or None when nothing is left of it."""
        if not self._records:
            return None
        used = set().union(*self._records)
        count = len(self._records)
        columns = [
            pa.array([record.get(name) for record in self._records], kind) if name in used else pa.nulls(count, kind)
            for name, kind in zip(RECORD_COLUMNS, self._schema.types, strict=False)
        ]
        columns.append(pa.array([place.row for place in self._places], pa.int64()))
        columns += [pa.array([record.get(name) for record in self._records], pa.string()) for name in self._extra]
        batch = self._screen.apply(pa.record_batch(columns, schema=self._schema), self._places)
        self._records, self._places, self._bytes = [], [], 0
        return batch if batch.num_rows else None


def build_batches(
    records: Iterable[tuple[Row, Mapping[str, object]]],
    report: FileReport,
    options: ReadOptions | None = None,
    extra: Sequence[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Batches of records. When the input turns out damaged, what was read before is given first."""
    builder = BatchBuilder(report, options, extra)
    failure: InputError | LimitError | None = None
    try:
        for place, record in records:
            builder.add(place, record)
            if builder.is_full and (batch := builder.flush()) is not None:
                yield batch
    except (InputError, LimitError) as error:
        failure = error
    last = builder.flush()
    if last is not None:
        yield last
    if failure is not None:
        raise failure
