"""Canonical Parquet and Arrow IPC: checked in full, cast to the canonical types, screened by batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.errors import InputError
from poolsift.readers.arrow_types import cast_column
from poolsift.readers.base import Format, ReadOptions
from poolsift.readers.batches import batch_schema
from poolsift.readers.canonical_columns import note_misspelt
from poolsift.readers.csv_rows import column_words
from poolsift.readers.screen import Screen
from poolsift.records import CANONICAL_TYPES, PLACE_TYPES, RECORD_COLUMNS, record_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow.parquet as pq

    from poolsift.readers.rejects import FileReport, RejectCode
    from poolsift.readers.source import Source

_PARQUET_MAGIC: Final = b"PAR1"
_FILE_MAGIC: Final = b"ARROW1"
_CONTINUATION: Final = b"\xff\xff\xff\xff"
#: Thrift of a footer: what one string and one list may claim before memory is given to it.
_THRIFT_STRING_BYTES: Final = 100 << 20
_THRIFT_ITEMS: Final = 1_000_000


def sniff_parquet(head: bytes) -> bool:
    """Whether the magic of Parquet stands first."""
    return head.startswith(_PARQUET_MAGIC)


def sniff_arrow(head: bytes) -> bool:
    """Whether it is an Arrow IPC file, or a stream that begins with a schema message."""
    return head.startswith((_FILE_MAGIC, _CONTINUATION))


def read_parquet(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Batches of a Parquet file, whose page checksums are verified where it has them."""
    from pyarrow import parquet

    with _failures(source), source.random_access() as file:
        reader = parquet.ParquetFile(
            file,
            page_checksum_verification=True,
            pre_buffer=False,
            arrow_extensions_enabled=False,
            thrift_string_size_limit=_THRIFT_STRING_BYTES,
            thrift_container_size_limit=_THRIFT_ITEMS,
        )
        screened = _Batches(reader.schema_arrow, source, report, options)
        rows = _batch_rows(reader, options)
        names = [name for name in reader.schema_arrow.names if name in screened.wanted]
        if names:
            for batch in reader.iter_batches(batch_size=rows, columns=names, use_threads=False):
                yield from screened.take(batch)
        screened.finish(reader.metadata.num_rows)


def read_arrow(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Batches of an Arrow IPC file or stream; each is validated in full before it is used."""
    head = source.head()
    with _failures(source):
        if head.startswith(_FILE_MAGIC):
            with source.random_access() as file:
                reader = pa.ipc.open_file(file)
                yield from _read_ipc(
                    reader.schema, map(reader.get_batch, range(reader.num_record_batches)), source, report, options
                )
        else:
            stream = pa.ipc.open_stream(pa.PythonFile(source.file(), mode="r"))
            yield from _read_ipc(stream.schema, stream, source, report, options)


def _read_ipc(
    schema: pa.Schema, batches: Iterator[pa.RecordBatch], source: Source, report: FileReport, options: ReadOptions
) -> Iterator[pa.RecordBatch]:
    screened = _Batches(schema, source, report, options)
    for batch in batches:
        batch.validate(full=True)
        for start in range(0, batch.num_rows, options.batch_rows):
            yield from screened.take(batch.slice(start, options.batch_rows))
    screened.finish(None)


def _batch_rows(reader: pq.ParquetFile, options: ReadOptions) -> int:
    """Rows a batch, so that it stays near ``batch_bytes`` by the footer's uncompressed sizes."""
    metadata = reader.metadata
    largest = 1
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        largest = max(largest, group.total_byte_size // max(group.num_rows, 1))
    return max(1, min(options.batch_rows, options.batch_bytes // largest))


class _Batches:
    """Turns the batches of one file into batches of the canonical schema."""

    def __init__(self, schema: pa.Schema, source: Source, report: FileReport, options: ReadOptions) -> None:
        self._source = source
        self._report = report
        self._screen = Screen(report, options)
        self._row = 0
        _check_names(schema, source.name)
        known = set(RECORD_COLUMNS)
        others = [name for name in schema.names if name not in known and name not in PLACE_TYPES]
        note_misspelt(others, report)
        self._others = others if options.extra else []
        self.wanted = known | set(self._others)
        self._schema = batch_schema(tuple(self._others))

    def take(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The canonical batch of ``batch``, unless every row of it was rejected."""
        count = batch.num_rows
        faults: dict[int, tuple[str, RejectCode, str]] = {}
        columns = []
        for field in record_schema():
            if field.name not in batch.schema.names:
                columns.append(pa.nulls(count, field.type))
                continue
            column, bad, code, message = cast_column(batch.column(field.name), field, self._source.name)
            columns.append(column)
            for index in bad:
                faults.setdefault(index, (field.name, code, message))
        columns.append(pa.array(range(self._row + 1, self._row + count + 1), pa.int64()))
        columns += [_verbatim(batch.column(name)) for name in self._others]
        self._row += count
        self._report.rows += count
        whole = pa.record_batch(columns, schema=self._schema)
        kept = self._screen.apply(self._without(whole, faults))
        if kept.num_rows:
            yield kept

    def _without(self, batch: pa.RecordBatch, faults: dict[int, tuple[str, RejectCode, str]]) -> pa.RecordBatch:
        if not faults:
            return batch
        rows = batch.column("row")
        for index, (field, code, message) in sorted(faults.items()):
            self._report.reject(row=rows[index].as_py(), field=field, code=code, message=message)
        return batch.take(pa.array([i for i in range(batch.num_rows) if i not in faults], pa.int64()))

    def finish(self, due: int | None) -> None:
        """Compares the rows with the footer's count, and the file with what was opened."""
        if due is not None and self._row == 0 and due:
            raise InputError("header", "none of the columns is a record column", self._source.name)
        if due is not None and due != self._row:
            message = f"the footer counts {due} rows, the pages hold {self._row}"
            raise InputError("row_count", message, self._source.name)
        self._source.check_unchanged()


def _check_names(schema: pa.Schema, path: str) -> None:
    doubles = sorted({name for name in schema.names if schema.names.count(name) > 1 and name in RECORD_COLUMNS})
    if doubles:
        raise InputError("header", f"columns named twice: {', '.join(doubles)}", path)
    if not set(schema.names) & set(CANONICAL_TYPES):
        raise InputError("header", f"no record column among {column_words(schema.names[:20])}", path)


def _verbatim(column: pa.Array) -> pa.Array:
    """Another column of the input as strings; what has no text form becomes its Python form."""
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())


class _failures:  # noqa: N801 - reads as a statement: with _failures(source)
    """Arrow's errors as ours, with the file's name."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InputError) or error is None:
            return
        # Damaged schemas hold names that are not UTF-8.
        if isinstance(error, pa.ArrowException | OSError | UnicodeDecodeError):
            message = " ".join(str(error).split())[:300]
            raise InputError("damaged", message, self._source.name) from None


def _format(
    name: str, title: str, sniff: Callable[[bytes], bool], read: Callable[..., Iterator[pa.RecordBatch]]
) -> Format:
    return Format(
        name=name,
        title=title,
        where="made by your own tools: columns named and typed as the record columns",
        limits="what the file does not name is not recorded",
        predict=True,
        observe=True,
        folds=False,
        sniff=sniff,
        read=read,
    )


PARQUET = _format("parquet", "canonical Parquet", sniff_parquet, read_parquet)
ARROW = _format("arrow", "canonical Arrow IPC, file or stream", sniff_arrow, read_arrow)
