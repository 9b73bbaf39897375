"""A private SQLite file for what one run sets aside; nobody else ever sees it, and nothing of it outlives the run."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from poolsift.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ScratchFile:
    """One connection to a new file of mode 0600 in ``directory`` (None: the system's place for temporary files).

    The file loses its name as soon as it is open, so that a killed run leaves nothing. It has no journal: what fails
    in the middle ends the run. ``cache_bytes`` bounds the pages that SQLite holds. Raises OutputError.
    """

    def __init__(self, directory: str | None, tables: str, *, cache_bytes: int) -> None:
        self._place = directory or tempfile.gettempdir()
        try:
            descriptor, path = tempfile.mkstemp(prefix=".tmp-", suffix=".sqlite", dir=self._place)
        except OSError as error:
            raise OutputError("write_failed", f"no temporary file: {error.strerror}", self._place) from error
        try:
            os.close(descriptor)
            with self._naming():
                self._connection = sqlite3.connect(path, isolation_level=None)
                self._connection.executescript(
                    "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
                    f"PRAGMA cache_size = -{max(cache_bytes >> 10, 1)}; {tables}"
                )
        finally:
            os.unlink(path)

    def write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> int:
        """Run a statement for every row, as one transaction; how many rows of the table it changed."""
        before = self._connection.total_changes
        with self._naming():
            self._connection.execute("BEGIN")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        return self._connection.total_changes - before

    def run(self, statement: str) -> None:
        """Run one statement."""
        with self._naming():
            self._connection.execute(statement)

    def read(self, query: str, values: tuple[Any, ...] = (), *, rows: int = 1 << 16) -> Iterator[list[tuple[Any, ...]]]:
        """The answer to a query, ``rows`` at a time; none of them is empty."""
        with self._naming():
            cursor = self._connection.execute(query, values)
            while found := cursor.fetchmany(rows):
                yield found

    def close(self) -> None:
        """Give the space back; safe to call twice."""
        self._connection.close()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            code = "no_space" if error.sqlite_errorcode == sqlite3.SQLITE_FULL else "write_failed"
            raise OutputError(code, f"temporary file cannot be used: {error}", self._place) from error
