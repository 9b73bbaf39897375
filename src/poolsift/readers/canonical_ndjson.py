"""Canonical NDJSON: one object a line with record column names; ``""`` and ``"<>"`` in ``mail_from``
are the null reverse-path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from poolsift.readers.base import Format, ReadOptions
from poolsift.readers.batches import build_batches
from poolsift.readers.canonical_columns import looks_canonical, note_misspelt, records
from poolsift.readers.json_lines import JsonLines
from poolsift.records import PLACE_TYPES, RECORD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from poolsift.readers.base import Row
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

#: Objects looked at to find the extra columns: their names must be known before the first batch.
_HEAD_LINES = 1_000


def first_objects(head: bytes, most: int = 10) -> list[dict[str, object]]:
    """The objects on the first lines of an NDJSON file; a line cut by the end of ``head`` is left out."""
    found = []
    for line in head.split(b"\n", most)[:most]:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def sniff(head: bytes) -> bool:
    """Whether the first objects have record column names."""
    return head.lstrip(b" \t\r\n").startswith(b"{") and any(map(looks_canonical, first_objects(head)))


def read(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """Batches of the file. Extra fields are those of the first lines; a later one is counted in a note."""
    others: dict[str, None] = {}
    for value in first_objects(source.head(), _HEAD_LINES):
        others.update(dict.fromkeys(name for name in value if name not in _KNOWN))
    note_misspelt(others, report)
    if not options.extra:
        others.clear()
    lines = JsonLines(
        source.blocks(options.block_bytes), report, options, keys=(*RECORD_COLUMNS, *others), path=source.name
    )
    rows = _values(lines, others, report, extra=options.extra)
    return build_batches(records(rows, report), report, options, tuple(others))


_KNOWN = frozenset((*RECORD_COLUMNS, *PLACE_TYPES))


def _values(
    lines: JsonLines, others: Mapping[str, None], report: FileReport, *, extra: bool
) -> Iterator[tuple[Row, Mapping[str, object], Mapping[str, str | None]]]:
    for place in lines:
        value: dict[str, object] = place.value
        if extra:
            late = value.keys() - others.keys() - _KNOWN
            if late:
                report.note(f"extra field seen only after the first lines, left out: {min(late)!r}")
        yield place, value, {name: _verbatim(value.get(name)) for name in others}


def _verbatim(value: object) -> str | None:
    """A text as it stands, null as null, anything else as JSON."""
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


FORMAT = Format(
    name="ndjson",
    title="canonical NDJSON",
    where="made by your own tools: one JSON object a line with the record column names",
    limits="what an object does not name is not recorded",
    predict=True,
    observe=True,
    folds=False,
    sniff=sniff,
    read=read,
)
