"""SPF of one message by pyspf over our resolver: pyspf computes in memory, names what it lacks, and is run again.

Terms are asked for in their order, one at a time, as RFC 7208 evaluates them: a record never makes us ask for what an
earlier match spares. Only the addresses of the hosts of one MX or PTR answer, all of which count, are asked at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import spf

from poolsift.spf.query import FAULTS, MOST_QUESTIONS, MOST_RECORD, MOST_TERM, KnownQuery, Missing, checked_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from poolsift.dns.answers import Answer, Question, Resolver

__all__ = ["BUDGET", "MOST_QUESTIONS", "MOST_RECORD", "MOST_TERM", "SpfOutcome", "SpfResult", "evaluate", "evaluation"]

#: Seconds for one evaluation, its queries included (RFC 7208 section 4.6.4: at least 20).
BUDGET: Final = 20.0

_MOST_REASON: Final = 200
#: Stands for a HELO name that nobody recorded; one label without any delimiter, so that every macro keeps it whole.
_NO_HELO: Final = "helothatwasnotrecorded"


class SpfResult(StrEnum):
    """The results of RFC 7208 section 2.6."""

    NONE = "none"  #: no domain to check, or it publishes no SPF record
    NEUTRAL = "neutral"  #: the owner says nothing of this client
    PASS = "pass"  # noqa: S105 - the word of the RFC  #: the client may send for the domain
    FAIL = "fail"  #: it may not
    SOFTFAIL = "softfail"  #: it probably may not
    TEMPERROR = "temperror"  #: could not be found out
    PERMERROR = "permerror"  #: the published records cannot be interpreted


@dataclass(frozen=True, slots=True)
class SpfOutcome:
    """A result and how it came about.

    ``reason``: the term that matched, or what went wrong; printable ASCII, at most 200 characters. ``lookups`` and
    ``voids`` are counted as RFC 7208 section 4.6.4 does; ``queries`` are the questions put to the resolver.
    """

    result: SpfResult
    reason: str
    lookups: int = 0
    voids: int = 0
    queries: int = 0


async def evaluate(
    client_ip: str,
    mail_from_domain: str | None,
    helo: str | None,
    resolver: Resolver,
    *,
    mail_from_local: str = "postmaster",
    budget: float = BUDGET,
    clock: Callable[[], float] | None = None,
) -> SpfOutcome:
    """The outcome of ``evaluation`` over a resolver.

    ``budget`` is in seconds of ``clock``, by default the running loop's. Whatever the inputs, records or answers are,
    the outcome says it; nothing is raised. A timeout gives ``temperror``.
    """
    clock = clock or asyncio.get_running_loop().time
    deadline = clock() + budget
    steps = evaluation(client_ip, mail_from_domain, helo, mail_from_local=mail_from_local)
    try:
        questions = next(steps)
        while True:
            try:
                answers = await _resolved(resolver, questions, deadline - clock())
            except TimeoutError:
                questions = steps.throw(TimeoutError(f"no result within {budget:g} s"))
            else:
                questions = steps.send(answers)
    except StopIteration as end:
        outcome: SpfOutcome = end.value
        return outcome


def evaluation(
    client_ip: str, mail_from_domain: str | None, helo: str | None, *, mail_from_local: str = "postmaster"
) -> Generator[list[Question], list[Answer], SpfOutcome]:
    """check_host() of RFC 7208 for the domain of MAIL FROM, or for ``helo`` where the reverse-path is null.

    Yields the questions that are needed next, is sent one answer a question in their order, and returns the outcome;
    whoever has no time left throws TimeoutError in. A client address that cannot be read, an answer that is unknown
    or incomplete, or a ``%{h}`` without a recorded HELO name give ``temperror``, also where section 5.5 would let
    ``ptr`` go on without the answer: what is not known must not become ``fail``.
    """
    address = _plain_address(client_ip)
    if address is None:
        return SpfOutcome(SpfResult.TEMPERROR, _printable(f"client address not understood: {client_ip!r}"))
    domain = checked_domain(mail_from_domain or helo or "")
    if domain is None:
        return SpfOutcome(SpfResult.NONE, _printable(f"not a domain name: {mail_from_domain or helo!r}"))
    local = mail_from_local if mail_from_domain else "postmaster"  # RFC 7208 section 2.4
    known: dict[Question, Answer] = {}
    while True:
        query = _Query(address, local, domain, helo, known)
        try:
            return query.outcome()
        except Missing as missing:
            questions = missing.questions
        if len(known) + len(questions) > MOST_QUESTIONS:
            return query.ended(SpfResult.PERMERROR, f"more than {MOST_QUESTIONS} questions")
        try:
            answers = yield list(questions)
        except TimeoutError as late:
            return query.ended(SpfResult.TEMPERROR, f"timeout: {late}")
        known.update(zip(questions, answers, strict=True))


async def _resolved(resolver: Resolver, questions: Sequence[Question], seconds: float) -> list[Answer]:
    """The answers, or TimeoutError; with no time left nothing is asked."""
    if seconds <= 0:
        raise TimeoutError
    async with asyncio.timeout(seconds):
        return await resolver.resolve(questions)


class _Query(KnownQuery):
    """One run of pyspf for one message."""

    def __init__(
        self, address: str, local: str, domain: str, helo: str | None, known: Mapping[Question, Answer]
    ) -> None:
        super().__init__(address, domain, (helo or _NO_HELO).removesuffix("."), known)
        # Set afterwards, for pyspf splits a quoted local part at its first "@".
        self.l, self.s = local, f"{local}@{domain}"
        self._lacks_helo = not helo

    def outcome(self) -> SpfOutcome:
        """What the records say. Raises Missing while an answer is lacking."""
        try:
            word, _, text = self.check()
        except FAULTS as error:
            return self.ended(SpfResult.TEMPERROR, f"pyspf failed: {error!r}")
        result = SpfResult(word)
        if result in {SpfResult.PERMERROR, SpfResult.TEMPERROR}:
            return self.ended(result, text.partition(" Error: ")[2])
        if result is SpfResult.NONE:
            return self.ended(result, "no SPF record")
        return self.ended(result, self.mechanism or "no term matches")

    def ended(self, result: SpfResult, reason: str) -> SpfOutcome:
        """The outcome with this run's counts."""
        return SpfOutcome(result, _printable(reason), self.lookups, self.void_lookups, len(self._known))

    def records(self, question: Question) -> list[Any]:
        """As its parent; a name made from a HELO name that nobody recorded is not known."""
        if self._lacks_helo and _NO_HELO in question.name:
            raise spf.TempError("%{h} is needed and no HELO name was recorded")
        return super().records(question)


def _plain_address(text: str) -> str | None:
    """The address without its zone being lost in silence: with one it is not of this Internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else str(address)


def _printable(text: str) -> str:
    """Domain owners choose parts of it: control characters are spelled out, the rest is cut."""
    return text.encode("unicode_escape").decode("ascii")[:_MOST_REASON]
