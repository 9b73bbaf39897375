"""Where results go: a directory of parts, one file, or a pipe. Nothing appears before everything is safe.

Parts are written under temporary names; ``commit`` renames them all and writes the manifest last. Its
presence is the only mark of success. After ``abort``, or after being killed, no manifest is there and the
next run removes what is left.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import orjson
import pyarrow as pa

from poolsift.errors import OutputError, UsageError
from poolsift.writers import ENDINGS, PART_ROWS, open_writer, stored_rows
from poolsift.writers.columns import conform, widened
from poolsift.writers.durable import HashedFile, Lock, Part, naming, sync_directory, write_durably

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from poolsift.writers import Writer

MANIFEST: Final = "manifest.json"
REJECTS: Final = "rejects.ndjson"
#: What blocklists say of the output's addresses; of another run's, once the output is replaced.
BLOCKLISTS: Final = "blocklists.parquet"

_OURS: Final = re.compile(
    r"part-\d{5,}\.(parquet|arrow|ndjson|csv)|manifest\.json|rejects\.ndjson|blocklists\.parquet|\.lock|\.tmp-.*"
)


class _OpenPart:
    """A part that is being written."""

    def __init__(self, temporary: Path, name: str, to: str, schema: pa.Schema, raw_csv: bool) -> None:
        self.temporary = temporary
        self.name = name
        self.to = to
        self.schema = schema
        self.rows = 0
        self._file = HashedFile(temporary)
        self._writer: Writer = open_writer(to, self._file, schema, raw_csv=raw_csv)  # type: ignore[arg-type]

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write(batch)
        self.rows += batch.num_rows

    def finish(self) -> Part:
        self._writer.close()
        self._file.sync_and_close()
        stored = stored_rows(self.to, self.temporary)
        if stored not in {None, self.rows}:
            raise OutputError("torn", f"holds {stored} rows where {self.rows} were written", str(self.temporary))
        return Part(self.name, self.rows, self._file.bytes, self._file.sha256)

    def drop(self) -> None:
        self._file.discard()
        # A library that failed before may fail again; the file goes in any case.
        with suppress(pa.ArrowException, OSError, ValueError):
            self._writer.abandon()
        self._file.close()
        self.temporary.unlink(missing_ok=True)


class Output:
    """What all outputs share; ``records`` counts the rows written."""

    #: Whether rows written can still be taken back.
    revocable = True
    #: Where rejected rows and the manifest go; None where there is no place.
    rejects_path: Path | None = None
    manifest_path: Path | None = None
    #: Where large intermediate files may go; None: the system's place.
    spill_directory: Path | None = None

    def __init__(self, to: str) -> None:
        self.to = to
        self.records = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch of the output columns."""
        raise NotImplementedError

    def reset(self) -> None:
        """Forget everything written; only where ``revocable``."""
        raise NotImplementedError

    def finish(self) -> list[Part]:
        """Everything written is safe, but not yet visible."""
        raise NotImplementedError

    def commit(self, manifest: Mapping[str, object]) -> None:
        """Make it visible, manifest last."""
        raise NotImplementedError

    def abort(self) -> None:
        """Remove what was written; safe to call at any time."""
        raise NotImplementedError


