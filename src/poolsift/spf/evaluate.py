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

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.judge import MAX_RECORDS
from poolsift.dns.names import unaskable
from poolsift.domain_facts import canonical_domain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from poolsift.dns.answers import Resolver

#: Seconds for one evaluation, its queries included (RFC 7208 section 4.6.4: at least 20).
BUDGET: Final = 20.0
#: The record, then ten terms of which each asks one question and for at most ten hosts (RFC 7208 section 4.6.4).
MOST_QUESTIONS: Final = 1 + 10 * 11
#: Characters of a record, and of one of its terms. A name ends at 253; beyond these, pyspf's patterns take a time that
#: grows with the square of the length, and the domain owner decides how long we compute.
MOST_RECORD: Final = 16_384
MOST_TERM: Final = 512

_MOST_REASON: Final = 200
#: Stands for a HELO name that nobody recorded; one label without any delimiter, so that every macro keeps it whole.
_NO_HELO: Final = "helothatwasnotrecorded"
#: Types of which one record more or less may change the result.
_COUNTED: Final = frozenset({"A", "AAAA"})


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
    """check_host() of RFC 7208 for the domain of MAIL FROM, or for ``helo`` where the reverse-path is null.

    ``budget`` is in seconds of ``clock``, by default the running loop's. Whatever the inputs, records or answers are,
    the outcome says it; nothing is raised. A client address that cannot be read, a timeout, an answer that is unknown
    or incomplete, or a ``%{h}`` without a recorded HELO name give ``temperror``, also where section 5.5 would let
    ``ptr`` go on without the answer: what is not known must not become ``fail``.
    """
    address = _plain_address(client_ip)
    if address is None:
        return SpfOutcome(SpfResult.TEMPERROR, _printable(f"client address not understood: {client_ip!r}"))
    domain = _checked_domain(mail_from_domain or helo or "")
    if domain is None:
        return SpfOutcome(SpfResult.NONE, _printable(f"not a domain name: {mail_from_domain or helo!r}"))
    local = mail_from_local if mail_from_domain else "postmaster"  # RFC 7208 section 2.4
    clock = clock or asyncio.get_running_loop().time
    deadline = clock() + budget
    known: dict[Question, Answer] = {}
    while True:
        query = _Query(address, local, domain, helo, known)
        try:
            return query.outcome()
        except _Missing as missing:
            questions = missing.questions
        if len(known) + len(questions) > MOST_QUESTIONS:
            return query.ended(SpfResult.PERMERROR, f"more than {MOST_QUESTIONS} questions")
        try:
            answers = await _resolved(resolver, questions, deadline - clock())
        except TimeoutError:
            return query.ended(SpfResult.TEMPERROR, f"timeout: no result within {budget:g} s")
        known.update(zip(questions, answers, strict=True))


async def _resolved(resolver: Resolver, questions: Sequence[Question], seconds: float) -> list[Answer]:
    """The answers, or TimeoutError; with no time left nothing is asked."""
    if seconds <= 0:
        raise TimeoutError
    async with asyncio.timeout(seconds):
        return await resolver.resolve(questions)


