"""pyspf over answers that are at hand: it opens no socket, and names what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import spf

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.judge import MAX_RECORDS
from poolsift.dns.names import unaskable
from poolsift.domain_facts import canonical_domain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Questions of one evaluation: the record, then ten terms of which each asks one question and for at most ten hosts
#: (RFC 7208 section 4.6.4).
MOST_QUESTIONS: Final = 1 + 10 * 11
#: Characters of a record, and of one of its terms. A name ends at 253; beyond these, pyspf's patterns take a time that
#: grows with the square of the length, and the domain owner decides how long we compute.
MOST_RECORD: Final = 16_384
MOST_TERM: Final = 512
#: Faults of pyspf itself. They say nothing about the domain, and one domain must not end a run over a million.
FAULTS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)

#: Types of which one record more or less may change the result.
_COUNTED: Final = frozenset({"A", "AAAA"})


class Missing(Exception):  # noqa: N818 - no error: what pyspf needs next
    """Leaves pyspf, which lets everything but its own exceptions through."""

    def __init__(self, questions: tuple[Question, ...]) -> None:
        super().__init__(questions)
        self.questions = questions


class KnownQuery(spf.query):  # type: ignore[misc]
    """pyspf for one client over known answers. Every question of pyspf goes through ``dns``.

    ``address`` is one that ``ipaddress`` reads. Methods raise Missing while an answer is lacking, beside pyspf's own
    PermError and TempError.
    """

    def __init__(self, address: str, domain: str, helo: str, known: Mapping[Question, Answer]) -> None:
        super().__init__(i=address, s=f"x@{domain}", h=helo, querytime=0)
        self._known = known

    def get_explanation(self, spec: str) -> None:
        """The text behind ``exp=`` changes no result and is not asked for."""

    def dns(self, name: str, qtype: str, **_: object) -> list[Any]:
        """The records in pyspf's form; an empty answer counts as void (RFC 7208 section 4.6.4).

        Names that the DNS cannot carry match nothing and are not counted (section 4.3; RFC 8616 section 4).
        """
        question = as_question(name, qtype)
        if question is None:
            return []
        records = self.records(question)
        if not records:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError(f"Void lookup limit of {spf.MAX_VOID_LOOKUPS} exceeded")
        elif qtype == "MX" and len(records) <= spf.MAX_MX:
            self._need_addresses(host for _, host in records)
        elif qtype == "PTR":
            self._need_addresses(records[: spf.MAX_PTR])
        return records

    def records(self, question: Question) -> list[Any]:
        """The records of a question; TempError where they are not known for certain."""
        answer = self._known.get(question)
        if answer is None:
            raise Missing((question,))
        doubt = _doubt(question, answer)
        if doubt is not None:
            raise spf.TempError(f"{question.rdtype} of {question.name}: {doubt}")
        if question.rdtype == "TXT":
            _check_lengths(answer.rdata)
        return [_in_pyspf_form(question.rdtype, text) for text in answer.rdata]

    def _need_addresses(self, hosts: Iterable[str]) -> None:
        """Ask for the addresses of all these hosts at once; pyspf would come for each of them."""
        wanted = dict.fromkeys(as_question(host, self.A) for host in hosts)
        missing = tuple(question for question in wanted if question and question not in self._known)
        if missing:
            raise Missing(missing)


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


def as_question(name: str, rdtype: str) -> Question | None:
    """The question for a name that macros may have made; None where the DNS cannot carry the name."""
    name = name.lower().removesuffix(".")
    while len(name) > 253 and "." in name:
        name = name.partition(".")[2]  # RFC 7208 section 7.3
    carried = name.isascii() and all(0 < len(label) < 64 for label in name.split("."))
    return Question(name, rdtype) if carried else None


def checked_domain(text: str) -> str | None:
    """The canonical form, or None for what is no domain name of several labels (RFC 7208 section 4.3)."""
    domain = canonical_domain(text)
    if domain is None or unaskable(domain) in {Reason.SYNTAX, Reason.LITERAL, Reason.SINGLE_LABEL}:
        return None
    return domain
