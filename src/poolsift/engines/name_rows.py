"""Rows of the files that name domains (survey output, text, CSV, NDJSON, Parquet, Arrow), each in its place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from poolsift.errors import InputError, nearest
from poolsift.readers.base import ReadOptions
from poolsift.readers.csv_rows import CsvReader, column_words, header_names
from poolsift.readers.json_lines import JsonLines
from poolsift.readers.lines import LineBuffer
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

NAME_COLUMNS: Final = ("name", "domain")
#: Survey output holds SPF tuples too; their names are asked for other types, by others.
KIND_COLUMN: Final = "kind"
OTHER_KIND: Final = "other_kind"
_NAMES: Final = "domain"

_OPTIONS: Final = ReadOptions()
_BLANK: Final = b" \t\r"


class NameRow(NamedTuple):
    """One row that should name a domain: what stands there (any JSON value), and where."""

    value: object
    row: int
    line: int | None = None
    offset: int | None = None
    field: str | None = None
    raw: bytes = b""


Rows: TypeAlias = "Iterator[NameRow]"


def name_rows(source: Source, report: FileReport) -> Rows:
    """The rows of one input, its form recognised by its first bytes.

    ``report`` counts every row. Those of another kind than ``domain`` are counted as skipped ``other_kind``. Damage is
    raised as InputError after the rows before it.
    """
    head = source.head()
    reader: Callable[[Source, FileReport], Rows]
    if head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        from poolsift.engines.name_tables import table_rows

        reader = table_rows
    elif head.lstrip(_BLANK + b"\n").startswith(b"{"):
        reader = _json_rows
    else:
        reader = _csv_rows if _is_table(head, source.name) else _text_rows
    return reader(source, report)


def name_column(columns: Sequence[str], path: str) -> str:
    """The column that holds names, case ignored; InputError where there is none, or where it could be either."""
    found = [column for column in columns if column.lower() in NAME_COLUMNS]
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError("header", f"columns {column_words(found)}: which holds the names? one of them is due", path)
    hints = [f"{near}?" for word in NAME_COLUMNS if (near := nearest(word, columns))]
    hint = f"; is it {hints[0]}" if hints else ""
    raise InputError("header", f"no column name or domain among {column_words(columns[:20])}{hint}", path)


def kind_column(columns: Sequence[str]) -> str | None:
    """The column that says what a row names, where there is one."""
    return next((column for column in columns if column.lower() == KIND_COLUMN), None)


def of_names(kinds: Iterable[Any], rows: Iterable[NameRow], report: FileReport) -> Rows:
    """The rows whose kind is ``domain``; the others are counted."""
    for kind, row in zip(kinds, rows, strict=True):
        if kind == _NAMES:
            yield row
        else:
            report.skip(OTHER_KIND)


def _is_table(head: bytes, path: str) -> bool:
    """Whether a text is CSV with a header. Raises InputError for several columns of which none holds names."""
    first = next((line for line in head.split(b"\n") if line.strip(_BLANK)), b"").strip(_BLANK)
    if first.startswith(b"#") and not first.startswith(b"#TYPE "):
        return False
    columns = header_names(head)
    if len(columns) > 1:
        name_column(columns, path)
    return any(column.lower() in NAME_COLUMNS for column in columns)


def _text_rows(source: Source, report: FileReport) -> Rows:
    """One name a line, perhaps in quotes; what follows ``#`` is a comment."""
    buffer = LineBuffer(source.blocks(), _OPTIONS.max_row)
    row = 0
    while (raw := buffer.line()) is not None:
        text, mark, _ = raw.partition(b"#")
        text = text.strip(_BLANK)
        if not text and not buffer.too_long:
            report.skip("comments" if mark else "blank_lines")
            continue
        if buffer.too_long and buffer.failure is not None:
            break
        row += 1
        report.rows += 1
        reject = partial(report.reject, row=row, line=buffer.number, byte_offset=buffer.offset, raw=raw)
        if buffer.too_long:
            reject(code=RejectCode.ROW_LIMIT, message=f"row longer than {_OPTIONS.max_row} bytes")
            continue
        if len(text) > 1 and text[:1] == text[-1:] == b'"':
            text = text[1:-1]
        try:
            yield NameRow(text.decode(), row, buffer.number, buffer.offset, raw=raw)
        except UnicodeDecodeError as error:
            reject(code=RejectCode.UTF8, message=f"not UTF-8: {error.reason}")
    if buffer.failure is not None:
        raise buffer.failure
    if not buffer.ended:
        report.note("no_final_newline: the last line may have been cut")


def _csv_rows(source: Source, report: FileReport) -> Rows:
    reader = CsvReader(source.blocks(), report, _OPTIONS, path=source.name)
    if not reader.header:
        return
    column = name_column(reader.header, source.name)
    place, kind = reader.header.index(column), kind_column(reader.header)
    kind_place = None if kind is None else reader.header.index(kind)
    for row in reader:
        if kind_place is not None and row.value[kind_place] != _NAMES:
            report.skip(OTHER_KIND)
            continue
        yield NameRow(row.value[place].strip(" \t"), row.row, row.line, row.offset, column, row.raw)


def _json_rows(source: Source, report: FileReport) -> Rows:
    """Objects with ``name`` or ``domain``; one with both is rejected, for nobody knows which is meant."""
    keys = (*NAME_COLUMNS, KIND_COLUMN)
    for row in JsonLines(source.blocks(), report, _OPTIONS, keys=keys, path=source.name):
        if row.value.get(KIND_COLUMN, _NAMES) != _NAMES:
            report.skip(OTHER_KIND)
            continue
        found = [key for key in NAME_COLUMNS if key in row.value]
        if len(found) == 1:
            yield NameRow(row.value[found[0]], row.row, row.line, row.offset, found[0], row.raw)
            continue
        words = "name and domain" if found else "neither name nor domain"
        report.reject(
            row=row.row, line=row.line, byte_offset=row.offset, code=RejectCode.STRUCTURE, raw=row.raw,
            message=f"found {words}, expected one of them",
        )  # fmt: skip
