"""Arrow IPC output: the file form on disk, the stream form on a pipe."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pathlib import Path


class ArrowWriter:
    """Writes each batch as it comes."""

    def __init__(self, sink: IO[bytes], schema: pa.Schema, *, stream: bool) -> None:
        open_ = pa.ipc.new_stream if stream else pa.ipc.new_file
        self._writer = open_(sink, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Write the end mark or the footer."""
        self._writer.close()

    def abandon(self) -> None:
        """Let go of everything."""
        self._writer.close()


def stored_rows(path: Path) -> int:
    """The rows of all batches that the footer lists."""
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        return sum(reader.get_batch(number).num_rows for number in range(reader.num_record_batches))
