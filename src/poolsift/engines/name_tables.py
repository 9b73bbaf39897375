"""The name column of Parquet and Arrow IPC files, batch by batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from poolsift.engines.name_rows import (
    NAMES,
    OTHER_KIND,
    TUPLE_COLUMNS,
    TUPLES,
    NameRow,
    kind_column,
    name_column,
    tuple_columns,
)
from poolsift.errors import InputError
from poolsift.readers.arrow_types import Cast, cast_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

_BATCH_ROWS: Final = 65_536
#: What one string and one list of a footer may claim before memory is given to it.
_THRIFT_STRING_BYTES: Final = 100 << 20
_THRIFT_ITEMS: Final = 1_000_000
_TEXT: Final = pa.string()


def table_rows(source: Source, report: FileReport, kinds: Sequence[str] = (NAMES,)) -> Iterator[NameRow]:
    """The rows of a Parquet file, Arrow IPC file or stream. Raises InputError where it is damaged."""
    head = source.head()
    with _naming(source):
        if head.startswith(b"PAR1"):
            yield from _parquet_rows(source, report, kinds)
        elif head.startswith(b"ARROW1"):
            with source.random_access() as file:
                reader = pa.ipc.open_file(file)
                batches = map(reader.get_batch, range(reader.num_record_batches))
                yield from _rows(reader.schema, batches, source, report, kinds)
        else:
            stream = pa.ipc.open_stream(pa.PythonFile(source.file(), mode="r"))
            yield from _rows(stream.schema, stream, source, report, kinds)


def _parquet_rows(source: Source, report: FileReport, kinds: Sequence[str]) -> Iterator[NameRow]:
    from pyarrow import parquet

    with source.random_access() as file:
        reader = parquet.ParquetFile(
            file,
            page_checksum_verification=True,
            pre_buffer=False,
            arrow_extensions_enabled=False,
            thrift_string_size_limit=_THRIFT_STRING_BYTES,
            thrift_container_size_limit=_THRIFT_ITEMS,
        )
        schema = reader.schema_arrow
        used = _used_columns(schema, source, kinds)
        batches = reader.iter_batches(batch_size=_BATCH_ROWS, columns=used, use_threads=False)
        yield from _rows(schema, batches, source, report, kinds)


def _used_columns(schema: pa.Schema, source: Source, kinds: Sequence[str]) -> list[str]:
    kind = kind_column(schema.names, source.name)
    used = [name_column(schema.names, source.name)]
    if kind is not None:
        used.append(kind)
        if TUPLES in kinds:  # a table without them may hold no tuple either; else it is said where one is met
            used += [column for column in schema.names if column.lower() in TUPLE_COLUMNS]
    return used


def _rows(
    schema: pa.Schema,
    batches: Iterable[pa.RecordBatch],
    source: Source,
    report: FileReport,
    kinds: Sequence[str],
) -> Iterator[NameRow]:
    name = name_column(schema.names, source.name)
    first = 1
    for batch in batches:
        batch.validate(full=True)
        names = _texts(batch, name, source)
        report.rows += batch.num_rows
        bad = {first + index for index in names.bad}
        for row in _of_kinds(batch, names.column.to_pylist(), first, kinds, source, report, schema.names):
            if row.row in bad:
                report.reject(row=row.row, field=name, code=names.code, message=names.message)
            else:
                yield row._replace(field=name)
        first += batch.num_rows
    source.check_unchanged()


def _of_kinds(
    batch: pa.RecordBatch,
    values: list[Any],
    first: int,
    kinds: Sequence[str],
    source: Source,
    report: FileReport,
    columns: Sequence[str],
) -> Iterator[NameRow]:
    """The rows of the kinds that are due; the others are counted. ``columns`` are all that the file has."""
    kind = kind_column(batch.schema.names, source.name)
    said = [NAMES] * len(values) if kind is None else _texts(batch, kind, source).column.to_pylist()
    parts: list[tuple[object, object]] = []
    if TUPLES in kinds and TUPLES in said:
        client_ip, helo = (_texts(batch, one, source).column for one in tuple_columns(columns, source.name))
        parts = list(zip(client_ip.to_pylist(), helo.to_pylist(), strict=True))
    for place, (value, word) in enumerate(zip(values, said, strict=True)):
        if word not in kinds:
            report.skip(OTHER_KIND)
        else:
            yield NameRow(value, first + place, spf=parts[place] if word == TUPLES else None)


def _texts(batch: pa.RecordBatch, name: str, source: Source) -> Cast:
    return cast_column(batch.column(name), pa.field(name, _TEXT), source.name)


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Arrow's errors as ours, with the file's name."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError("damaged", " ".join(str(error).split())[:300], source.name) from None
