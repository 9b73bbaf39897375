"""Objects of an NDJSON file with their places, strict in structure and in the fields that are used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NoReturn

import orjson

from poolsift.errors import InputError
from poolsift.readers.base import ReadOptions, Row
from poolsift.readers.lines import LineBuffer
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poolsift.readers.rejects import FileReport

#: Nesting beyond this is refused: no log nests deeper, and what follows it recursively must end.
MAX_DEPTH: Final = 64
#: What JSON takes as white space inside a line.
_BLANK: Final = b" \t\r"
#: A quote before white space may close a key; one after two backslashes closes a text or is escaped.
_ODD_QUOTES: Final = (b'" ', b'"\t', b'"\r', b'\\\\":')


class JsonLines:
    """The objects of one file. ``keys``: names of the fields that are used, at any depth; a row in
    which one of them stands twice in one object is rejected (orjson would keep the last).

    Counts every row into the report. Damage of the file is raised after the rows before it.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        report: FileReport,
        options: ReadOptions | None = None,
        *,
        keys: Iterable[str],
        path: str | None = None,
    ) -> None:
        self._options = options or ReadOptions()
        self._report = report
        self._path = path or report.input
        self._keys = frozenset(keys)
        self._buffer = LineBuffer(blocks, self._options.max_row)
        self._row = 0

    def __iter__(self) -> Iterator[Row]:
        buffer, report = self._buffer, self._report
        while (line := buffer.line()) is not None:
            raw = line.rstrip(b"\r")
            if not raw.strip(_BLANK):
                report.skip("blank_lines")
                continue
            if buffer.too_long and buffer.failure is not None:
                break
            self._row += 1
            report.rows += 1
            if buffer.too_long:
                self._reject(raw, RejectCode.ROW_LIMIT, f"row longer than {self._options.max_row} bytes")
                continue
            value = self._object(raw)
            if value is not None:
                yield Row(self._row, buffer.number, buffer.offset, value, raw)
        if buffer.failure is not None:
            raise buffer.failure
        if not buffer.ended:
            report.note("no_final_newline: the last line may have been cut")

    def _object(self, raw: bytes) -> dict[str, object] | None:
        """The line's object; None when it was rejected."""
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            self._broken(raw, error)
            return None
        if not isinstance(value, dict):
            if self._row == 1 and isinstance(value, list) and value and isinstance(value[0], dict):
                self._refuse_array()
            self._reject(raw, RejectCode.NOT_OBJECT, f"an object is due, found {_kind(value)}")
            return None
        if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
            self._reject(raw, RejectCode.JSON_DEPTH, f"nested deeper than {MAX_DEPTH}")
            return None
        if _may_repeat(raw, value):
            double = _repeated_key(raw, self._keys)
            if double is not None:
                self._reject(raw, RejectCode.DUPLICATE_KEY, "stands twice in one object", double)
                return None
        return value

    def _broken(self, raw: bytes, error: orjson.JSONDecodeError) -> None:
        if self._row == 1 and raw.lstrip(_BLANK).startswith(b"["):
            self._refuse_array()
        if not self._buffer.ended:
            self._report.truncated = True
            self._reject(raw, RejectCode.TRUNCATED, "the file ends inside this line")
            return
        # orjson's own words; its cap on nesting (1,024) and bad UTF-8 have codes of their own.
        code = RejectCode.JSON_SYNTAX
        if "depth" in error.msg.lower():
            code = RejectCode.JSON_DEPTH
        elif not _is_utf8(raw):
            code = RejectCode.UTF8
        self._reject(raw, code, f"{error.msg} (column {error.colno})")

    def _refuse_array(self) -> NoReturn:
        self._report.rows -= 1  # a file that is refused as a whole has no rows
        message = "JSON array, not NDJSON: write one object a line (jq -c '.[]')"
        raise InputError("json_array", message, self._path, self._buffer.offset)

    def _reject(self, raw: bytes, code: RejectCode, message: str, field: str | None = None) -> None:
        self._report.reject(
            row=self._row, line=self._buffer.number, byte_offset=self._buffer.offset,
            field=field, code=code, message=message, raw=raw,
        )  # fmt: skip


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", str: "a string", list: "an array"}
    return names.get(type(value), "a number")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _depth(value: object) -> int:
    """How deep a parsed value nests; orjson's own cap keeps the levels below 1,024."""
    depth, level = 0, [value]
    while level:
        depth += 1
        below: list[object] = []
        for entry in level:
            if isinstance(entry, dict):
                below += entry.values()
            elif isinstance(entry, list):
                below += entry
        level = [entry for entry in below if isinstance(entry, dict | list)]
    return depth


def _may_repeat(raw: bytes, value: dict[str, object]) -> bool:
    """Whether the text holds more keys than the object: only then can one stand twice.

    A key's closing quote is followed by a colon or by white space, so the number of such quotes is
    never below the number of keys in the text. Escapes may raise it above: they are taken out
    before the second count.
    """
    keys = len(value) if raw.count(b"{") == 1 else _count_keys(value)
    if not any(odd in raw for odd in _ODD_QUOTES):
        # Each key is a quote, not escaped, right before a colon; an escaped quote has one backslash.
        if raw.count(b'":') - raw.count(b'\\":') == keys:
            return False
    elif _quotes_before_colon(raw) == keys:
        return False
    if b"\\" not in raw:
        return True
    return _quotes_before_colon(raw.replace(b"\\\\", b"").replace(b'\\"', b"")) != keys


def _quotes_before_colon(raw: bytes) -> int:
    return raw.count(b'":') + raw.count(b'" ') + raw.count(b'"\t') + raw.count(b'"\r')


def _count_keys(value: object) -> int:
    """How many keys a parsed value holds at all depths."""
    count = 0
    entries: Iterable[object] = ()
    if isinstance(value, dict):
        count, entries = len(value), value.values()
    elif isinstance(value, list):
        entries = value
    for entry in entries:
        kind = type(entry)  # orjson makes no subclasses, and isinstance costs four times as much here
        if kind is dict or kind is list:
            count += _count_keys(entry)
    return count


def _repeated_key(raw: bytes, used: frozenset[str]) -> str | None:
    """The first used key that stands twice in one object."""
    doubles: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        seen: set[str] = set()
        for key, _value in pairs:
            if key in seen and key in used:
                doubles.append(key)
            seen.add(key)

    json.loads(raw, object_pairs_hook=look)
    return doubles[0] if doubles else None
