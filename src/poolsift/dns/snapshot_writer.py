"""Writes a snapshot name by name, in bounded memory, to a file that appears only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from poolsift.dns.snapshot_form import BATCH_ROWS, compact, open_table_writer, snapshot_schema
from poolsift.errors import OutputError
from poolsift.writers.durable import HashedFile, naming, sync_directory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.dns.answers import Answer


class SnapshotWriter:
    """Rows come name by name in the order of their bytes; ``finish`` puts the file under its name.

    Parquet for ``.parquet``, else Arrow IPC; the same rows and manifest give the bytes of ``Snapshot.write``.
    """

    def __init__(self, path: str, manifest: Mapping[str, str]) -> None:
        self.path = Path(path)
        self.rows = 0
        self._schema = snapshot_schema(manifest)
        self._temporary = self.path.with_name(f".tmp-{self.path.name}")
        self._file = HashedFile(self._temporary)
        self._writer = open_table_writer(path, self._file, self._schema)
        self._columns: list[list[Any]] = [[] for _ in self._schema]
        self._last = ""

    def add(self, name: str, answers: Mapping[str, Answer]) -> None:
        """The answers of one name, a row a type."""
        if name <= self._last:
            raise OutputError("not_sorted", f"{name!r} came after {self._last!r}", str(self.path))
        self._last = name
        for rdtype in sorted(answers):
            one = answers[rdtype]
            row = (name, rdtype, str(one.status), one.reason, one.ttl, one.asked_at, one.confirmed, list(one.rdata))
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
            self.rows += 1
            if len(self._columns[0]) == BATCH_ROWS:
                self._flush()

    def finish(self) -> str:
        """The file is safe on disk under its name; its sha256."""
        self._flush()
        self._writer.close()
        self._file.sync_and_close()
        with naming(self.path):
            os.replace(self._temporary, self.path)
        sync_directory(self.path.absolute().parent)
        return self._file.sha256

    def abandon(self) -> None:
        """Leave nothing behind."""
        self._file.discard()
        self._writer.close()
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._columns[0]:
            arrays = [pa.array(column, field.type) for column, field in zip(self._columns, self._schema, strict=True)]
            self._writer.write(compact(pa.RecordBatch.from_arrays(arrays, schema=self._schema)))
            self._columns = [[] for _ in self._schema]
