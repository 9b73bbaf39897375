"""Which format a file has, by its content; the name of a file is never evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolsift.errors import InputError, UsageError, nearest
from poolsift.readers import FORMATS, iter_formats, load_format
from poolsift.readers.csv_rows import column_words, header_names

if TYPE_CHECKING:
    from poolsift.readers.base import Format


def detect(head: bytes, name: str) -> Format:
    """The first format that recognises ``head`` (see ``Source.head``); InputError ``format`` tells
    what was seen instead. A file without content is taken as CSV: it has no rows in any format.
    ``name`` is for the message only.
    """
    if not head.strip():
        return load_format("csv")
    for candidate in iter_formats():
        if candidate.sniff(head):
            return candidate
    message = f"no known format: {_seen(head)}; known: {', '.join(FORMATS)} (--format NAME overrides)"
    raise InputError("format", message, name)


def named_format(name: str) -> Format:
    """The format of that name (``--format``); UsageError with the nearest name."""
    if name not in FORMATS:
        raise UsageError(
            "unknown format",
            key="--format",
            found=repr(name),
            expected=", ".join(FORMATS),
            nearest=nearest(name, FORMATS),
        )
    return load_format(name)


def _seen(head: bytes) -> str:
    """What the first bytes look like, in words."""
    start = head.lstrip(b" \t\r\n")
    if start.startswith(b"["):
        return "a JSON array (write one object a line: jq -c '.[]')"
    if start.startswith(b"{"):
        return "JSON objects without the fields of any format"
    if start.startswith(b"<"):
        return "XML or HTML"
    columns = header_names(head)
    if len(columns) > 1:
        return f"CSV with the columns {column_words(columns[:12])}"
    line = start.split(b"\n", 1)[0]
    if mark := next((mark for mark in (b";", b"\t", b"|") if mark in line and line.isascii()), None):
        names = [name.decode() for name in line.split(mark)[:12]]
        return f"cells separated by {mark.decode()!r} where commas are due: {column_words(names)}"
    return "text with addresses and no header" if b"@" in line else f"begins with {line[:40]!r}"
