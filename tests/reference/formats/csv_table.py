"""Rows of a CSV text with their numbers, by the csv module; blank lines and repeated headers are no rows."""

import csv
import io
from collections.abc import Iterator

csv.field_size_limit(1 << 24)


def rows(data: bytes) -> Iterator[tuple[int, dict[str, str] | None]]:
    """(number, cells by column name); None where the row has not as many cells as the header."""
    reader = csv.reader(io.StringIO(data.decode().removeprefix("\ufeff"), newline=""), strict=True)
    header: list[str] | None = None
    number = 0
    for cells in reader:
        if not cells:
            continue
        if header is None:
            header = cells
            continue
        if cells == header:
            continue
        number += 1
        yield number, dict(zip(header, cells, strict=True)) if len(cells) == len(header) else None


def has_controls(text: str, allowed: str = "") -> bool:
    """ASCII control characters, which no used field may hold."""
    return any((ord(each) < 0x20 or ord(each) == 0x7F) and each not in allowed for each in text)
