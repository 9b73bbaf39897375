"""The cache's tables, current and older: one row a question and view of resolvers, each with a checksum."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

import orjson

from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.dns.cache_entry import Entry, failure_answer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SCHEMA_VERSION: Final = 2
#: In the file's header, so that a cache is known for one even where its tables are damaged ("plsf").
APPLICATION_ID: Final = 0x706C7366
#: The view of answers that do not say which resolvers gave them.
NO_VIEW: Final = ""

#: Names a statement; SQLite before 3.32 takes 999 values at most.
_NAMES: Final = 900
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_ROW: Final = (
    "view, name, rdtype, status, rdata, ttl, reason, asked_at, confirmed, failures, failed_at, failed_reason, checksum"
)
_ROW_1: Final = "name, rdtype, status, rdata, ttl, reason, asked_at, confirmed, checksum"
_UPSERT: Final = f"INSERT OR REPLACE INTO answers ({_ROW}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

#: Times are microseconds since 1970 (UTC), ``ttl`` is in seconds, ``rdata`` a JSON list.
_TABLES: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID",
    """CREATE TABLE answers (
        view TEXT NOT NULL, name TEXT NOT NULL, rdtype TEXT NOT NULL,
        status TEXT, rdata TEXT, ttl INTEGER, reason TEXT, asked_at INTEGER, confirmed INTEGER,
        failures INTEGER NOT NULL, failed_at INTEGER, failed_reason TEXT,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (view, name, rdtype)
    ) WITHOUT ROWID""",
)


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction that other writers wait for, whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def make_tables(connection: sqlite3.Connection) -> None:
    """The empty tables of the current schema."""
    for statement in _TABLES:
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (SCHEMA_VERSION,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def fetch(connection: sqlite3.Connection, view: str, names: Sequence[str]) -> tuple[dict[Question, Entry], int]:
    """Everything held of these names, and how many rows were damaged and therefore are not there."""
    entries: dict[Question, Entry] = {}
    damaged = 0
    for start in range(0, len(names), _NAMES):
        some = names[start : start + _NAMES]
        places = ", ".join("?" * len(some))
        statement = f"SELECT {_ROW} FROM answers WHERE view = ? AND name IN ({places})"  # noqa: S608 - only marks
        for row in connection.execute(statement, (view, *some)):
            entry = _entry(row)
            if entry is None:
                damaged += 1
            else:
                entries[Question(row[1], row[2])] = entry
    return entries, damaged


def store(connection: sqlite3.Connection, view: str, entries: Mapping[Question, Entry]) -> None:
    """Write these entries over what is held of the same questions; sorted, which SQLite inserts four times as fast."""
    connection.executemany(_UPSERT, (_row(view, question, entries[question]) for question in sorted(entries)))


def count(connection: sqlite3.Connection, view: str) -> int:
    """Questions of which anything is held."""
    rows: int = connection.execute("SELECT count(*) FROM answers WHERE view = ?", (view,)).fetchone()[0]
    return rows


def all_entries(connection: sqlite3.Connection, view: str, size: int) -> Iterator[dict[Question, Entry]]:
    """Everything held, ``size`` rows at a time."""
    cursor = connection.execute(f"SELECT {_ROW} FROM answers WHERE view = ?", (view,))  # noqa: S608
    while rows := cursor.fetchmany(size):
        yield {Question(row[1], row[2]): entry for row in rows if (entry := _entry(row)) is not None}


def schema_version(connection: sqlite3.Connection) -> int | None:
    """The version of the tables; None for a database of another program. Raises ValueError where it is damaged."""
    ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not ours and not {"meta", "answers"} <= tables:
        return None
    if not {"meta", "answers"} <= tables:
        raise ValueError("tables are missing")
    rows = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()
    if len(rows) != 1 or not isinstance(rows[0][0], int) or rows[0][0] < 1:
        raise ValueError("no schema version")
    version: int = rows[0][0]
    return version


def migrate(connection: sqlite3.Connection) -> int:
    """From version 1 to the current one, within a transaction of the caller; gives the number of answers kept.

    Version 1 did not record which resolvers an answer came from. Its answers are kept without a view, so that no
    run that names its resolvers is given them; damaged rows are left behind.
    """
    connection.execute("ALTER TABLE answers RENAME TO answers_1")
    connection.execute("DROP TABLE meta")
    make_tables(connection)
    rows = connection.execute(f"SELECT {_ROW_1} FROM answers_1")  # noqa: S608
    kept = connection.executemany(_UPSERT, _from_version_1(rows)).rowcount
    connection.execute("DROP TABLE answers_1")
    return kept


def _from_version_1(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        name, rdtype, *columns, checksum = row
        answer = _answer(*columns) if checksum == row_checksum(row[:-1]) else None
        if answer is None or answer.asked_at is None:
            continue
        if answer.status is AnswerStatus.UNKNOWN:
            entry = Entry(None, failure_answer(answer.reason, answer.asked_at, 1), 1)
        else:
            entry = Entry(answer)
        yield _row(NO_VIEW, Question(name, rdtype), entry)


def row_checksum(columns: tuple[Any, ...]) -> int:
    """The CRC-32 of a row's columns, whatever types damage has given them; the same in every Python."""
    return crc32(ascii(columns).encode())


def _row(view: str, question: Question, entry: Entry) -> tuple[Any, ...]:
    definite, failure, failures = entry
    columns: tuple[Any, ...] = (None,) * 6
    if definite is not None:
        rdata = orjson.dumps(definite.rdata).decode()
        asked_at = _microseconds(definite.asked_at)
        reason = _text(definite.reason)
        columns = (str(definite.status), rdata, definite.ttl, reason, asked_at, int(definite.confirmed))
    failed: tuple[Any, ...] = (failures, None, None)
    if failure is not None:
        failed = (failures, _microseconds(failure.asked_at), _text(failure.reason))
    row = (view, *map(str, question), *columns, *failed)
    return (*row, row_checksum(row))


def _entry(row: tuple[Any, ...]) -> Entry | None:
    """What a row says; None where it is damaged."""
    if row[-1] != row_checksum(row[:-1]):
        return None
    status, failures, failed_at, failed_reason = row[3], *row[9:12]
    definite = None if status is None else _answer(*row[3:9])
    if status is not None and definite is None:
        return None
    if failed_at is None:
        return Entry(definite)
    return Entry(definite, failure_answer(failed_reason, _time(failed_at), failures), failures)


def _answer(
    status: str, rdata: str, ttl: int | None, reason: str | None, asked_at: int, confirmed: int
) -> Answer | None:
    """None where the values make no sense although the checksum is right."""
    try:
        return Answer(
            AnswerStatus(status), tuple(orjson.loads(rdata)), ttl, reason, _time(asked_at), confirmed=bool(confirmed)
        )
    except (ValueError, TypeError, OverflowError):
        return None


def _microseconds(time: datetime | None) -> int:
    assert time is not None
    return (time - _EPOCH) // _MICROSECOND


def _time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _text(reason: str | None) -> str | None:
    """Plain text, so that a word of Reason and the same word read back have the same checksum."""
    return None if reason is None else str(reason)
