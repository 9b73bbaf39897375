"""What was learned from resolvers, remembered between runs: SQLite, shared by runs, never a reason for a run to fail.

Answers belong to a *view*, the resolvers that gave them, and are never given to a run that asks others. What cannot
be read is missing; what cannot be written stays in memory for this run, with one warning.

Any thread may call, one at a time is served. A forked child opens the file anew, and leaves to its parent what the
parent had not yet committed.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final, Self

from poolsift.dns.cache_entry import NOTHING, Entry, combined, current, current_since, latest, merged, recorded, stale
from poolsift.dns.cache_file import is_damage, open_file, open_memory
from poolsift.dns.cache_table import all_entries, count, fetch, store, writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

    from poolsift.dns.answers import Answer, Question

#: Answers, and seconds, after which what was put is committed.
_COMMIT_ANSWERS: Final = 1_000
_COMMIT_SECONDS: Final = 1.0
_IN_MEMORY: Final = "answers are kept in memory for this run"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Caches of this process, for a forked child to find.
_LIVE: Final[weakref.WeakSet[DnsCache]] = weakref.WeakSet()


class DnsCache:
    """Answers by question for one view; made by ``open``, used as a context manager.

    ``warnings`` are lines for people. ``damaged_rows`` counts rows that were read and not believed.
    """

    def __init__(self, path: str | None, view: str, clock: Callable[[], float], max_stale: float) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.damaged_rows = 0
        self._place = None if path is None else os.path.abspath(path)
        self._view = view
        self._clock = clock
        self._max_stale = timedelta(seconds=max_stale)
        self._buffer: list[tuple[Question, Answer]] = []
        self._committed_at = clock()
        self._file: sqlite3.Connection | None = None
        #: Without a file: everything. Beside a file: what could not be written to it.
        self._memory: sqlite3.Connection | None = None
        self._unshared = False
        self._lock = threading.Lock()
        self._inherited = False
        self._closed = False

    @classmethod
    def open(
        cls, path: str | None, *, view: str, clock: Callable[[], float] = time.time, max_stale: float = 0.0
    ) -> DnsCache:
        """The cache in the file at ``path``, made if missing, or in memory where that is None or cannot be used.

        ``view``: which resolvers the answers come from. ``clock``: seconds since 1970. ``max_stale``: seconds past
        their time in which answers may still be given by ``stale``. What is wrong with the file is a warning.
        """
        cache = cls(path, view, clock, max_stale)
        if cache._place is None:
            cache._memory = open_memory()
        else:
            cache._open_file(cache._place)
        _LIVE.add(cache)
        return cache

    def lookup(
        self, names: Sequence[str], *, any_age: bool = False, since: datetime | None = None
    ) -> dict[str, dict[str, Answer]]:
        """Answers by name and type that still count; with ``any_age`` the last one learned where none does.

        ``since``: what was learned from then on counts too, so that a run does not ask twice. Absences without SOA
        and invalid answers never count otherwise.
        """
        if since is not None:
            return self._chosen(names, lambda entry, now: current_since(entry, now, since))
        return self._chosen(names, latest if any_age else current)

    def stale(self, names: Sequence[str]) -> dict[str, dict[str, Answer]]:
        """Answers by name and type for when asking again failed (RFC 8767), each with a TTL of 30 s."""
        return self._chosen(names, lambda entry, now: stale(entry, now, self._max_stale))

    def put(self, answers: Iterable[tuple[Question, Answer]]) -> None:
        """Remember answers. They are committed every 1,000 answers or second, by ``commit`` and by ``close``."""
        remaining = iter(answers)
        while some := list(islice(remaining, _COMMIT_ANSWERS - len(self._buffer))):
            with self._lock:
                self._be_ready()
                now = self._now()
                self._buffer += [(question, recorded(answer, now)) for question, answer in some]
                # A clock that was set back must not put the commit off.
                late = abs(self._clock() - self._committed_at) >= _COMMIT_SECONDS
                if late or len(self._buffer) >= _COMMIT_ANSWERS:
                    self._commit()

    def commit(self) -> None:
        """Make everything put so far last: a killed run's successor finds it."""
        with self._lock:
            self._be_ready()
            self._commit()

    def close(self) -> None:
        """Commit and let go of the file; what could not be written before is tried once more. Safe to call twice."""
        with self._lock:
            if self._closed:
                return
            try:
                if not self._inherited:
                    self._commit()
                    self._save()
            finally:
                self._closed = True
                for connection in (self._file, self._memory):
                    if connection is not None:
                        connection.close()

    def __len__(self) -> int:
        """Questions of this view of which anything is held."""
        with self._lock:
            self._be_ready()
            self._commit()
            try:
                held = 0 if self._file is None else count(self._file, self._view)
            except sqlite3.Error as problem:
                held = 0
                self._leave_file("read", problem)
            if self._memory is None:
                return held
            if self._file is None:
                return count(self._memory, self._view)
            for part in all_entries(self._memory, self._view, _COMMIT_ANSWERS):
                held += len(part.keys() - fetch(self._file, self._view, _names(part))[0].keys())
            return held

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _now(self) -> datetime:
        return _EPOCH + timedelta(seconds=self._clock())

    def _be_ready(self) -> None:
        """Refuses a closed cache; opens the file anew in a forked child."""
        if self._closed:
            raise ValueError("the cache is closed")
        if self._inherited and self._place is not None:
            self._inherited = False
            self._open_file(self._place)

    def _open_file(self, path: str) -> None:
        self._file, warnings, self._unshared = open_file(path)
        self.warnings += warnings
        if self._file is not None:
            return
        loaded = self._loaded(path) if self._unshared else None
        self.warnings[-1] += f"; {_IN_MEMORY}" + (" and written at its end" if self._unshared else "")
        self._memory = self._memory or loaded or open_memory()

    def _loaded(self, path: str) -> sqlite3.Connection | None:
        """A copy in memory of a file that cannot stay open; None, and the reason told, where it cannot be used."""
        content, warnings, _ = open_file(path, shared=False)
        self.warnings[:0] = warnings
        if content is None:
            self._unshared = False
            return None
        try:
            return open_memory(content)
        except sqlite3.Error:
            return None
        finally:
            content.close()

    def _chosen(
        self, names: Sequence[str], choose: Callable[[Entry, datetime], Answer | None]
    ) -> dict[str, dict[str, Answer]]:
        with self._lock:
            self._be_ready()
            self._commit()
            now = self._now()
            held = self._held(sorted(set(names)))
        chosen: dict[str, dict[str, Answer]] = {}
        for question, entry in held.items():
            answer = choose(entry, now)
            if answer is not None:
                chosen.setdefault(question.name, {})[question.rdtype] = answer
        return chosen

    def _held(self, names: Sequence[str]) -> dict[Question, Entry]:
        """What the file says, and over it what only memory does."""
        entries: dict[Question, Entry] = {}
        if self._file is not None:
            try:
                entries, damaged = fetch(self._file, self._view, names)
                self.damaged_rows += damaged
            except sqlite3.Error as problem:
                self._leave_file("read", problem)
        if self._memory is not None:
            entries |= fetch(self._memory, self._view, names)[0]
        return entries

    def _commit(self) -> None:
        self._committed_at = self._clock()
        if self._buffer and self._file is not None and self._memory is None:
            try:
                self._write(self._file)
            except sqlite3.Error as problem:
                self._leave_file("written", problem)
        if self._buffer and self._memory is not None:
            self._write(self._memory)

    def _write(self, connection: sqlite3.Connection) -> None:
        """Merge the buffer with what is held, in one transaction, so that runs side by side lose nothing."""
        names = _names(question for question, _ in self._buffer)
        with writing(connection):
            held = fetch(connection, self._view, names)[0] if connection is self._file else self._held(names)
            entries: dict[Question, Entry] = {}
            for question, answer in self._buffer:
                entries[question] = merged(entries.get(question) or held.get(question, NOTHING), answer)
            store(connection, self._view, entries)
        self._buffer.clear()

    def _leave_file(self, what: str, problem: sqlite3.Error) -> None:
        """Go on in memory. The file is still read, and tried again at the end, if it was only a write that failed."""
        self.warnings.append(f"{self._place} cannot be {what} ({problem}); {_IN_MEMORY}")
        self._memory = self._memory or open_memory()
        if self._file is not None and (what == "read" or is_damage(problem)):
            self._file.close()
            self._file = None

    def _save(self) -> None:
        """Write to the file what is in memory only."""
        if self._memory is None or self._place is None:
            return
        if self._unshared:
            self._file, warnings, _ = open_file(self._place, shared=False)
            self.warnings += warnings
        if self._file is None:
            return
        try:
            with writing(self._file):
                for part in all_entries(self._memory, self._view, _COMMIT_ANSWERS):
                    held, _ = fetch(self._file, self._view, _names(part))
                    both = {question: combined(held.get(question, NOTHING), part[question]) for question in part}
                    store(self._file, self._view, {q: entry for q, entry in both.items() if entry != held.get(q)})
        except sqlite3.Error as problem:
            if self._unshared:  # else it was said before
                self.warnings.append(f"{self._place} cannot be written ({problem}); this run's answers are lost")

    def _leave_to_parent(self) -> None:
        """In a forked child: give the connection up without a trace.

        SQLite keeps its locks by process. As long as the child holds the connection, SQLite believes that the child
        has the parent's locks, and a second connection would lose what it writes when the parent closes. Closing an
        idle one is safe: it asks for locks that the parent's own keep from it, and leaves the log alone.
        """
        idle = self._lock.acquire(blocking=False)
        self._lock = threading.Lock()
        if self._file is None:
            return
        self._buffer.clear()
        if idle:
            self._file.close()
            self._inherited = True
        else:  # another thread was at work in it: never touched again, not even by the interpreter's end
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._file))
            self._memory = open_memory()
            self.warnings.append(f"{self._place} cannot be used in a process forked meanwhile; {_IN_MEMORY}")
        self._file = None


def _names(questions: Iterable[Question]) -> list[str]:
    return sorted({question.name for question in questions})


def _after_fork() -> None:
    for cache in _LIVE:
        cache._leave_to_parent()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork)
