"""Canonical CSV: a header of record column names; an empty cell is null, ``<>`` the null reverse-path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolsift.errors import InputError
from poolsift.readers.base import Format, ReadOptions
from poolsift.readers.batches import build_batches
from poolsift.readers.canonical_columns import looks_canonical, note_misspelt, records
from poolsift.readers.csv_rows import CsvReader, column_words, header_names
from poolsift.records import CANONICAL_TYPES, PLACE_TYPES, RECORD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from poolsift.readers.base import Row
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source


def sniff(head: bytes) -> bool:
    """Whether the first line names record columns."""
    return looks_canonical(header_names(head))


def read(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Batches of the file; unknown columns are ignored or kept as extras."""
    reader = CsvReader(source.blocks(options.block_bytes), report, options, path=source.name)
    places = reader.columns()
    if places and not places.keys() & CANONICAL_TYPES.keys():
        message = f"no record column among {column_words(reader.header[:20])}"
        raise InputError("header", message, source.name)
    used = {name: places[name] for name in RECORD_COLUMNS if name in places}
    kept = {name: place for name, place in places.items() if name not in used and name not in PLACE_TYPES}
    note_misspelt(kept, report)
    others = kept if options.extra else {}
    return build_batches(records(_values(reader, used, others), report), report, options, tuple(others))


def _values(
    reader: CsvReader, used: dict[str, int], others: dict[str, int]
) -> Iterator[tuple[Row, Mapping[str, object], Mapping[str, str | None]]]:
    for place in reader:
        cells = place.value
        values = {name: cells[column] or None for name, column in used.items()}
        yield place, values, {name: cells[column] or None for name, column in others.items()}


FORMAT = Format(
    name="csv",
    title="canonical CSV",
    where="made by your own tools: a header with the record column names",
    limits="what the file does not name is not recorded; empty cells are null",
    predict=True,
    observe=True,
    folds=False,
    sniff=sniff,
    read=read,
)
