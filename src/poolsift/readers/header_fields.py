"""The fields of one header block: unfolded, in order, duplicates kept, found by name in any case."""

from __future__ import annotations

import re
from typing import NamedTuple

from poolsift.readers.rejects import RejectCode

#: The longest field, its name and line ends included; a longer one is rejected with its message.
MAX_FIELD = 256 << 10

# RFC 5322 §2.2: a name is printable ASCII without the colon; §4.5.8 allows blanks before the colon.
_FIELD = re.compile(rb"^([!-9;-~]{1,255}+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?", re.MULTILINE)
_FOLD = re.compile(rb"\r?\n")


class HeaderField(NamedTuple):
    """One field: where it stands among all, and its unfolded value without outer blanks.

    Bytes that are not UTF-8 are kept as lone surrogates.
    """

    position: int
    value: str


class HeaderFields:
    """The fields of a block, unfolded when asked for; ``odd_lines``: some lines belong to no field."""

    def __init__(self, folded: dict[str, list[tuple[int, bytes]]], count: int, *, odd_lines: bool) -> None:
        self._folded = folded
        self.count = count
        self.odd_lines = odd_lines

    def all(self, name: str, after: int = -1) -> list[HeaderField]:
        """The fields of that (lower-case) name below position ``after``, topmost first."""
        found = self._folded.get(name, ())
        return [HeaderField(position, _unfold(value)) for position, value in found if position > after]

    def first(self, name: str, after: int = -1) -> str | None:
        """The value of the topmost field of that name below ``after``; None when there is none."""
        return next((_unfold(value) for position, value in self._folded.get(name, ()) if position > after), None)

    def has(self, name: str, after: int = -1) -> bool:
        """True if a field of that name stands below ``after``."""
        return any(position > after for position, _ in self._folded.get(name, ()))


class FieldsError(ValueError):
    """A block that is not a mail header: ``code`` is a reject code, ``field`` a name or None."""

    def __init__(self, code: RejectCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


def parse_fields(block: bytes) -> HeaderFields:
    """The fields of a header block; FieldsError when it has none or one that is too long."""
    folded: dict[str, list[tuple[int, bytes]]] = {}
    count = covered = 0
    for match in _FIELD.finditer(block):
        covered += match.end() - match.start()
        name = match.group(1).decode("ascii").lower()
        if match.end() - match.start() > MAX_FIELD:
            message = f"the field has {match.end() - match.start()} bytes; at most {MAX_FIELD} are read"
            raise FieldsError(RejectCode.CELL_LIMIT, message, name)
        folded.setdefault(name, []).append((count, match.group(2)))
        count += 1
    if count == 0:
        raise FieldsError(RejectCode.STRUCTURE, "no header field found; expected lines of the form 'Name: value'")
    return HeaderFields(folded, count, odd_lines=covered != len(block))


def _unfold(value: bytes) -> str:
    """The value on one line (RFC 5322 §2.2.3); tabs become spaces."""
    text = _FOLD.sub(b"", value).decode("utf-8", "surrogateescape")
    return text.replace("\t", " ").strip(" \r")
