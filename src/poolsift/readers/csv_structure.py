"""Where one CSV record ends and what its cells are: RFC 4180 to the letter, every deviation named."""

from __future__ import annotations

from typing import NamedTuple

from poolsift.readers.rejects import RejectCode

#: Lines that one quoted cell may span; more means that its quote was never closed.
MAX_QUOTED_LINES = 1_000

_QUOTE = 0x22
_RETURN = 0x0D


class Record(NamedTuple):
    """One record: where the next begins, its own end without line end, its cells or its fault."""

    after: int
    end: int
    cells: list[bytes]
    code: RejectCode | None = None
    message: str = ""


def simple_cells(line: bytes, separator: bytes) -> list[bytes] | None:
    """The cells of a line without line end, where one look is enough; else None.

    That is a line without quotes, or one with every cell quoted and no quote inside a cell: each
    cell then accounts for exactly two quotes.
    """
    quotes = line.count(b'"')
    if quotes == 0:
        return None if b"\r" in line else line.split(separator)
    if quotes & 1 or line[0] != _QUOTE or line[-1] != _QUOTE:
        return None
    cells = line[1:-1].split(b'"' + separator + b'"')
    return cells if quotes == 2 * len(cells) else None


class RecordScanner:
    """Finds records in a window of bytes. More bytes never change an answer that is not None, so
    that records do not depend on how the file was cut into blocks.

    After a fault the record goes on to the line end at which a reader that takes stray quotes as
    text would end it; after a quote that is not closed, to the end of the first line, where
    reading begins anew.
    """

    def __init__(self, separator: bytes, max_cell: int) -> None:
        self._separator = separator
        self._max_cell = max_cell
        self._data = b""
        self._limit = 0
        self._at_end = False

    def scan(self, data: bytes, start: int, limit: int, *, at_end: bool) -> Record | None:
        """The record at ``start``, looking no further than ``limit``; None when that is not enough.

        ``at_end``: the file ends at ``limit``.
        """
        self._data, self._limit, self._at_end = data, limit, at_end
        cells: list[bytes] = []
        fault: tuple[RejectCode, str] | None = None
        place: int | None = start
        while place is not None:
            quoted = place < limit and data[place] == _QUOTE
            if quoted:
                close = self._closing_quote(place)
                if close is None:
                    return None
                if close < 0:
                    return self._unterminated(start, len(cells) + 1)
                cells.append(data[place + 1 : close].replace(b'""', b'"'))
                step = self._after_quote(close + 1, len(cells))
            else:
                step = self._bare(place, cells)
            if step is None:
                return None
            place, end, after, found = step
            fault = fault or found
        return Record(after, end, cells, *fault) if fault else Record(after, end, cells)

    def _closing_quote(self, place: int) -> int | None:
        """Where the cell that opens at ``place`` closes; -1 when it does not; None when not known yet."""
        data, limit = self._data, self._limit
        quote = place + 1
        while True:
            quote = data.find(b'"', quote, limit)
            if quote < 0:
                reach, answer = limit, (-1 if self._at_end else None)
                break
            if quote + 1 < limit and data[quote + 1] == _QUOTE:
                quote += 2
                continue
            known = quote + 1 < limit or self._at_end
            reach, answer = quote, (quote if known else None)
            break
        too_long = reach - place - 1 > self._max_cell or data.count(b"\n", place, reach) > MAX_QUOTED_LINES
        return -1 if too_long else answer

    def _after_quote(self, place: int, cell: int) -> _Step | None:
        """What follows a closing quote: a separator, a line end, or text that has no place there."""
        data, limit = self._data, self._limit
        newline = self._newline(place)
        if place < limit and data[place : place + 1] == self._separator:
            return _Step(place + 1)
        if newline is None:
            return None
        end = self._without_return(place, newline)
        if place == end:
            return _Step(None, end, min(newline + 1, limit))
        fault = (RejectCode.QUOTE, f"text after the closing quote of cell {cell}")
        separator = data.find(self._separator, place, end)
        if separator >= 0:
            return _Step(separator + 1, fault=fault)
        return _Step(None, end, min(newline + 1, limit), fault)

    def _bare(self, place: int, cells: list[bytes]) -> _Step | None:
        """Adds the bare cells from ``place`` to the next quoted cell or to the line end."""
        data = self._data
        newline = self._newline(place)
        if newline is None:
            return None
        end = self._without_return(place, newline)
        quote = data.find(b'"', place, end)
        fault = None
        stop = end
        if quote > place and data[quote - 1 : quote] == self._separator:
            stop = quote - 1
        elif quote >= 0:
            number = len(cells) + data.count(self._separator, place, quote) + 1
            fault = (RejectCode.QUOTE, f"quote inside bare cell {number}")
            separator = data.find(self._separator, quote, end)
            stop = end if separator < 0 else separator
        if data.find(b"\r", place, stop) >= 0:
            fault = (RejectCode.CONTROL_CHARACTER, "carriage return inside a bare cell")
        cells += data[place:stop].split(self._separator)
        if stop < end:
            return _Step(stop + 1, fault=fault)
        return _Step(None, end, min(newline + 1, self._limit), fault)

    def _newline(self, place: int) -> int | None:
        newline = self._data.find(b"\n", place, self._limit)
        if newline >= 0:
            return newline
        return self._limit if self._at_end else None

    def _without_return(self, place: int, newline: int) -> int:
        return newline - 1 if newline > place and self._data[newline - 1] == _RETURN else newline

    def _unterminated(self, start: int, cell: int) -> Record:
        newline = self._data.find(b"\n", start, self._limit)
        after, newline = (self._limit, self._limit) if newline < 0 else (newline + 1, newline)
        message = f"the quote that opens cell {cell} is not closed"
        return Record(after, self._without_return(start, newline), [], RejectCode.UNTERMINATED_QUOTE, message)


class _Step(NamedTuple):
    """Where the next cell begins (None: the record is over), else the record's end and the next."""

    place: int | None
    end: int = 0
    after: int = 0
    fault: tuple[RejectCode, str] | None = None
