"""The SPF tuples of one run and the record trees they need, in a file of their own: what is still open, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Self

from poolsift.engines.name_inputs import SpfTuple
from poolsift.engines.scratch import ScratchFile
from poolsift.spf.results import NAMES_SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

#: ``reason`` of a tree: null while it is open, empty where it was compiled, else why it was not.
_TABLES: Final = """
CREATE TABLE trees (name TEXT, family INTEGER, reason TEXT, PRIMARY KEY (name, family)) WITHOUT ROWID;
CREATE TABLE tuples (
    name TEXT, family INTEGER, client_ip TEXT, helo TEXT, done INTEGER, PRIMARY KEY (name, family, client_ip, helo)
) WITHOUT ROWID;
"""
_CACHE_BYTES: Final = 32 << 20
_COMPILED: Final = ""
_OPEN_TUPLES: Final = """
SELECT tuples.name, tuples.family, client_ip, helo FROM tuples
JOIN trees ON trees.name = tuples.name AND trees.family = tuples.family
WHERE (tuples.name, tuples.family, client_ip, helo) > (?, ?, ?, ?) AND NOT done AND reason <> ''
ORDER BY tuples.name, tuples.family, client_ip, helo LIMIT ?
"""


class Tree(NamedTuple):
    """The record tree of one domain for the addresses of one family."""

    name: str
    family: Literal[4, 6]


class SpfTrees:
    """Distinct tuples, and a tree for each (name, family) of them. A context manager; not for several threads.

    Raises OutputError where the file cannot be written.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._file = ScratchFile(directory, _TABLES, cache_bytes=_CACHE_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, tuples: Iterable[SpfTuple]) -> None:
        """Take tuples; those that are known already change nothing."""
        rows = sorted((one.name, _family(one.client_ip), one.client_ip, one.helo) for one in tuples)
        self._file.write("INSERT OR IGNORE INTO tuples VALUES (?, ?, ?, ?, 0)", rows)
        self._file.write("INSERT OR IGNORE INTO trees VALUES (?, ?, NULL)", sorted({row[:2] for row in rows}))

    def names(self, size: int = 1_000) -> Iterator[list[str]]:
        """All names in the order of their bytes, some at a time."""
        query = "SELECT DISTINCT name FROM trees WHERE name > ? ORDER BY name LIMIT ?"
        for rows in self._paged(query, ("",), size):
            yield [name for (name,) in rows]

    def open_trees(self, size: int = 1_000) -> Iterator[list[Tree]]:
        """The trees whose reason is not known yet, some at a time."""
        query = (
            "SELECT name, family FROM trees WHERE (name, family) > (?, ?) AND reason IS NULL "
            "ORDER BY name, family LIMIT ?"
        )
        for rows in self._paged(query, ("", 0), size):
            yield [Tree(*row) for row in rows]

    def open_tuples(self, size: int = 1_000) -> Iterator[list[SpfTuple]]:
        """The tuples that are to be evaluated one by one, for their trees were not compiled; some at a time."""
        for rows in self._paged(_OPEN_TUPLES, ("", 0, "", ""), size):
            yield [SpfTuple(name, client_ip, helo) for name, _, client_ip, helo in rows]

    def close_trees(self, trees: Iterable[tuple[Tree, str | None]]) -> None:
        """What trees came to: None where they were compiled, else why not."""
        rows = ((reason or _COMPILED, *tree) for tree, reason in trees)
        self._file.write("UPDATE trees SET reason = ? WHERE name = ? AND family = ?", rows)

    def close_tuples(self, tuples: Iterable[SpfTuple]) -> None:
        """These were evaluated."""
        rows = ((one.name, _family(one.client_ip), one.client_ip, one.helo) for one in tuples)
        keys = "name = ? AND family = ? AND client_ip = ? AND helo = ?"
        self._file.write(f"UPDATE tuples SET done = 1 WHERE {keys}", rows)  # noqa: S608 - a constant

    def description(self) -> dict[str, Any]:
        """Counts for people: tuples, domains, those whose trees were all compiled, and the others by reason."""
        reasons = "SELECT reason, count(DISTINCT name) FROM trees WHERE reason <> '' GROUP BY reason ORDER BY reason"
        names = "SELECT DISTINCT name FROM trees WHERE reason <> '' ORDER BY name LIMIT ?"
        domains = self._number("SELECT count(DISTINCT name) FROM trees")
        return {
            "tuples": self._number("SELECT count(*) FROM tuples"),
            "domains": domains,
            "compiled": domains - self._number("SELECT count(DISTINCT name) FROM trees WHERE reason <> ''"),
            "not_compiled": {reason: count for rows in self._file.read(reasons) for reason, count in rows},
            "not_compiled_names": [name for rows in self._file.read(names, (NAMES_SHOWN,)) for (name,) in rows],
        }

    def close(self) -> None:
        """Remove the file; safe to call twice."""
        self._file.close()

    def _paged(self, query: str, first: tuple[Any, ...], size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The answer in pages that begin after the last row of the page before: rows may change meanwhile."""
        last = first
        while True:
            found = [row for rows in self._file.read(query, (*last, size)) for row in rows]
            if not found:
                return
            yield found
            last = found[-1]

    def _number(self, query: str) -> int:
        return int(next(iter(self._file.read(query)))[0][0])


def _family(client_ip: str) -> int:
    return 6 if ":" in client_ip else 4
