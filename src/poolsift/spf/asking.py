"""What one record tree asks for: pyspf over the answers so far, and a bound on how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import spf

from poolsift.spf.query import FAULTS, MOST_QUESTIONS, KnownQuery, Missing
from poolsift.spf.record import PERMERROR, SOME_CLIENT, TEMPERROR
from poolsift.spf.segments import TooLarge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from typing import TypeAlias, TypeVar

    from poolsift.dns.answers import Answer, Question
    from poolsift.spf.record import Term

    T = TypeVar("T")
    #: Yields questions, is sent one answer a question in their order, returns what follows from them.
    Asking: TypeAlias = Generator[list[Question], list[Answer], T]


class Answers:
    """The answers to the questions of one tree, each of which is asked once; TooLarge beyond MOST_QUESTIONS."""

    def __init__(self, origin: str, family: Literal[4, 6]) -> None:
        self._known: dict[Question, Answer] = {}
        self._query = KnownQuery(SOME_CLIENT[family], origin, origin, self._known)
        #: The type of the family's address records.
        self.address_type: str = self._query.A

    def record(self, name: str) -> Asking[tuple[str | None, int | None]]:
        """The text of the SPF record of a name, None without one; or the word of the error instead."""
        text, error, _ = yield from self._found(lambda query: query.dns_spf(name))
        return text, error

    def addresses(self, term: Term) -> Asking[tuple[list[str], int | None, int]]:
        """Those of ``a``, ``mx`` or ``exists``, or the word of the error instead, and the void look-ups on the way."""
        if term.mechanism == "mx":
            return (yield from self._found(lambda query: query.dns_mx(term.target)))
        rdtype = "A" if term.mechanism == "exists" else self.address_type
        return (yield from self._found(lambda query: query.dns_a(term.target, rdtype)))

    def foresee(self, questions: Collection[Question | None]) -> Asking[None]:
        """Ask together for what is going to be asked for one by one, if all of it is within the bound."""
        wanted = tuple(dict.fromkeys(q for q in questions if q is not None and q not in self._known))
        if wanted and len(self._known) + len(wanted) <= MOST_QUESTIONS:
            yield from self._ask(wanted)

    def _found(self, call: Callable[[KnownQuery], Any]) -> Asking[tuple[Any, int | None, int]]:
        """What pyspf finds, the word of the error with which it ends instead, and the void look-ups on the way."""
        while True:
            self._query.void_lookups = 0
            try:
                return call(self._query), None, self._query.void_lookups
            except Missing as missing:
                questions = missing.questions
            except spf.PermError:
                return None, PERMERROR, 0
            except (spf.TempError, *FAULTS):
                return None, TEMPERROR, self._query.void_lookups
            yield from self._ask(questions)

    def _ask(self, questions: tuple[Question, ...]) -> Asking[None]:
        if len(self._known) + len(questions) > MOST_QUESTIONS:
            raise TooLarge
        answers = yield list(questions)
        self._known.update(zip(questions, answers, strict=True))
