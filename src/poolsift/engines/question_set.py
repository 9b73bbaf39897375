"""The distinct questions of one run and what they came to, in a file of their own, so that memory stays bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.engines.scratch import ScratchFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

_TABLES: Final = """
CREATE TABLE wanted (name TEXT, rdtype TEXT, PRIMARY KEY (name, rdtype)) WITHOUT ROWID;
CREATE TABLE answers (
    name TEXT, rdtype TEXT, status TEXT, rdata TEXT, ttl INTEGER, reason TEXT, asked_at INTEGER, confirmed INTEGER,
    PRIMARY KEY (name, rdtype)
) WITHOUT ROWID;
"""
_ROW: Final = "name, rdtype, status, rdata, ttl, reason, asked_at, confirmed"
_CACHE_BYTES: Final = 32 << 20
#: Questions and answers held back, so that they go into the file together and sorted.
_PENDING: Final = 10_000
#: Answers remembered in memory: those of records that many domains include.
_MOST_HELD: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class QuestionSet:
    """Questions come in rounds: those given to ``want`` are answered by ``put``, then ``end_round`` begins the next.

    A context manager over a file in ``directory`` (None: the system's place). Not for several threads. Raises
    OutputError where the file cannot be written.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._file = ScratchFile(directory, _TABLES, cache_bytes=_CACHE_BYTES)
        self._wanted: set[Question] = set()
        self._answers: dict[Question, Answer] = {}
        self._held: dict[Question, Answer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Questions that were answered."""
        self._flush()
        return self._count("answers")

    def want(self, questions: Iterable[Question]) -> None:
        """Questions of the next round; those that are known already change nothing."""
        self._wanted.update(questions)
        if len(self._wanted) >= _PENDING:
            self._flush()

    @property
    def wanted(self) -> int:
        """How many questions this round has."""
        self._flush()
        return self._count("wanted")

    def chunks(self, size: int = 1_000) -> Iterator[list[Question]]:
        """The round's questions in the order of their bytes; from the beginning at each call."""
        query = "SELECT name, rdtype FROM wanted WHERE (name, rdtype) > (?, ?) ORDER BY name, rdtype LIMIT ?"
        last = Question("", "")
        while True:
            self._flush()
            found = [Question(*row) for rows in self._file.read(query, (*last, size)) for row in rows]
            if not found:
                return
            yield found
            last = found[-1]

    def put(self, answers: Iterable[tuple[Question, Answer]]) -> None:
        """What questions came to; a later answer takes the place of an earlier one."""
        for question, answer in answers:
            self._answers[question] = answer
            self._held.pop(question, None)
        if len(self._answers) >= _PENDING:
            self._flush()

    def end_round(self) -> None:
        """All questions that were wanted have their answers."""
        self._flush()
        self._held.clear()
        self._file.run("DELETE FROM wanted")

    def known(self, question: Question) -> Answer | None:
        """The answer to one question, None where it was not asked yet."""
        held = self._answers.get(question) or self._held.get(question)
        if held is None:
            held = self._stored(question)
            if held is not None:
                if len(self._held) >= _MOST_HELD:
                    self._held.clear()
                self._held[question] = held
        return held

    def names_asked(self, names: Iterable[str]) -> set[str]:
        """Those of the names of which some type was answered by more than that its zone has had enough questions."""
        wanted = list(names)
        places = ", ".join("?" * len(wanted))
        query = f"SELECT DISTINCT name FROM answers WHERE name IN ({places}) AND reason IS NOT ?"  # noqa: S608
        self._flush()
        return {name for rows in self._file.read(query, (*wanted, str(Reason.ZONE_CAP))) for (name,) in rows}

    def rows(self) -> Iterator[tuple[str, dict[str, Answer]]]:
        """(name, its answers by type) in the order of the names' bytes. Nothing may be put meanwhile."""
        self._flush()
        query = f"SELECT {_ROW} FROM answers ORDER BY name, rdtype"  # noqa: S608 - a constant
        read = (row for rows in self._file.read(query) for row in rows)
        for name, some in groupby(read, key=lambda row: row[0]):
            yield name, {row[1]: _answer(row) for row in some}

    def close(self) -> None:
        """Remove the file; safe to call twice."""
        self._file.close()

    def _stored(self, question: Question) -> Answer | None:
        query = f"SELECT {_ROW} FROM answers WHERE name = ? AND rdtype = ?"  # noqa: S608 - a constant
        return next((_answer(rows[0]) for rows in self._file.read(query, question)), None)

    def _count(self, table: str) -> int:
        query = f"SELECT count(*) FROM {table}"  # noqa: S608 - one of two words
        return int(next(iter(self._file.read(query)))[0][0])

    def _flush(self) -> None:
        if self._wanted:
            known = "SELECT 1 FROM answers WHERE answers.name = ?1 AND answers.rdtype = ?2"
            statement = f"INSERT OR IGNORE INTO wanted SELECT ?1, ?2 WHERE NOT EXISTS ({known})"
            self._file.write(statement, sorted(self._wanted))
            self._wanted.clear()
        if self._answers:
            rows = (_row(question, self._answers[question]) for question in sorted(self._answers))
            self._file.write("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._answers.clear()


def _row(question: Question, answer: Answer) -> tuple[Any, ...]:
    asked_at = None if answer.asked_at is None else (answer.asked_at - _EPOCH) // _MICROSECOND
    reason = None if answer.reason is None else str(answer.reason)
    rdata = orjson.dumps(answer.rdata).decode()
    return *map(str, question), str(answer.status), rdata, answer.ttl, reason, asked_at, int(answer.confirmed)


def _answer(row: tuple[Any, ...]) -> Answer:
    status, rdata, ttl, reason, asked_at, confirmed = row[2:]
    when = None if asked_at is None else _EPOCH + timedelta(microseconds=asked_at)
    return Answer(AnswerStatus(status), tuple(orjson.loads(rdata)), ttl, reason, when, confirmed=bool(confirmed))
