"""Parquet output: zstd, page checksums, row groups of 2^20 rows, dictionaries where values repeat."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

ROW_GROUP_ROWS: Final = 1 << 20

#: A row group also ends here, so that wide rows do not fill the memory.
ROW_GROUP_BYTES: Final = 192 << 20

#: Columns of few distinct values besides those that are dictionaries already.
_REPEATING: Final = frozenset(
    {"input", "tenant_id", "direction", "kind", "status", "status_code", "connector", "sender_domain"}
    | {"outbound_ip_pool_name", "spf", "dkim", "dmarc"}
)


class ParquetWriter:
    """Collects batches into row groups whose bounds depend on the rows alone."""

    def __init__(self, sink: IO[bytes], schema: pa.Schema) -> None:
        repeating = [f.name for f in schema if pa.types.is_dictionary(f.type) or f.name in _REPEATING]
        self._writer = pq.ParquetWriter(
            sink,
            schema,
            compression="zstd",
            use_dictionary=repeating,
            write_page_checksum=True,
            version="2.6",
        )
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        while batch.num_rows:
            piece = batch.slice(0, ROW_GROUP_ROWS - self._rows)
            self._pending.append(piece)
            self._rows += piece.num_rows
            self._bytes += piece.nbytes
            if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
                self._flush()
            batch = batch.slice(piece.num_rows)

    def close(self) -> None:
        """Write the last row group and the footer."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Close without the rows that wait: compressing them could take a second."""
        self._pending.clear()
        self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending), row_group_size=ROW_GROUP_ROWS)
        self._pending.clear()
        self._rows = self._bytes = 0


def stored_rows(path: Path) -> int:
    """The row count of the footer."""
    rows: int = pq.read_metadata(path).num_rows
    return rows
