"""NDJSON output: one object a line, every column present, times in RFC 3339 with ``Z``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import pyarrow as pa

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class NdjsonWriter:
    """Writes each row of a batch as one line."""

    def __init__(self, sink: IO[bytes], _schema: pa.Schema) -> None:
        self._sink = sink

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        names = batch.schema.names
        columns = [column.to_pylist() for column in batch.columns]
        rows = zip(*columns, strict=True)
        lines = (orjson.dumps(dict(zip(names, row, strict=True)), option=_OPTIONS) for row in rows)
        self._sink.write(b"".join(lines))

    def close(self) -> None:
        """Nothing remains."""

    def abandon(self) -> None:
        """Let go of everything."""
