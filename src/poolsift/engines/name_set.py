"""The distinct names of one run, in order, in memory that does not grow with them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from poolsift.engines.scratch import ScratchFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

_TABLE: Final = "CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID"
_CACHE_BYTES: Final = 32 << 20
#: Names held back, so that they go into the file sorted: each then meets pages that its neighbours have brought in.
_PENDING: Final = 100_000


class NameSet:
    """Names in a file of their own in ``directory`` (None: the system's place), removed at the end.

    A context manager. Not for several threads. Raises OutputError where the file cannot be written.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._file = ScratchFile(directory, _TABLE, cache_bytes=_CACHE_BYTES)
        self._pending: set[str] = set()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        self._flush()
        return self._count

    def add(self, names: Iterable[str]) -> None:
        """Take names; those that are known already change nothing."""
        rest = iter(names)
        while some := list(islice(rest, _PENDING)):
            self._pending.update(some)
            if len(self._pending) >= _PENDING:
                self._flush()

    def chunks(self, size: int = 1000) -> Iterator[list[str]]:
        """All names in the order of their bytes, ``size`` at a time; from the beginning at each call.

        A name that is added while one reads is met if it comes after those already given.
        """
        after, last = ">=", ""
        while True:
            self._flush()
            query = f"SELECT name FROM names WHERE name {after} ? ORDER BY name LIMIT ?"  # noqa: S608 - two constants
            found = [name for rows in self._file.read(query, (last, size)) for (name,) in rows]
            if not found:
                return
            yield found
            after, last = ">", found[-1]

    def close(self) -> None:
        """Remove the file; safe to call twice."""
        self._pending.clear()
        self._file.close()

    def _flush(self) -> None:
        if self._pending:
            rows = ((name,) for name in sorted(self._pending))
            self._count += self._file.write("INSERT OR IGNORE INTO names VALUES (?)", rows)
            self._pending.clear()
