"""The inputs of one run: each read in its format, its rows counted twice, its failure kept."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow as pa

from poolsift.errors import InputError, PoolsiftError
from poolsift.readers.base import HEAD_BYTES, ReadOptions
from poolsift.readers.detect import detect
from poolsift.readers.rejects import FileReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from poolsift.readers.base import Format
    from poolsift.readers.rejects import Reject
    from poolsift.readers.source import Source


class AccountingError(PoolsiftError):
    """Rows in do not equal records plus folded plus rejected rows: a defect, never a matter of the input."""


class RunInput:
    """One input in one pass over the inputs."""

    def __init__(self, source: Source, sink: Callable[[Reject], None], forced: Format | None) -> None:
        self.source = source
        self.report = FileReport(source.name, sink)
        self.format = forced
        self.delivered = 0
        self.error: InputError | None = None
        self.bytes = 0

    @property
    def rows(self) -> int:
        """Rows in. A file that broke off counts the rows it gave, not those scanned and never delivered."""
        return self.report.rows if self.error is None else self.delivered + self.report.rejects

    def detect(self) -> Format | None:
        """The format, recognised from the first bytes unless one was asked for; None where there is no text.

        Raises InputError.
        """
        head = self.source.head()
        if len(head) < HEAD_BYTES and not head.strip():
            self.report.note("the file is empty")
            return None
        if self.format is None:
            self.format = detect(head, self.source.name)
        return self.format

    def batches(self, options: ReadOptions) -> Iterator[pa.RecordBatch]:
        """The record batches with ``input`` and ``rows``. Raises InputError at the point of damage."""
        found = self.detect()
        if found is None:
            return
        for batch in found.read(self.source, self.report, options):
            self.delivered += batch.num_rows
            yield placed(batch, self.source.name)
        self.source.check_unchanged()
        if self.report.rows != self.delivered + self.report.rejects:
            raise AccountingError(
                f"{self.source.name}: {self.report.rows} rows in, but {self.delivered} records "
                f"and {self.report.rejects} rejected rows; this is a defect of poolsift"
            )

    def finish(self, error: InputError | None = None) -> dict[str, object]:
        """The input's entry in the manifest; closes the source."""
        self.error = error
        self.bytes = self.source.compressed_bytes
        entry: dict[str, object] = {
            "name": self.source.name,
            "bytes": self.bytes,
            "sha256": self.source.sha256,
            "format": self.format.name if self.format else None,
            "compression": self.source.compression,
            "members": self.source.members,
            "rows": self.rows,
            "rejects": self.report.rejects,
            "reject_codes": dict(sorted(self.report.reject_codes.items())),
            "field_errors": dict(sorted(self.report.field_errors.items())),
            "skipped": dict(sorted(self.report.skipped.items())),
            "notes": [*self.source.notes, *self.report.notes],
            "truncated": self.report.truncated,
            "error": None if error is None else {"code": error.code, "message": error.message, "offset": error.offset},
        }
        self.source.close()
        return entry


def placed(batch: pa.RecordBatch, name: str) -> pa.RecordBatch:
    """The batch with the columns ``input`` and ``rows`` (1 each)."""
    count = batch.num_rows
    places = [pa.repeat(pa.scalar(name, pa.string()), count), pa.repeat(pa.scalar(1, pa.int32()), count)]
    return pa.RecordBatch.from_arrays([*batch.columns, *places], names=[*batch.schema.names, "input", "rows"])


def ignoring(batches: Iterable[pa.RecordBatch], columns: frozenset[str]) -> Iterator[pa.RecordBatch]:
    """Batches in which the named columns count as not recorded."""
    for batch in batches:
        for name in columns:
            place = batch.schema.get_field_index(name)
            empty = pa.nulls(batch.num_rows, batch.schema.field(place).type)
            batch = batch.set_column(place, name, empty)  # noqa: PLW2901 - one column after the other
        yield batch


def total_bytes(sources: Iterable[Source]) -> int | None:
    """Bytes as stored of all inputs, None when one of them does not say."""
    try:
        return sum(os.stat(source.path or "").st_size for source in sources)
    except OSError:
        return None
