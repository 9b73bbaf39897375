"""Where SPF results come from for a classifier: evaluated over a snapshot, whenever a kernel asks."""

from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING, Any, Final

from poolsift.dns.answers import Answer, AnswerStatus, Reason, unknown
from poolsift.dns.inquiry import is_open
from poolsift.dns.names import unaskable
from poolsift.spf.driving import drive
from poolsift.spf.results import NOT_EVALUATED, OutcomeAsked, ProgramAsked, SpfResults, read_asked

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from poolsift._native.nouns import SpfTable
    from poolsift.dns.answers import Question
    from poolsift.dns.snapshot import Snapshot
    from poolsift.spf.compile import Compiler
    from poolsift.spf.evaluate import SpfOutcome

#: The version that the addresses of a record type have.
_VERSIONS: Final = {"A": 4, "AAAA": 6}


class SnapshotSpf:
    """SPF over the rows of a snapshot; opens no socket. Safe to share between threads.

    A domain whose TXT the snapshot does not hold is not evaluated; what is lacking further down is a ``temperror``.
    ``results`` counts what was asked.
    """

    def __init__(self, snapshot: Snapshot, *, table: SpfTable | None = None, compiler: Compiler | None = None) -> None:
        self._snapshot = snapshot
        self._compiler = compiler or new_compiler()
        self._lock = threading.Lock()
        self.results = SpfResults(table or new_table())

    @property
    def table(self) -> SpfTable:
        """What kernels read."""
        return self.results.table

    def answer(self, asked: Sequence[tuple[Any, ...]]) -> None:
        """Add a program, a mark or an outcome for each entry (see ``read_asked``)."""
        for entry in map(read_asked, asked):
            with self._lock:
                if self.results.holds(entry):
                    continue
                if isinstance(entry, ProgramAsked):
                    self._add_program(entry)
                else:
                    self._add_outcome(entry)

    def _add_program(self, asked: ProgramAsked) -> None:
        if self._is_listed(asked.name):
            compiled = drive(self._compiler.compile(*asked), self._answers)
            self.results.add_program(*asked, compiled)
        else:
            self.results.add_uniform(*asked, NOT_EVALUATED)

    def _add_outcome(self, asked: OutcomeAsked) -> None:
        listed = self._is_listed(asked.name)
        self.results.add_outcome(asked, drive(evaluation_of(asked), self._answers) if listed else None)

    def _is_listed(self, name: str) -> bool:
        return self._answer(name, "TXT").reason != Reason.NOT_LISTED

    def _answers(self, questions: list[Question]) -> list[Answer]:
        return [self._answer(*question) for question in questions]

    def _answer(self, name: str, rdtype: str) -> Answer:
        """As a resolver would give it: names that nobody is asked about are invalid, weak absences are unknown.

        An absence without a reason is somebody's own statement and stands. An address that is none might have been the
        client's.
        """
        answer = self._snapshot.lookup(name, rdtype)
        if answer.reason == Reason.NOT_LISTED:
            reason = unaskable(name)
            return answer if reason is None else Answer(AnswerStatus.INVALID, reason=reason)
        if is_open(answer) and answer.reason is not None:
            return unknown(Reason.UNCONFIRMED)
        if rdtype in _VERSIONS and not all(_is_address(text, _VERSIONS[rdtype]) for text in answer.rdata):
            return unknown(Reason.MALFORMED)
        return answer


def _is_address(text: object, version: int) -> bool:
    try:
        return isinstance(text, str) and ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def evaluation_of(asked: OutcomeAsked) -> Generator[list[Question], list[Answer], SpfOutcome]:
    """The whole evaluation for one message."""
    from poolsift.spf.evaluate import evaluation

    local = asked.local or "postmaster"  # RFC 7208 section 2.4
    return evaluation(asked.client_ip, asked.name, asked.helo or None, mail_from_local=local)


def new_table() -> SpfTable:
    """An empty table of the usual size."""
    from poolsift._native.nouns import SpfTable

    return SpfTable()


def new_compiler() -> Compiler:
    """A compiler that knows no tree yet; the import is late because pyspf takes a tenth of a second."""
    from poolsift.spf.compile import Compiler

    return Compiler()
