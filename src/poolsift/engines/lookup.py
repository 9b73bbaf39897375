"""Finds records of a finished run again, and the input row that each began with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from poolsift.engines.finished import read_manifest
from poolsift.errors import InputError, UsageError
from poolsift.readers import load_format
from poolsift.readers.base import ReadOptions
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source
from poolsift.writers.columns import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH_ROWS: Final = 65_536


class FinishedRun:
    """An output with its manifest. Raises UsageError where there is none."""

    def __init__(self, out: str) -> None:
        self.directory, self.manifest = read_manifest(out)
        written = self.manifest["options"]["to"]
        if written == "csv":
            raise UsageError("cannot be looked up", path=out, found="csv", expected="parquet, arrow or ndjson")
        if self.manifest["options"]["columns"] == "verdict":
            raise UsageError("does not name its rows", path=out, found="--columns verdict", expected="key or all")

    def record(self, number: int) -> dict[str, Any]:
        """The ``number``-th record of the output, from 1."""
        first = 1
        for part in self.manifest["outputs"]:
            if number < first + part["rows"]:
                for batch in self._batches(part["name"]):
                    if number < first + batch.num_rows:
                        found: dict[str, Any] = batch.slice(number - first, 1).to_pylist()[0]
                        return found
                    first += batch.num_rows
            first += part["rows"]
        raise UsageError("no such record", key="--row", found=str(number), expected=f"1 to {first - 1}")

    def records_of(self, message_id: str, limit: int) -> list[dict[str, Any]]:
        """Up to ``limit`` records of one message, by message id or network message id (dashes ignored)."""
        found: list[dict[str, Any]] = []
        network = message_id.replace("-", "").lower()
        for part in self.manifest["outputs"]:
            for batch in self._batches(part["name"]):
                plain = pc.ascii_lower(pc.replace_substring(batch.column("network_message_id"), "-", ""))
                same = pc.or_kleene(pc.equal(batch.column("message_id"), message_id), pc.equal(plain, network))
                found += batch.filter(same).slice(0, limit - len(found)).to_pylist()
                if len(found) >= limit:
                    return found
        if not found:
            raise UsageError("no such message", key="--message-id", found=repr(message_id))
        return found

    def input_row(self, name: str, row: int) -> tuple[dict[str, Any] | None, str | None]:
        """The record that a reader makes of one input row today, and a remark when it cannot or has changed."""
        entry = next((entry for entry in self.manifest["inputs"] if entry["name"] == name), None)
        if entry is None or entry.get("format") is None or name == "-":
            return None, f"{name} cannot be read again"
        try:
            size = os.stat(name).st_size
        except OSError:
            return None, f"{name} is gone; shown is what the output kept"
        remark = None if size == entry["bytes"] else f"{name} has changed since the run"
        try:
            found = _row(Source(name), load_format(entry["format"]).read, row)
        except InputError as error:
            return None, str(error)
        return found, remark if found is not None else f"{name} has no row {row} any more"

    def _batches(self, name: str) -> Iterator[pa.RecordBatch]:
        path = self.directory / name
        try:
            if self.manifest["options"]["to"] == "parquet":
                yield from pq.ParquetFile(path, page_checksum_verification=True).iter_batches(_BATCH_ROWS)
            elif self.manifest["options"]["to"] == "arrow":
                with pa.OSFile(str(path)) as file:
                    reader = pa.ipc.open_file(file)
                    yield from (reader.get_batch(place) for place in range(reader.num_record_batches))
            else:
                with path.open("rb") as lines:
                    yield from _parsed(lines)
        except (OSError, pa.ArrowException, orjson.JSONDecodeError) as error:
            raise InputError("output_damaged", f"cannot be read: {error}", str(path)) from error


def _row(source: Source, read: Any, row: int) -> dict[str, Any] | None:
    with source:
        for batch in read(source, FileReport(source.name), ReadOptions()):
            same = batch.filter(pc.equal(batch.column("row"), row))
            if same.num_rows:
                found: dict[str, Any] = same.to_pylist()[0]
                return found
    return None


def _parsed(lines: Any) -> Iterator[pa.RecordBatch]:
    """NDJSON as this program writes it, line by line."""
    for line in lines:
        values = orjson.loads(line)
        arrays = [pa.array([value], None if value is not None else pa.string()) for value in values.values()]
        fields = [pa.field(name, array.type) for name, array in zip(values, arrays, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=METADATA))
