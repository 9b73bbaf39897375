"""One name's inquiry: which question comes next, and what the answers come to. No I/O, no clock.

``verdict`` asks MX first and A only where there is no MX, for a name with either resolves. ``full`` asks both.
``addresses`` asks A and AAAA, of the hosts that an MX names. An absence that would decide *neither A nor MX* is
looked at once more by a query that shows flags and SOA; unconfirmed it is unknown. ``SingleInquiry`` is about one
question alone, where any absence counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

NEEDS: Final = ("verdict", "full", "addresses")

_PRESENT, _ABSENT, _UNKNOWN = AnswerStatus.PRESENT, AnswerStatus.ABSENT, AnswerStatus.UNKNOWN


class Step(NamedTuple):
    """The next question, and whether it confirms an absence (asked by dnspython, elsewhere if possible)."""

    question: Question
    confirms: bool


class Inquiry:
    """What is still to be asked about one name.

    ``known`` are answers that a cache holds fresh; they are not asked again. ``answers`` is everything known at
    the end, ``learned`` the types of it that are news.
    """

    __slots__ = ("answers", "learned", "name", "need")

    def __init__(self, name: str, need: str = "verdict", known: Mapping[str, Answer] | None = None) -> None:
        self.name = name
        self.need = need
        self.answers: dict[str, Answer] = dict(known or {})
        self.learned: set[str] = set()

    def next_step(self) -> Step | None:
        """The question to ask now; None when everything is known that can be."""
        missing = self._missing()
        if missing is not None:
            return Step(Question(self.name, missing), confirms=False)
        doubtful = self._doubtful()
        if doubtful is not None:
            return Step(Question(self.name, doubtful), confirms=True)
        return None

    def take(self, step: Step, answer: Answer) -> None:
        """What came of a step."""
        rdtype = step.question.rdtype
        if not step.confirms or answer.status is _PRESENT:
            self._learn(rdtype, answer)
        elif answer.status is _ABSENT:
            self._confirm(rdtype, answer)
        else:
            self._doubt(answer)

    def refuse(self, answer: Answer) -> None:
        """One answer for everything that would have been asked: the name is not asked at all."""
        for rdtype in ("A", "AAAA") if self.need == "addresses" else ("MX", "A"):
            self._learn(rdtype, answer)

    @property
    def news(self) -> list[tuple[Question, Answer]]:
        """What was learned, for a cache."""
        return [(Question(self.name, rdtype), self.answers[rdtype]) for rdtype in sorted(self.learned)]

    def _learn(self, rdtype: str, answer: Answer) -> None:
        self.answers[rdtype] = answer
        self.learned.add(rdtype)

    def _missing(self) -> str | None:
        """The type that has not been asked and is needed."""
        if self.need == "addresses":
            return next((rdtype for rdtype in ("A", "AAAA") if rdtype not in self.answers), None)
        if "MX" not in self.answers:
            return "MX"
        if "A" not in self.answers and (self.need == "full" or self._status("MX") is not _PRESENT):
            # RFC 8020: where the name does not exist, no type of it does; the confirmation asks for A.
            if self.answers["MX"].reason == Reason.NXDOMAIN:
                return None
            return "A"
        if "AAAA" not in self.answers and self._is_settled_absence() and self.answers["A"].reason == Reason.NODATA:
            return "AAAA"  # only for the mark `aaaa_only`
        return None

    def _doubtful(self) -> str | None:
        """The type whose absence must be seen once more."""
        if self.need == "addresses" or self._status("MX") is _PRESENT:
            return None
        mx, a = self.answers["MX"], self.answers.get("A")
        if mx.status is _UNKNOWN:  # NXDOMAIN speaks of the name (RFC 8020): it settles MX too
            gone = a is not None and a.status is _ABSENT and a.reason == Reason.NXDOMAIN and not a.confirmed
            return "A" if gone else None
        if mx.status is not _ABSENT:
            return None
        if a is None:  # MX said NXDOMAIN; a query of the other type says it independently
            return "A"
        if a.status is not _ABSENT:
            return None
        if not a.confirmed:
            return "A"
        return None if mx.confirmed else "MX"

    def _confirm(self, rdtype: str, answer: Answer) -> None:
        seen = replace(answer, confirmed=True)
        self._learn(rdtype, seen)
        if answer.reason == Reason.NXDOMAIN:
            for other in ("MX", "A"):
                self._learn(other, seen)

    def _doubt(self, answer: Answer) -> None:
        """Nobody saw the absence a second time: what was absent without confirmation is unknown."""
        reason = Reason.LAME if answer.reason == Reason.LAME else Reason.UNCONFIRMED
        for rdtype in ("MX", "A"):
            held = self.answers.get(rdtype)
            if held is None or (held.status is _ABSENT and not held.confirmed):
                self._learn(rdtype, unknown(reason, answer.asked_at, answer.ttl))

    def _is_settled_absence(self) -> bool:
        pair = [self.answers.get(rdtype) for rdtype in ("MX", "A")]
        return all(one is not None and one.status is _ABSENT and one.confirmed for one in pair)

    def _status(self, rdtype: str) -> AnswerStatus:
        answer = self.answers.get(rdtype)
        return _UNKNOWN if answer is None else answer.status


class SingleInquiry:
    """One question whose absence counts, as in SPF (RFC 7208 section 4.6.4): it is seen twice or it is unknown.

    ``known`` is what a cache holds of the question; an absence in it that nobody confirmed is only asked for again by
    the query that confirms. Brought to its end in the same way as an Inquiry.
    """

    __slots__ = ("_settled", "answers", "name", "question")

    def __init__(self, question: Question, known: Answer | None = None) -> None:
        self.name = question.name
        self.question = question
        self.answers: dict[str, Answer] = {} if known is None else {question.rdtype: known}
        self._settled = known is not None and not is_open(known)

    @property
    def answer(self) -> Answer:
        """What the question came to. Raises KeyError before anything is known."""
        return self.answers[self.question.rdtype]

    def next_step(self) -> Step | None:
        """The question, then perhaps its confirmation; None at the end."""
        if self._settled:
            return None
        return Step(self.question, confirms=self.question.rdtype in self.answers)

    def take(self, step: Step, answer: Answer) -> None:
        """What came of a step."""
        if step.confirms and answer.status is _ABSENT:
            answer = replace(answer, confirmed=True)
        elif step.confirms and answer.status is not _PRESENT:
            reason = Reason.LAME if answer.reason == Reason.LAME else Reason.UNCONFIRMED
            answer = unknown(reason, answer.asked_at, answer.ttl)
        self.answers[self.question.rdtype] = answer
        self._settled = not is_open(answer)

    def refuse(self, answer: Answer) -> None:
        """The answer in place of asking."""
        self.answers[self.question.rdtype] = answer
        self._settled = True

    @property
    def news(self) -> list[tuple[Question, Answer]]:
        """What was learned, for a cache."""
        return [(self.question, self.answer)]


def is_open(answer: Answer) -> bool:
    """Whether this is an absence that was said once, and so proves nothing."""
    return answer.status is _ABSENT and not answer.confirmed


def settled_types(need: str, answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """The types that an inquiry with these answers asks: old answers beyond them do not reach a snapshot."""
    inquiry = Inquiry("", need)
    used: list[str] = []
    while (step := inquiry.next_step()) is not None and step.question.rdtype in answers:
        rdtype = step.question.rdtype
        answer = answers[rdtype]
        inquiry.take(Step(step.question, confirms=False), answer)
        if rdtype not in used:
            used.append(rdtype)
        elif step.confirms:
            break
    return tuple(sorted(used))


def counting(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers of one name, with no pair of absences among them that a second query did not confirm.

    Whatever answers come from (several runs, a cache, stale ones), this is the last gate before a verdict.
    """
    pair = [answers[rdtype] for rdtype in ("MX", "A") if rdtype in answers]
    counted = dict(answers)
    if len(pair) == 2 and all(one.status is _ABSENT for one in pair):
        for rdtype in ("MX", "A"):
            one = answers[rdtype]
            if not one.confirmed:
                counted[rdtype] = unknown(Reason.UNCONFIRMED, one.asked_at, one.ttl)
    return counted


def with_stale(answers: Mapping[str, Answer], stale: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers, and where one could not be found out now, what was known before (RFC 8767), marked."""
    return {
        rdtype: replace(stale[rdtype], reason=Reason.STALE) if one.status is _UNKNOWN and rdtype in stale else one
        for rdtype, one in answers.items()
    }