class _FileOutput(Output):
    """Parts under temporary names in ``_directory``; the subclass says how they are called."""

    def __init__(self, directory: Path, lock: str, to: str, raw_csv: bool) -> None:
        super().__init__(to)
        self._directory = directory
        self.spill_directory = directory
        self._made = not directory.exists()
        with naming(directory):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock: Lock | None = Lock(directory / lock)
        self._raw_csv = raw_csv
        self._open: _OpenPart | None = None
        self._finished: list[tuple[Path, Part]] = []
        self._schema: pa.Schema | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Take one batch; begins a new part where one is full or a column is new."""
        batch = self._conformed(batch)
        first = True
        while batch.num_rows or first:
            part = self._current(batch.schema)
            piece = batch.slice(0, self._room(part))
            part.write(piece)
            self.records += piece.num_rows
            batch = batch.slice(piece.num_rows)
            first = False

    def reset(self) -> None:
        """Forget everything written."""
        if self._open is not None:
            self._open.drop()
        for temporary, _ in self._finished:
            temporary.unlink(missing_ok=True)
        self._open, self._schema, self.records = None, None, 0
        self._finished.clear()

    def finish(self) -> list[Part]:
        """Close and sync the last part; the list of all."""
        self._end_part()
        return [part for _, part in self._finished]

    def commit(self, manifest: Mapping[str, object]) -> None:
        """Rename every part, sync, remove leftovers of an earlier run, write the manifest."""
        assert self.manifest_path is not None
        with naming(self.manifest_path):
            self.manifest_path.unlink(missing_ok=True)
        sync_directory(self._directory)
        for temporary, part in self._finished:
            with naming(self._directory / part.name):
                os.replace(temporary, self._directory / part.name)
        self._remove_stale({part.name for _, part in self._finished})
        sync_directory(self._directory)
        layout = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        write_durably(self.manifest_path, orjson.dumps(manifest, option=layout))
        self._finished.clear()
        self._release()

    def abort(self) -> None:
        """Remove temporary files, the lock, and the directory if this run made it and it is empty."""
        self.reset()
        self._release()
        if self._made and not any(self._directory.iterdir()):
            self._directory.rmdir()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _conformed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._schema is not None:
            fitting = conform(batch, self._schema)
            if fitting is not None:
                return fitting
            self._new_columns([name for name in batch.schema.names if name not in self._schema.names])
        self._schema = widened(self._schema, batch)
        fitting = conform(batch, self._schema)
        assert fitting is not None
        return fitting

    def _current(self, schema: pa.Schema) -> _OpenPart:
        if self._open is not None and (not self._room(self._open) or not self._open.schema.equals(schema)):
            self._end_part()
        if self._open is None:
            number = len(self._finished)
            name = self._part_name(number)
            temporary = self._directory / f".tmp-{name}"
            self._open = _OpenPart(temporary, name, self.to, schema, self._raw_csv)
        return self._open

    def _end_part(self) -> None:
        if self._open is not None:
            self._finished.append((self._open.temporary, self._open.finish()))
            self._open = None

    def _room(self, part: _OpenPart) -> int:
        raise NotImplementedError

    def _part_name(self, number: int) -> str:
        raise NotImplementedError

    def _new_columns(self, names: list[str]) -> None:
        raise NotImplementedError

    def _remove_stale(self, kept: set[str]) -> None:
        raise NotImplementedError


class DirectoryOutput(_FileOutput):
    """``part-00000.parquet`` and so on, of 2^22 rows each."""

    def __init__(self, path: Path, to: str, *, raw_csv: bool = False) -> None:
        super().__init__(path, ".lock", to, raw_csv)
        self.manifest_path = path / MANIFEST
        self.rejects_path = path / REJECTS
        strange = sorted(entry.name for entry in path.iterdir() if not _OURS.fullmatch(entry.name))
        if strange:
            self._release()
            raise UsageError(
                "the output directory holds files of others",
                path=str(path),
                found=repr(strange[0]),
                expected="an empty or new directory, or one that poolsift wrote",
            )
        for entry in path.glob(".tmp-*"):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def _room(self, part: _OpenPart) -> int:
        return PART_ROWS - part.rows

    def _part_name(self, number: int) -> str:
        return f"part-{number:05}{ENDINGS[self.to]}"

    def _new_columns(self, names: list[str]) -> None:
        """Nothing to say: the next part has them."""

    def _remove_stale(self, kept: set[str]) -> None:
        for entry in self._directory.glob("part-*"):
            if entry.name not in kept:
                entry.unlink()
        (self._directory / BLOCKLISTS).unlink(missing_ok=True)


class SingleFileOutput(_FileOutput):
    """One file of any length; its manifest and rejects stand beside it."""

    def __init__(self, path: Path, to: str, *, raw_csv: bool = False) -> None:
        if os.path.lexists(path) and not path.is_file():
            # A device or a pipe would not be written to but replaced, and be gone.
            what = "is a directory" if path.is_dir() else "is not a regular file"
            raise UsageError(what, path=str(path), expected="a file name")
        super().__init__(path.absolute().parent, f".{path.name}.lock", to, raw_csv)
        self._name = path.name
        self.manifest_path = self._directory / f"{path.name}.{MANIFEST}"
        self.rejects_path = self._directory / f"{path.name}.{REJECTS}"

    def _room(self, part: _OpenPart) -> int:  # noqa: ARG002 - a file takes any number of rows
        return 1 << 62

    def _part_name(self, number: int) -> str:  # noqa: ARG002 - there is one
        return self._name

    def _new_columns(self, names: list[str]) -> None:
        raise OutputError(
            "new_columns",
            f"rows after the first batch have further columns: {', '.join(names[:5])}; "
            "write to a directory, or choose --columns key",
            str(self._directory / self._name),
        )

    def _remove_stale(self, kept: set[str]) -> None:  # noqa: ARG002 - there is only one part
        (self._directory / f"{self._name}.{BLOCKLISTS}").unlink(missing_ok=True)
