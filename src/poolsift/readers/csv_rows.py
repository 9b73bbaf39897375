"""Rows of a CSV file with their places: nothing guessed, every deviation from RFC 4180 rejected.

The stdlib reader is not used: it takes a quote inside a bare cell as text, swallows the rest of the
file after a quote that is not closed, and does not say where a row stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from poolsift.errors import InputError, LimitError, nearest
from poolsift.readers.base import ReadOptions, Row
from poolsift.readers.csv_structure import Record, RecordScanner, simple_cells
from poolsift.readers.lines import LineBuffer
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poolsift.readers.rejects import FileReport

MAX_COLUMNS: Final = 10_000
#: C0 and DEL, but for tab, LF and CR, which quoted subjects hold.
_CONTROLS: Final = bytes(set(range(32)) - {0x09, 0x0A, 0x0D}) + b"\x7f"
#: Joins cells for one decoding of all; it cannot stand in a cell, being a control character.
_UNIT: Final = b"\x1f"
#: Non-printing characters that Microsoft's exports leave in header lines: BOM, NUL, zero-width space.
_HEADER_NOISE: Final = dict.fromkeys((0xFEFF, 0x0000, 0x200B))
#: PowerShell's Export-Csv without -NoTypeInformation begins so.
_TYPE_LINE: Final = b"#TYPE "
#: W3C extended log files (message tracking logs) name their columns so.
_FIELDS_LINE: Final = b"#Fields:"


class CsvReader:
    """The rows of one CSV; ``header`` is read at once, rows when iterated.

    ``logged``: a W3C log, whose lines that begin with ``#`` are comments and whose header stands in
    ``#Fields:``. Counts every row into the report. Damage of the file is raised after the rows
    before it.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        report: FileReport,
        options: ReadOptions | None = None,
        *,
        path: str | None = None,
        logged: bool = False,
    ) -> None:
        self._options = options or ReadOptions()
        self._report = report
        self._path = path or report.input
        self._logged = logged
        self._buffer = LineBuffer(blocks, self._options.max_row)
        self._separator = self._options.delimiter.encode()
        self._scanner = RecordScanner(self._separator, self._options.max_cell)
        self._row = 0
        #: Column names in order; empty for an empty file.
        self.header: list[str] = []
        self._read_header()

    def columns(self, required: Iterable[str] = ()) -> dict[str, int]:
        """Column name → place. InputError names the required columns that are missing."""
        places = {name: place for place, name in enumerate(self.header)}
        missing = [name for name in required if name not in places]
        if missing and self.header:
            hints = [f"{name} (found {near}?)" if (near := nearest(name, places)) else name for name in missing]
            raise InputError("header", f"columns missing: {', '.join(hints)}", self._path)
        return places

    def __iter__(self) -> Iterator[Row]:
        buffer = self._buffer
        while self.header and (line := buffer.line()) is not None:
            if buffer.too_long:
                self._too_long(line)
                continue
            raw = line[:-1] if line.endswith(b"\r") else line
            if not raw:
                self._report.skip("blank_lines")
                continue
            if self._logged and raw.startswith(b"#"):
                self._comment(raw)
                continue
            cells = simple_cells(raw, self._separator)
            if cells is None:
                record = self._scan()
                if record is None:
                    continue
                raw = buffer.data[buffer.start : record.end]
                if record.code is not None:
                    self._count(raw, record.code, record.message)
                    continue
                cells = record.cells
            text = self._checked(cells, raw)
            if text is not None:
                yield Row(self._row, buffer.number, buffer.offset, text, raw)
        if buffer.failure is not None:
            raise buffer.failure
        if not buffer.ended:
            self._report.note("no_final_newline: the last line may have been cut")

    def _scan(self) -> Record | None:
        """The record at the current line, over as many lines as it takes; None when it was rejected
        or the file is damaged inside it.
        """
        buffer, options = self._buffer, self._options
        while True:
            limit = min(len(buffer.data), buffer.start + options.max_row + 1)
            at_end = buffer.at_end and limit == len(buffer.data)
            record = self._scanner.scan(buffer.data, buffer.start, limit, at_end=at_end)
            if record is not None:
                buffer.advance(record.after)
                return record
            if limit - buffer.start > options.max_row:
                # The first line is within the cap, else it would have been too long; go on after it.
                end = buffer.next
                self._count(buffer.data[buffer.start : end].rstrip(b"\r\n"), *self._row_limit())
                return None
            if not buffer.more():
                if buffer.failure is not None:
                    buffer.next = len(buffer.data)
                    return None
                # The end was found only now: scan once more, knowing it.
                continue

    def _row_limit(self) -> tuple[RejectCode, str]:
        return RejectCode.ROW_LIMIT, f"row longer than {self._options.max_row} bytes"

    def _too_long(self, beginning: bytes) -> None:
        if self._buffer.failure is None:
            self._count(beginning, *self._row_limit())

    def _checked(self, cells: list[bytes], raw: bytes) -> list[str] | None:
        """The cells as text; None when the row was rejected or repeats the header."""
        found, due = len(cells), len(self.header)
        max_cell = self._options.max_cell
        if len(raw.translate(None, _CONTROLS)) != len(raw):
            self._count(raw, RejectCode.CONTROL_CHARACTER, "control character")
            return None
        try:
            text = _UNIT.join(cells).decode().split("\x1f")
        except UnicodeDecodeError as error:
            self._count(raw, RejectCode.UTF8, f"not UTF-8: {error.reason}")
            return None
        if found != due:
            code = RejectCode.TOO_FEW_FIELDS if found < due else RejectCode.TOO_MANY_FIELDS
            self._count(raw, code, f"{found} cells, {due} columns")
            return None
        if len(raw) > max_cell:
            for name, cell in zip(self.header, cells, strict=True):
                if len(cell) > max_cell:
                    message = f"cell longer than {max_cell} bytes"
                    self._count(raw, RejectCode.CELL_LIMIT, message, name)
                    return None
        if text[0].translate(_HEADER_NOISE) == self.header[0] and _clean(text) == self.header:
            self._report.skip("header_repeats")
            return None
        self._row += 1
        self._report.rows += 1
        return text

    def _count(self, raw: bytes, code: RejectCode, message: str, field: str | None = None) -> None:
        """Counts a row and rejects it."""
        self._row += 1
        self._report.rows += 1
        buffer = self._buffer
        self._report.reject(
            row=self._row, line=buffer.number, byte_offset=buffer.offset,
            field=field, code=code, message=message, raw=raw,
        )  # fmt: skip

    def _comment(self, raw: bytes) -> None:
        if raw.startswith(_FIELDS_LINE):
            if _fields(raw) != self.header:
                raise InputError("header", "the columns change inside the file", self._path, self._buffer.offset)
            self._report.skip("header_repeats")
        else:
            self._report.skip("comments")

    def _read_header(self) -> None:
        """Takes the first line that is not blank nor a type line, or ``#Fields:`` of a log."""
        buffer = self._buffer
        while (line := buffer.line()) is not None:
            raw = line.rstrip(b"\r")
            if buffer.too_long:
                raise LimitError("header line too long", limit=self._options.max_row, path=self._path)
            if not raw or raw == b"\xef\xbb\xbf":
                self._report.skip("blank_lines")
            elif raw.startswith(_FIELDS_LINE) and self._logged:
                return self._take_header(_fields(raw))
            elif raw.startswith(_TYPE_LINE) or (self._logged and raw.startswith(b"#")):
                self._report.skip("comments")
            elif self._logged:
                raise InputError("header", "rows before the #Fields line", self._path, buffer.offset)
            else:
                return self._take_header(self._header_cells(raw))
        if buffer.failure is not None:
            raise buffer.failure
        return None

    def _header_cells(self, raw: bytes) -> list[str]:
        if b"\r" in raw and b'"' not in raw:
            message = "lines end in CR alone; convert them to LF"
            raise InputError("line_ends", message, self._path)
        cells = simple_cells(raw, self._separator)
        if cells is None:
            record = self._scan()
            if record is None or record.code is not None:
                message = "the header line is not CSV" + (f": {record.message}" if record else "")
                raise InputError("header", message, self._path)
            cells = record.cells
        try:
            return _clean(cell.decode() for cell in cells)
        except UnicodeDecodeError as error:
            raise InputError("header", f"the header line is not UTF-8: {error.reason}", self._path) from None

    def _take_header(self, header: list[str]) -> None:
        if len(header) > MAX_COLUMNS:
            raise LimitError(f"{len(header)} columns", limit=MAX_COLUMNS, path=self._path)
        doubles = sorted({name for name in header if header.count(name) > 1})
        if doubles:
            raise InputError("header", f"columns named twice: {column_words(doubles)}", self._path)
        if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
            message = f"one column {column_words(header)}: cells seem to be separated otherwise; commas are due"
            raise InputError("delimiter", message, self._path)
        self.header = header


def header_names(head: bytes) -> list[str]:
    """The column names of a CSV that begins with ``head``; empty when it does not look like one."""
    for line in head.split(b"\n")[:10]:
        raw = line.strip(b"\r")
        if raw.startswith(_FIELDS_LINE):
            return _fields(raw)
        if raw and not raw.startswith(b"#"):
            cells = simple_cells(raw, b",")
            return _clean(cell.decode("utf-8", "replace") for cell in cells or [])
    return []


def column_words(names: Iterable[str]) -> str:
    """Column names for a message, which must not tell addresses: a file without header begins with those."""
    return ", ".join("(an address)" if "@" in name else repr(name[:80]) for name in names)


def _fields(raw: bytes) -> list[str]:
    return _clean(raw[len(_FIELDS_LINE) :].decode("utf-8", "replace").split(","))


def _clean(names: Iterable[str]) -> list[str]:
    return [name.translate(_HEADER_NOISE).strip(" ") for name in names]
