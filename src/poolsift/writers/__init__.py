"""The output formats: one writer each, chosen by name or by the ending of a file name."""

from __future__ import annotations

from importlib import import_module
from typing import IO, TYPE_CHECKING, Final, Protocol

from poolsift.errors import UsageError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

#: Rows of one part of an output directory.
PART_ROWS: Final = 1 << 22

#: Output format → ending of its parts.
ENDINGS: Final = {"parquet": ".parquet", "arrow": ".arrow", "ndjson": ".ndjson", "csv": ".csv"}

_OTHER_ENDINGS: Final = {".feather": "arrow", ".ipc": "arrow", ".jsonl": "ndjson"}


class Writer(Protocol):
    """Writes batches of one schema to an open binary file that it does not close."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch."""

    def close(self) -> None:
        """Write what remains, footer included."""

    def abandon(self) -> None:
        """Let go of everything; what the file then holds is of no use."""


def open_writer(to: str, sink: IO[bytes], schema: pa.Schema, *, raw_csv: bool = False, stream: bool = False) -> Writer:
    """The writer of format ``to``. ``stream``: the reader cannot seek (Arrow then uses its stream form)."""
    module = import_module(f"poolsift.writers.{to}")
    if to == "csv":
        writer: Writer = module.CsvWriter(sink, schema, raw=raw_csv)
    elif to == "arrow":
        writer = module.ArrowWriter(sink, schema, stream=stream)
    else:
        writer = (module.ParquetWriter if to == "parquet" else module.NdjsonWriter)(sink, schema)
    return writer


def stored_rows(to: str, path: Path) -> int | None:
    """How many rows a written file says it holds; None where the format does not say."""
    if to not in {"parquet", "arrow"}:
        return None
    rows: int = import_module(f"poolsift.writers.{to}").stored_rows(path)
    return rows


def output_format(to: str | None, file_name: str | None, default: str) -> str:
    """The format asked for, else that of the file's ending, else ``default``; refuses two that differ."""
    if to is not None and to not in ENDINGS:
        raise UsageError(
            "unknown output format", key="to", found=to, expected=", ".join(ENDINGS), nearest=nearest(to, ENDINGS)
        )
    by_ending = None
    if file_name is not None:
        endings = {ending: name for name, ending in ENDINGS.items()} | _OTHER_ENDINGS
        by_ending = next((name for ending, name in endings.items() if file_name.endswith(ending)), None)
    if to is not None and by_ending is not None and to != by_ending:
        raise UsageError(f"the output file's name says {by_ending}", path=file_name, key="to", found=to)
    return to or by_ending or default
