"""Strict reading of a user's TOML: every error names file, line, key, found, expected and the nearest key."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import msgspec

from poolsift.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

#: A million accepted domains take some 30 MB; anything larger is the wrong file.
MAX_BYTES = 64 << 20

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")
_INLINE_KEY = r"""(?:^|[{{,\s"']){}["']?\s*="""
_AT = re.compile(r" - at `(?P<key>key in )?\$?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<field>[^`]*)`")
_MISSING = re.compile(r"^Object missing required field `(?P<field>[^`]*)`")
_WRONG_TYPE = re.compile(r"^Expected `(?P<expected>[^`]*)`, got `(?P<found>[^`]*)`")
_PATH_PART = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_TOML_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "a table",
    "date": "a date",
    "datetime": "a date and time",
    "null": "nothing",
}


class TomlText:
    """One TOML file: its text, where its keys are, and errors that say so."""

    def __init__(self, text: str, path: str, error: type[UsageError]) -> None:
        self.text = text
        self.whole = text  #: what lines are looked for in
        self.path = path
        self.error = error
        self._lines: list[str] | None = None
        self._places: dict[KeyPath, int] | None = None

    @classmethod
    def read(cls, path: str, error: type[UsageError]) -> TomlText:
        """The file at ``path``, refused when unreadable, too large or not UTF-8."""
        try:
            with open(path, "rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as problem:
            raise error(problem.strerror or str(problem), path=path) from problem
        if len(raw) > MAX_BYTES:
            raise error("the file is too large", path=path, expected=f"at most {MAX_BYTES} bytes")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as problem:
            line = raw.count(b"\n", 0, problem.start) + 1
            raise error("not UTF-8", path=path, line=line, found=f"byte 0x{raw[problem.start]:02x}") from problem
        return cls(text, path, error)

    def parse(self) -> dict[str, Any]:
        """The parsed document; syntax errors name the line."""
        if self.text.startswith("\ufeff"):
            raise self.error("byte order mark", path=self.path, line=1, expected="UTF-8 without byte order mark")
        try:
            return tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as problem:
            message = str(problem)
            found = _TOML_LINE.search(message)
            line = int(found[1]) if found else self.text.count("\n") + 1
            raise self.error(f"not valid TOML: {message}", path=self.path, line=line) from problem
        except RecursionError:
            raise self.error("nested too deep", path=self.path, expected="tables and lists as documented") from None
        except ValueError as problem:
            # tomllib lets Python's limit on the digits of a number through, and dates that no calendar has
            raise self.error(f"not valid TOML: {problem}", path=self.path) from problem

    def convert(self, data: dict[str, Any], kind: type[T], known: Iterable[str]) -> T:
        """``data`` as ``kind``; ``known`` keys serve for the nearest spelling."""
        try:
            return msgspec.convert(data, kind)
        except msgspec.ValidationError as problem:
            self._translate(str(problem), data, known, problem)

    def _translate(self, message: str, data: dict[str, Any], known: Iterable[str], cause: Exception) -> NoReturn:
        place = _AT.search(message)
        path = _key_path(place["path"]) if place else ()
        if unknown := _UNKNOWN.match(message):
            field = unknown["field"]
            near = nearest(field, known)
            self.fail("unknown key", (*path, field), found=field, nearest=near, cause=cause)
        if missing := _MISSING.match(message):
            self.fail("missing key", path, expected=missing["field"], cause=cause)
        if wrong := _WRONG_TYPE.match(message):
            found = f"{_type_word(wrong['found'])} {_shown(_value_at(data, path))}".strip()
            self.fail("wrong type", path, found=found, expected=_type_word(wrong["expected"]), cause=cause)
        plain = message[: place.start()] if place else message
        self.fail(plain, path, found=_shown(_value_at(data, path)), cause=cause)

    def fail(
        self,
        message: str,
        path: KeyPath,
        *,
        found: str | None = None,
        expected: str | None = None,
        nearest: str | None = None,
        needle: str | None = None,
        cause: Exception | None = None,
    ) -> NoReturn:
        """Raises this file's error for the key at ``path``; ``needle`` is text to find below that key."""
        raise self.error(
            message,
            path=self.path,
            line=self.line_of(path, needle),
            key=key_text(path) or None,
            found=found,
            expected=expected,
            nearest=nearest,
        ) from cause

    def line_of(self, path: KeyPath, needle: str | None = None, occurrence: int = 1) -> int | None:
        """The line (from 1) of the key at ``path``, or of the n-th ``needle`` at or after it."""
        if self._lines is None or self._places is None:
            self._lines = self.whole.split("\n")
            self._places = _places(self._lines)
        depth = len(path)
        while depth and path[:depth] not in self._places:
            depth -= 1
        start = self._places.get(path[:depth])
        if needle is None and depth < len(path):
            words = [part for part in path[depth:] if isinstance(part, str)]
            return self._search(start or 1, re.compile(_INLINE_KEY.format(re.escape(words[-1])))) if words else start
        if needle is None:
            return start
        return self._search(start or 1, re.compile(re.escape(needle)), occurrence)

    def _search(self, start: int, pattern: re.Pattern[str], occurrence: int = 1) -> int | None:
        lines = cast("list[str]", self._lines)
        for number in range(start, len(lines) + 1):
            occurrence -= len(pattern.findall(lines[number - 1]))
            if occurrence <= 0:
                return number
        return start


class LongLists:
    """Long lists of plain names, taken out of a text before the TOML parser sees them.

    The parser needs some four seconds for a million names, this takes a third of one. ``shortened`` has
    a mark in the place of each list and as many lines; texts below 1 MB and texts with multi-line
    strings, where a list might be quoted, stay as they are.
    """

    _SHORT = 1 << 20
    _LIST = re.compile(
        r"^([ \t]*accepted_domains[ \t]*=[ \t]*)"
        r'\[(?:\s*+"[A-Za-z0-9._-]*+"\s*+,)++\s*+(?:"[A-Za-z0-9._-]*+")?+\s*+\]',
        re.MULTILINE,
    )
    _NAME = re.compile(r'"([^"]*)"')

    def __init__(self, text: TomlText) -> None:
        self._lists: list[list[str]] = []
        self.shortened = text
        if len(text.text) >= self._SHORT and '"""' not in text.text and "'''" not in text.text:
            self.shortened = TomlText(self._LIST.sub(self._take, text.text), text.path, text.error)
            self.shortened.whole = text.text

    def _take(self, found: re.Match[str]) -> str:
        whole = found[0][found.end(1) - found.start() :]
        self._lists.append(self._NAME.findall(whole))
        newlines = "\n" * whole.count("\n")
        return f'{found[1]}["!{len(self._lists) - 1}"{newlines}]'

    def taken(self, mark: str) -> list[str] | None:
        """The list behind a mark; None when the text is none of the marks made here."""
        number = mark.removeprefix("!")
        if number == mark or not number.isdecimal() or int(number) >= len(self._lists):
            return None
        return self._lists[int(number)]


def key_text(path: KeyPath) -> str:
    """``tenant[0].gateway[1].prefixes`` for a key path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _key_path(text: str) -> KeyPath:
    parts: list[str | int] = []
    for name, index in _PATH_PART.findall(text):
        if name:
            parts.append(name)
        elif index != "...":
            parts.append(int(index))
    return tuple(parts)


def _type_word(names: str) -> str:
    words = [name.strip() for name in names.split("|")]
    return " or ".join(_WORDS.get(word, word) for word in words if word != "null" or len(words) == 1)


def _value_at(data: Any, path: KeyPath) -> Any:
    for part in path:
        is_element = isinstance(part, int) and isinstance(data, list) and part < len(data)
        if not is_element and not (isinstance(data, dict) and part in data):
            return None
        data = data[part]
    return data


def _shown(value: Any) -> str:
    return "" if value is None else repr(value)[:80]


def _split(key: str) -> list[str]:
    return [part.strip("\"'") for part in _KEY_PART.findall(key)]


def _places(lines: list[str]) -> dict[KeyPath, int]:
    """Key path → line of every table header and key; array elements count from 0."""
    places: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for number, line in enumerate(lines, 1):
        if line.find("=") < 0 and line.find("[") < 0:
            continue
        if header := _HEADER.match(line):
            table = _table_path(_split(header[2]), counts, is_array=header[1] == "[[")
            places.setdefault(table, number)
            places.setdefault(table[:-1] if isinstance(table[-1], int) else table, number)
        elif key := _KEY.match(line):
            places.setdefault((*table, *_split(key[1])), number)
    return places


def _table_path(parts: list[str], counts: dict[KeyPath, int], *, is_array: bool) -> KeyPath:
    path: KeyPath = ()
    for part in parts[:-1]:
        path = (*path, part)
        if path in counts:
            path = (*path, counts[path])
    path = (*path, parts[-1])
    if is_array:
        counts[path] = counts.get(path, -1) + 1
        path = (*path, counts[path])
    return path


def known_keys(*kinds: type[msgspec.Struct]) -> tuple[str, ...]:
    """All field names of the given structs."""
    return tuple(field for kind in kinds for field in kind.__struct_fields__)


def table_keys(table: Mapping[str, object]) -> str:
    """The keys of a table in words, for an error's *expected*."""
    return ", ".join(table)
