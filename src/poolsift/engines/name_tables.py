"""The name column of Parquet and Arrow IPC files, batch by batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from poolsift.engines.name_rows import NameRow, kind_column, name_column, of_names
from poolsift.errors import InputError
from poolsift.readers.arrow_types import cast_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

_BATCH_ROWS: Final = 65_536
#: What one string and one list of a footer may claim before memory is given to it.
_THRIFT_STRING_BYTES: Final = 100 << 20
_THRIFT_ITEMS: Final = 1_000_000
_TEXT: Final = pa.string()


def table_rows(source: Source, report: FileReport) -> Iterator[NameRow]:
    """The rows of a Parquet file, Arrow IPC file or stream. Raises InputError where it is damaged."""
    head = source.head()
    with _naming(source):
        if head.startswith(b"PAR1"):
            yield from _parquet_rows(source, report)
        elif head.startswith(b"ARROW1"):
            with source.random_access() as file:
                reader = pa.ipc.open_file(file)
                batches = map(reader.get_batch, range(reader.num_record_batches))
                yield from _rows(reader.schema, batches, source, report)
        else:
            stream = pa.ipc.open_stream(pa.PythonFile(source.file(), mode="r"))
            yield from _rows(stream.schema, stream, source, report)


def _parquet_rows(source: Source, report: FileReport) -> Iterator[NameRow]:
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
        columns = [name_column(schema.names, source.name), kind_column(schema.names)]
        used = [column for column in columns if column is not None]
        batches = reader.iter_batches(batch_size=_BATCH_ROWS, columns=used, use_threads=False)
        yield from _rows(schema, batches, source, report)


def _rows(
    schema: pa.Schema, batches: Iterable[pa.RecordBatch], source: Source, report: FileReport
) -> Iterator[NameRow]:
    name, kind = name_column(schema.names, source.name), kind_column(schema.names)
    first = 1
    for batch in batches:
        batch.validate(full=True)
        names = cast_column(batch.column(name), pa.field(name, _TEXT), source.name)
        values = enumerate(names.column.to_pylist(), first)
        rows: Iterator[NameRow] = (NameRow(value, row, field=name) for row, value in values)
        if kind is not None:
            kinds = cast_column(batch.column(kind), pa.field(kind, _TEXT), source.name)
            rows = of_names(kinds.column.to_pylist(), rows, report)
        report.rows += batch.num_rows
        bad = {first + index for index in names.bad}
        for row in rows:
            if row.row in bad:
                report.reject(row=row.row, field=name, code=names.code, message=names.message)
            else:
                yield row
        first += batch.num_rows
    source.check_unchanged()


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Arrow's errors as ours, with the file's name."""
    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError("damaged", " ".join(str(error).split())[:300], source.name) from None
