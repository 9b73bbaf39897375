"""What went wrong in one file: rejected rows, field errors, notes, and the count of rows read."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a rejected row that are kept.
RAW_BYTES = 64 << 10
#: Rejects that a report keeps when nobody takes them from it.
KEPT_REJECTS = 1_000
#: Different notes a report keeps; a note is about the file, so more would be noise.
KEPT_NOTES = 100


class RejectCode(StrEnum):
    """Why a row was rejected. Words are stable: never renamed, never reused."""

    NOT_A_NAME = "not_a_name"  #: a row that names no domain
    NOT_OBJECT = "not_object"  #: an NDJSON line that is not an object
    JSON_SYNTAX = "json_syntax"  #: not JSON (RFC 8259)
    JSON_DEPTH = "json_depth"  #: nested too deep
    DUPLICATE_KEY = "duplicate_key"  #: a field that is used stands twice in one object
    TRUNCATED = "truncated"  #: the file ends inside this row
    QUOTE = "quote"  #: a quote inside a bare cell, or text after a closing quote
    UNTERMINATED_QUOTE = "unterminated_quote"  #: a quote that is not closed within the caps
    TOO_FEW_FIELDS = "too_few_fields"  #: fewer cells than the header names
    TOO_MANY_FIELDS = "too_many_fields"  #: more cells than the header names
    CELL_LIMIT = "cell_limit"  #: a cell above ``max_cell``
    ROW_LIMIT = "row_limit"  #: a row above ``max_row``
    UTF8 = "utf8"  #: bytes that are not UTF-8
    CONTROL_CHARACTER = "control_character"  #: an ASCII control character
    TYPE = "type"  #: another type than the field has
    TIMESTAMP = "timestamp"  #: not a time in a known form, or out of range
    NUMBER = "number"  #: not a whole number, or out of range
    BOOLEAN = "boolean"  #: neither true nor false
    LIST = "list"  #: several addresses where one is due
    STRUCTURE = "structure"  #: the row does not have the shape of its format


class Reject(NamedTuple):
    """A rejected row: where it stood, which field, why, and its bytes (at most 64 KiB)."""

    input: str
    row: int | None
    line: int | None
    byte_offset: int | None
    field: str | None
    code: str
    message: str
    raw: bytes


class FileReport:
    """The account of one file: ``rows`` read = records delivered + ``rejects``.

    The scanners (:mod:`csv_rows`, :mod:`json_lines`) add one to ``rows`` for each data row, also
    for those they reject; a reader that makes several records of one row adds the others
    (docs/choices.md, 31). ``sink`` takes each reject; without one the first 1,000 stay in ``kept``.
    """

    def __init__(self, name: str, sink: Callable[[Reject], None] | None = None) -> None:
        self.input = name
        self.rows = 0
        self.rejects = 0
        #: The file ends inside its last row: exit 5 unless the run allows truncated inputs.
        self.truncated = False
        self.reject_codes: Counter[str] = Counter()
        self.field_errors: Counter[str] = Counter()
        #: What was skipped without being a row: ``blank_lines``, ``header_repeats``, ``comments``.
        self.skipped: Counter[str] = Counter()
        self.notes: list[str] = []
        self.kept: list[Reject] = []
        self._sink = sink

    def reject(
        self,
        *,
        row: int | None,
        line: int | None = None,
        byte_offset: int | None = None,
        field: str | None = None,
        code: str,
        message: str,
        raw: bytes = b"",
    ) -> None:
        """Counts one rejected row and hands it on."""
        self.rejects += 1
        self.reject_codes[str(code)] += 1
        if self._sink is None and len(self.kept) >= KEPT_REJECTS:
            return
        found = Reject(self.input, row, line, byte_offset, field, str(code), message, bytes(raw[:RAW_BYTES]))
        (self.kept.append if self._sink is None else self._sink)(found)

    def field_error(self, field: str, count: int = 1) -> None:
        """Counts values of ``field`` that tell nothing; their rows stay."""
        self.field_errors[field] += count

    def note(self, text: str) -> None:
        """Keeps a remark about the whole file, once."""
        if text not in self.notes and len(self.notes) < KEPT_NOTES:
            self.notes.append(text)

    def skip(self, what: str) -> None:
        """Counts a line that is no row."""
        self.skipped[what] += 1