class _Missing(Exception):  # noqa: N818 - no error: what pyspf needs next
    """Leaves pyspf, which lets everything but its own exceptions through."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        super().__init__(questions)
        self.questions = questions


class _Query(spf.query):  # type: ignore[misc]
    """One run of pyspf over known answers. Every question of pyspf goes through ``dns``, which opens no socket."""

    def __init__(
        self, address: str, local: str, domain: str, helo: str | None, known: Mapping[Question, Answer]
    ) -> None:
        super().__init__(i=address, s=f"x@{domain}", h=(helo or _NO_HELO).removesuffix("."), querytime=0)
        # Set afterwards, for pyspf splits a quoted local part at its first "@".
        self.l, self.s = local, f"{local}@{domain}"
        self._known = known
        self._lacks_helo = not helo

    def outcome(self) -> SpfOutcome:
        """What the records say. Raises _Missing while an answer is lacking."""
        try:
            word, _, text = self.check()
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # A fault of pyspf says nothing about the domain, and one domain must not end a run over a million.
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

    def get_explanation(self, spec: str) -> None:
        """The text behind ``exp=`` changes no result and is not asked for."""

    def dns(self, name: str, qtype: str, **_: object) -> list[Any]:
        """The records in pyspf's form; an empty answer counts as void (RFC 7208 section 4.6.4).

        Names that the DNS cannot carry match nothing and are not counted (section 4.3; RFC 8616 section 4).
        """
        question = _question(name, qtype)
        if question is None:
            return []
        if self._lacks_helo and _NO_HELO in question.name:
            raise spf.TempError("%{h} is needed and no HELO name was recorded")
        records = self._records(question)
        if not records:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
        elif qtype == "MX" and len(records) <= spf.MAX_MX:
            self._need_addresses(host for _, host in records)
        elif qtype == "PTR":
            self._need_addresses(records[: spf.MAX_PTR])
        return records

    def _records(self, question: Question) -> list[Any]:
        answer = self._known.get(question)
        if answer is None:
            raise _Missing((question,))
        doubt = _doubt(question, answer)
        if doubt is not None:
            raise spf.TempError(f"{question.rdtype} of {question.name}: {doubt}")
        if question.rdtype == "TXT":
            _check_lengths(answer.rdata)
        return [_in_pyspf_form(question.rdtype, text) for text in answer.rdata]

    def _need_addresses(self, hosts: Iterable[str]) -> None:
        """Ask for the addresses of all these hosts at once; pyspf would come for each of them."""
        wanted = dict.fromkeys(_question(host, self.A) for host in hosts)
        missing = tuple(question for question in wanted if question and question not in self._known)
        if missing:
            raise _Missing(missing)


def _doubt(question: Question, answer: Answer) -> str | None:
    """Why an answer cannot be counted on; None for records that are all there, and for there being none."""
    if answer.status is AnswerStatus.UNKNOWN:
        return answer.reason or "unknown"
    if answer.status is AnswerStatus.INVALID and answer.reason == Reason.SYNTAX:
        return "a name that is not asked"  # such as macros make: the DNS may well have it
    if answer.status is AnswerStatus.PRESENT and not answer.rdata:
        return "the records are not listed"
    if question.rdtype in _COUNTED and len(answer.rdata) >= MAX_RECORDS:
        return f"of {MAX_RECORDS} records and more the rest is not kept"
    return None


def _check_lengths(texts: Iterable[str]) -> None:
    """Raise pyspf's PermError for a record that is too long to be worked through."""
    for text in texts:
        if text[:7].lower() == "v=spf1 ":
            if len(text) > MOST_RECORD:
                raise spf.PermError(f"SPF record of {len(text)} characters, at most {MOST_RECORD} are read")
            longest = max(map(len, text.split(" ")))
            if longest > MOST_TERM:
                raise spf.PermError(f"term of {longest} characters, at most {MOST_TERM} are read")


def _in_pyspf_form(rdtype: str, text: str) -> Any:
    if rdtype == "MX":
        preference, _, host = text.partition(" ")
        return int(preference), host
    # Only ASCII records are evaluated; which bytes stand for other characters is all the same.
    return (text.encode("utf-8", "surrogatepass"),) if rdtype == "TXT" else text


def _question(name: str, rdtype: str) -> Question | None:
    """The question for a name that macros may have made; None where the DNS cannot carry the name."""
    name = name.lower().removesuffix(".")
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]  # RFC 7208 section 7.3
    carried = name.isascii() and all(0 < len(label) < 64 for label in name.split("."))
    return Question(name, rdtype) if carried else None


def _plain_address(text: str) -> str | None:
    """The address without its zone being lost in silence: with one it is not of this Internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return None if "%" in text else str(address)


def _checked_domain(text: str) -> str | None:
    """The canonical form, or None for what is no domain name of several labels (RFC 7208 section 4.3)."""
    domain = canonical_domain(text)
    if domain is None or unaskable(domain) in {Reason.SYNTAX, Reason.LITERAL, Reason.SINGLE_LABEL}:
        return None
    return domain


def _printable(text: str) -> str:
    """Domain owners choose parts of it: control characters are spelled out, the rest is cut."""
    return text.encode("unicode_escape").decode("ascii")[:_MOST_REASON]
