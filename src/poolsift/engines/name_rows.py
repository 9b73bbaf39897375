"""Rows of the files that name domains (survey output, text, CSV, NDJSON, Parquet, Arrow), each in its place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from poolsift.errors import InputError, nearest
from poolsift.readers.base import ReadOptions
from poolsift.readers.csv_rows import CsvReader, column_words, header_names
from poolsift.readers.json_lines import JsonLines
from poolsift.readers.lines import LineBuffer
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

NAME_COLUMNS: Final = ("name", "domain")
#: Survey output says what a row names: a domain, or an SPF tuple, which has two columns more.
KIND_COLUMN: Final = "kind"
NAMES: Final = "domain"
TUPLES: Final = "spf"
TUPLE_COLUMNS: Final = ("client_ip", "helo")
OTHER_KIND: Final = "other_kind"

_OPTIONS: Final = ReadOptions()
_BLANK: Final = b" \t\r"


class NameRow(NamedTuple):
    """One row that should name a domain: what stands there (any JSON value), and where.

    ``spf``: what stands under TUPLE_COLUMNS in a row that names an SPF tuple, else None.
    """

    value: object
    row: int
    line: int | None = None
    offset: int | None = None
    field: str | None = None
    raw: bytes = b""
    spf: tuple[object, object] | None = None


Rows: TypeAlias = "Iterator[NameRow]"


def name_rows(source: Source, report: FileReport, kinds: Sequence[str] = (NAMES,)) -> Rows:
    """The rows of one input, its form recognised by its first bytes.

    ``report`` counts every row. Those of a kind that is not among ``kinds`` are counted as skipped ``other_kind``.
    Damage is raised as InputError after the rows before it.
    """
    head = source.head()
    reader: Callable[[Source, FileReport, Sequence[str]], Rows]
    if head.startswith((b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")):
        from poolsift.engines.name_tables import table_rows

        reader = table_rows
    elif head.lstrip(_BLANK + b"\n").startswith(b"{"):
        reader = _json_rows
    else:
        reader = _csv_rows if _is_table(head, source.name) else _text_rows
    return reader(source, report, kinds)


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


def kind_column(columns: Sequence[str], path: str) -> str | None:
    """The column that says what a row names, where there is one; InputError where there are several."""
    found = [column for column in columns if column.lower() == KIND_COLUMN]
    if len(found) > 1:
        raise InputError("header", f"columns {column_words(found)}: one of them is due", path)
    return found[0] if found else None


def tuple_columns(columns: Sequence[str], path: str) -> list[str]:
    """The columns of SPF tuples, case ignored; InputError where one is missing."""
    found = {column.lower(): column for column in columns}
    missing = next((name for name in TUPLE_COLUMNS if name not in found), None)
    if missing is not None:
        near = nearest(missing, columns)
        hint = f"; is it {near}?" if near else ""
        message = f"rows of kind {TUPLES} and no column {missing} among {column_words(columns[:20])}{hint}"
        raise InputError("header", message, path)
    return [found[name] for name in TUPLE_COLUMNS]


def _is_table(head: bytes, path: str) -> bool:
    """Whether a text is CSV with a header. Raises InputError for several columns of which none holds names."""
    first = next((line for line in head.split(b"\n") if line.strip(_BLANK)), b"").strip(_BLANK)
    if first.startswith(b"#") and not first.startswith(b"#TYPE "):
        return False
    columns = header_names(head)
    if len(columns) > 1:
        name_column(columns, path)
    return any(column.lower() in NAME_COLUMNS for column in columns)


def _text_rows(source: Source, report: FileReport, kinds: Sequence[str]) -> Rows:  # noqa: ARG001 - a text has no kinds
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


def _csv_rows(source: Source, report: FileReport, kinds: Sequence[str]) -> Rows:
    reader = CsvReader(source.blocks(), report, _OPTIONS, path=source.name)
    if not reader.header:
        return
    column = name_column(reader.header, source.name)
    place, kind = reader.header.index(column), kind_column(reader.header, source.name)
    kind_place = None if kind is None else reader.header.index(kind)
    for row in reader:
        said = NAMES if kind_place is None else row.value[kind_place]
        if said not in kinds:
            report.skip(OTHER_KIND)
            continue
        spf = None
        if said == TUPLES:
            client_ip, helo = (reader.header.index(one) for one in tuple_columns(reader.header, source.name))
            spf = row.value[client_ip], row.value[helo]
        yield NameRow(row.value[place].strip(" \t"), row.row, row.line, row.offset, column, row.raw, spf)


def _json_rows(source: Source, report: FileReport, kinds: Sequence[str]) -> Rows:
    """Objects with ``name`` or ``domain``; one with both is rejected, for nobody knows which is meant."""
    keys = (*NAME_COLUMNS, KIND_COLUMN, *TUPLE_COLUMNS)
    for row in JsonLines(source.blocks(), report, _OPTIONS, keys=keys, path=source.name):
        said = row.value.get(KIND_COLUMN, NAMES)
        if said not in kinds:
            report.skip(OTHER_KIND)
            continue
        found = [key for key in NAME_COLUMNS if key in row.value]
        if len(found) == 1:
            client_ip, helo = (row.value.get(key) for key in TUPLE_COLUMNS)
            spf = (client_ip, helo) if said == TUPLES else None
            yield NameRow(row.value[found[0]], row.row, row.line, row.offset, found[0], row.raw, spf)
            continue
        words = "name and domain" if found else "neither name nor domain"
        report.reject(
            row=row.row, line=row.line, byte_offset=row.offset, code=RejectCode.STRUCTURE, raw=row.raw,
            message=f"found {words}, expected one of them",
        )  # fmt: skip
