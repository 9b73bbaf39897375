"""CSV output (RFC 4180 quoting, UTF-8, LF): null is an empty cell, the null reverse-path is ``<>``.

Unless ``raw``, no cell can start a formula in a spreadsheet (OWASP ASVS 1.2.10): an apostrophe is put
before ``= + - @``, their full-width forms, tab, CR and NUL at the beginning of a cell and after ``;`` or
a line end inside it. One apostrophe is added also where apostrophes precede such a character, so that
taking one away gives back the value.
"""

from __future__ import annotations

from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

_FORMULA: Final = r"(^|[;\n\r])('*[=+\-@\t\r\x00＝＋－＠])"
_SAFE: Final = _FORMULA.replace("('*", "'('*")
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


def formula_safe(column: pa.Array) -> pa.Array:
    """Text that no spreadsheet takes for a formula."""
    return pc.replace_substring_regex(column, _FORMULA, r"\1'\2")


def formula_restored(column: pa.Array) -> pa.Array:
    """What ``formula_safe`` was given: one apostrophe is taken away wherever one was added."""
    return pc.replace_substring_regex(column, _SAFE, r"\1\2")


class CsvWriter:
    """Writes a header, then each batch."""

    def __init__(self, sink: IO[bytes], schema: pa.Schema, *, raw: bool) -> None:
        self._sink = sink
        self._raw = raw
        self._names = [str(name) for name in self._safe(pa.array(schema.names, pa.string())).to_pylist()]
        self._header_due = True

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        self._write([self._text(name, batch.column(name)) for name in batch.schema.names])

    def close(self) -> None:
        """Write the header when no batch came."""
        if self._header_due:
            self._write([pa.array([], pa.string())] * len(self._names))

    def abandon(self) -> None:
        """Let go of everything."""

    def _write(self, columns: list[pa.Array]) -> None:
        table = pa.table(columns, names=self._names)
        options = pa.csv.WriteOptions(include_header=self._header_due, quoting_style="needed")
        pa.csv.write_csv(table, self._sink, options)
        self._header_due = False

    def _text(self, name: str, column: pa.Array) -> pa.Array:
        if pa.types.is_timestamp(column.type):
            return pc.strftime(column, _TIME)
        if pa.types.is_dictionary(column.type):
            column = column.cast(pa.string())
        if not pa.types.is_string(column.type):
            return column
        if name == "mail_from":
            column = pc.if_else(pc.equal(column, ""), "<>", column)
        return self._safe(column)

    def _safe(self, column: pa.Array) -> pa.Array:
        return column if self._raw else formula_safe(column)
