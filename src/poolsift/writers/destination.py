"""Which output ``-o`` means: standard output, a file or a directory; and output to a pipe."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from poolsift.errors import OutputError, UsageError
from poolsift.writers import open_writer, output_format
from poolsift.writers.columns import conform
from poolsift.writers.durable import naming
from poolsift.writers.publish import DirectoryOutput, Output, SingleFileOutput

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from poolsift.writers import Writer
    from poolsift.writers.durable import Part


class StreamOutput(Output):
    """A pipe: rows go out at once and cannot be taken back; no manifest."""

    revocable = False

    def __init__(self, sink: IO[bytes], to: str, *, raw_csv: bool = False) -> None:
        super().__init__(to)
        self._sink = sink
        self._raw_csv = raw_csv
        self._writer: Writer | None = None
        self._schema: pa.Schema | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""
        if self._writer is None:
            self._schema = batch.schema
            with naming(Path("-")):
                self._writer = open_writer(self.to, self._sink, batch.schema, raw_csv=self._raw_csv, stream=True)
        assert self._schema is not None
        fitting = conform(batch, self._schema)
        if fitting is None:
            raise OutputError("new_columns", "rows after the first batch have further columns; choose --columns key")
        with naming(Path("-")):
            self._writer.write(fitting)
        self.records += batch.num_rows

    def finish(self) -> list[Part]:
        """Write what remains."""
        with naming(Path("-")):
            if self._writer is not None:
                self._writer.close()
            self._sink.flush()
        return []

    def commit(self, manifest: Mapping[str, object]) -> None:
        """Nothing to publish."""

    def abort(self) -> None:
        """What went out is out."""


def open_output(out: str | os.PathLike[str], to: str | None, *, raw_csv: bool = False) -> Output:
    """The output for ``-o``: ``-`` is standard output, a name with a known ending a file, anything else a directory."""
    text = os.fspath(out)
    if not text or not text.isprintable():
        raise UsageError("not a usable name", key="-o", found=ascii(text), expected="printable characters in UTF-8")
    if text == "-":
        chosen = output_format(to, None, "ndjson")
        return StreamOutput(standard_output(), chosen, raw_csv=_allowed(chosen, raw_csv))
    path = Path(text)
    looks_like_file = not path.is_dir() and not text.endswith("/") and path.suffix != ""
    chosen = output_format(to, text if looks_like_file else None, "parquet")
    raw_csv = _allowed(chosen, raw_csv)
    if looks_like_file:
        return SingleFileOutput(path, chosen, raw_csv=raw_csv)
    return DirectoryOutput(path, chosen, raw_csv=raw_csv)


def standard_output() -> IO[bytes]:
    """Standard output that writes all it is given.

    ``sys.stdout.buffer`` does not under PYTHONUNBUFFERED: it is then a raw file, whose ``write`` may take a part only.
    """
    if sys.stdout is None:
        raise OutputError("closed", "standard output is closed", "-")
    return open(sys.stdout.fileno(), "wb", closefd=False)


def _allowed(to: str, raw_csv: bool) -> bool:
    if raw_csv and to != "csv":
        raise UsageError("has no effect", key="--raw-csv", found=f"output format {to}", expected="--to csv")
    return raw_csv
