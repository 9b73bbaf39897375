"""The cache as a file that several runs share: made whole, checked when opened, set aside when damaged.

SQLite with a write-ahead log. A file is examined, set aside and made under a lock of its directory, so that no run
takes another's new file for a broken one. The database itself is never opened other than by SQLite: closing any other
descriptor of it would drop SQLite's locks in this process (POSIX).
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

from poolsift.dns.cache_place import (
    PATIENCE,
    SIDE_FILES,
    UnusableError,
    locked,
    made_directory,
    network_filesystem,
    restrict,
    usable_size,
)
from poolsift.dns.cache_table import SCHEMA_VERSION, make_tables, migrate, schema_version, writing

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
#: What SQLite says where it cannot share memory with other runs.
_NO_LOG: Final = frozenset({
    sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_CANTOPEN,
})  # fmt: skip
#: Bytes of SQLite's smallest page: what is shorter is no database, though SQLite takes it for an empty one.
_LEAST_SIZE: Final = 512


class OpenedFile(NamedTuple):
    """A connection, or none where the file cannot be used; ``unshared`` where it can be, but by one run at a time."""

    connection: sqlite3.Connection | None
    warnings: list[str]
    unshared: bool = False


class _DamagedError(UnusableError):
    """What is in the file is not what a cache wrote."""

    def __init__(self) -> None:
        super().__init__("is damaged")


def open_file(path: str, *, shared: bool = True) -> OpenedFile:
    """The cache at ``path``, made where there is none; what stands in the way is a warning, never an error.

    Not ``shared``: without a write-ahead log and for this run alone, as file systems between machines need it.
    """
    warnings: list[str] = []
    try:
        directory = made_directory(path)
        with locked(directory):
            return OpenedFile(_opened(path, directory, warnings, shared=shared), warnings)
    except UnusableError as problem:
        return OpenedFile(None, [*warnings, f"{path} {problem}"], unshared=problem.unshared)
    except OSError as problem:
        return OpenedFile(None, [*warnings, f"{path} cannot be used ({problem.strerror or problem})"])


def open_memory(content: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """A cache in memory, with a copy of everything that ``content`` holds."""
    connection = _configured(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False))
    if content is None:
        make_tables(connection)
    else:
        content.backup(connection)
    return connection


def is_damage(problem: sqlite3.Error) -> bool:
    """Whether SQLite says that a file is not what it wrote."""
    return _primary(problem) in _DAMAGE


def _opened(path: str, directory: str, warnings: list[str], *, shared: bool) -> sqlite3.Connection:
    size = usable_size(path, directory)
    if shared and (kind := network_filesystem(directory)) is not None:
        raise UnusableError(f"lies on {kind}, where several runs cannot share it", unshared=True)
    if size is not None and size >= _LEAST_SIZE:
        with suppress(_DamagedError):
            return _checked(path, warnings, shared=shared)
    if size is not None:
        warnings.append(f"{path}: damaged, set aside as {_set_aside(path)}; a new one was begun")
    _make(path, shared=shared)
    return _checked(path, warnings, shared=shared)


def _checked(path: str, warnings: list[str], *, shared: bool) -> sqlite3.Connection:
    """A connection to a whole cache of the current schema. Raises UnusableError."""
    try:
        if shared:
            _look_at(path)
        connection = _connect(path, "rw")
        try:
            _prepare(connection, path, warnings, shared=shared)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as problem:
        if is_damage(problem):
            raise _DamagedError from problem
        raise _refusal("used", problem, shared=shared) from problem
    restrict(path)
    return connection


def _look_at(path: str) -> None:
    """Refuses another's file before there is a right to write to it: closing such a connection could change it."""
    try:
        with closing(_connect(path, "ro")) as connection:
            _own_version(connection)
    except sqlite3.Error as problem:
        # A killed run's unfinished transaction must be rolled back first, a log may need memory to share: both need
        # the right to write, and tell then what is wrong.
        if is_damage(problem):
            raise


def _own_version(connection: sqlite3.Connection) -> int:
    """The schema's version. Raises UnusableError unless it is ours and known."""
    try:
        version = schema_version(connection)
    except ValueError as problem:
        raise _DamagedError from problem
    if version is None:
        raise UnusableError("is a database of another program; not used")
    if version > SCHEMA_VERSION:
        raise UnusableError("was written by a newer poolsift; not used")
    return version


def _prepare(connection: sqlite3.Connection, path: str, warnings: list[str], *, shared: bool) -> None:
    """Everything that is checked and changed before the first look-up."""
    if not shared:
        connection.execute("PRAGMA locking_mode = exclusive")  # then even an existing log needs no memory to share
    _own_version(connection)
    if connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise _DamagedError
    _set_journal(connection, shared=shared)
    with writing(connection):
        if _own_version(connection) == SCHEMA_VERSION:
            return
        kept = migrate(connection)
    warnings.append(
        f"{path}: of an older version; its {kept:,} answers do not say which resolvers gave them and are not used"
    )


def _set_journal(connection: sqlite3.Connection, *, shared: bool) -> None:
    mode = "wal" if shared else "delete"
    if connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()[0] != mode:
        raise UnusableError("lies where several runs cannot share it (no write-ahead log)", unshared=shared)
    # With a log a power failure may cost the last answers, never the file.
    connection.execute(f"PRAGMA synchronous = {'normal' if shared else 'full'}")


def _connect(path: str, mode: str) -> sqlite3.Connection:
    uri = f"{Path(path).absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    return _configured(connection)


def _configured(connection: sqlite3.Connection) -> sqlite3.Connection:
    # Damaged text must reach the checksum instead of ending a whole look-up.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _make(path: str, *, shared: bool) -> None:
    """A new file that appears whole, so that an empty one is always damage."""
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, f".{name}.poolsift-new")
    _remove(unfinished, "", *SIDE_FILES)  # of a run that was killed here
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    try:
        with closing(_connect(unfinished, "rw")) as connection:
            _set_journal(connection, shared=shared)
            with writing(connection):
                make_tables(connection)
    except (sqlite3.Error, UnusableError) as problem:
        _remove(unfinished, "", *SIDE_FILES)
        if isinstance(problem, UnusableError):
            raise
        raise _refusal("made", problem, shared=shared) from problem
    # The log of a database that is gone would be taken for this one's.
    _remove(path, *SIDE_FILES)
    os.rename(unfinished, path)


def _remove(path: str, *suffixes: str) -> None:
    for suffix in suffixes:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def _set_aside(path: str) -> str:
    """Rename the file and its log to the first free ``.damaged-N``."""
    target = next(name for n in count(1) if not os.path.lexists(name := f"{path}.damaged-{n}"))
    for suffix in ("", *SIDE_FILES):
        with suppress(FileNotFoundError):
            os.rename(path + suffix, target + suffix)
    return target


def _refusal(what: str, problem: sqlite3.Error, *, shared: bool) -> UnusableError:
    if shared and _NO_LOG & {_code(problem), _primary(problem)}:
        return UnusableError(f"lies where several runs cannot share it ({problem})", unshared=True)
    return UnusableError(f"cannot be {what} ({problem})")


def _code(problem: sqlite3.Error) -> int:
    return getattr(problem, "sqlite_errorcode", 0)


def _primary(problem: sqlite3.Error) -> int:
    return _code(problem) & 0xFF
