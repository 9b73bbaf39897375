"""A resolver that remembers: fresh answers from the cache, the others from an engine, each question once a run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.inquiry import SingleInquiry, is_open

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from poolsift.dns.cache import DnsCache
    from poolsift.dns.engine import Engine

#: Reasons of a run that did not ask: they say nothing to another one.
NOT_ASKED: Final = frozenset(
    {Reason.OFFLINE, Reason.ZONE_CAP, Reason.CANCELLED, Reason.NOT_LISTED, Reason.CIRCUIT_OPEN}
)
#: Answers of this run held in memory; beyond, the cache is asked again.
_MOST_HELD: Final = 50_000


def known_answers(cache: DnsCache, questions: Iterable[Question], since: datetime) -> dict[Question, Answer]:
    """What the cache holds of these questions and need not be asked: fresh answers, and those learned since then.

    Absences that nobody confirmed are among them, for a SingleInquiry to confirm.
    """
    wanted = list(questions)
    held = cache.lookup([question.name for question in wanted], since=since)
    found = {question: held.get(question.name, {}).get(question.rdtype) for question in wanted}
    return {question: one for question, one in found.items() if one is not None and one.reason not in NOT_ASKED}


def or_stale(cache: DnsCache, answers: dict[Question, Answer]) -> dict[Question, Answer]:
    """The answers, and where one could not be found out, what was known before (RFC 8767), marked.

    An old absence stands in only where a second query had seen it.
    """
    failed = [question.name for question, one in answers.items() if one.status is AnswerStatus.UNKNOWN]
    if not failed:
        return answers
    held = cache.stale(failed)
    stood_in = dict(answers)
    for question, one in answers.items():
        old = held.get(question.name, {}).get(question.rdtype) if one.status is AnswerStatus.UNKNOWN else None
        if old is not None and not is_open(old):
            stood_in[question] = replace(old, reason=Reason.STALE)
    return stood_in


class CachingResolver:
    """A Resolver over a cache and a running engine, for any number of callers in the engine's event loop.

    An absence that it gives was seen twice. ``since``: when the run began; what was learned from then on is not asked
    again, whatever its TTL. A caller that gives up does not end the question: others may wait for it, and the cache.
    """

    def __init__(self, cache: DnsCache, engine: Engine, *, since: datetime) -> None:
        self._cache = cache
        self._engine = engine
        self._since = since
        self._held: dict[Question, Answer] = {}
        self._under_way: dict[Question, asyncio.Task[Answer]] = {}

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order."""
        found: dict[Question, Answer | asyncio.Task[Answer]] = {}
        for question in dict.fromkeys(questions):
            one = self._held.get(question) or self._under_way.get(question)
            if one is not None:
                found[question] = one
        found |= self._begun([question for question in questions if question not in found])
        waited = [found[question] for question in questions]
        return [one if isinstance(one, Answer) else await asyncio.shield(one) for one in waited]

    async def close(self) -> None:
        """Nothing of its own to close: cache and engine belong to whoever opened them."""

    def _begun(self, questions: list[Question]) -> dict[Question, Answer | asyncio.Task[Answer]]:
        """What the cache knows of new questions, or who is asking."""
        begun: dict[Question, Answer | asyncio.Task[Answer]] = {}
        known = known_answers(self._cache, questions, self._since) if questions else {}
        for question in dict.fromkeys(questions):
            inquiry = SingleInquiry(question, known.get(question))
            if inquiry.next_step() is None:
                answer = or_stale(self._cache, {question: inquiry.answer})[question]
                begun[question] = answer
                self._hold(question, answer)
            else:
                begun[question] = self._under_way[question] = asyncio.create_task(self._ask(inquiry))
        return begun

    async def _ask(self, inquiry: SingleInquiry) -> Answer:
        question = inquiry.question
        try:
            await self._engine.run([inquiry], self._learn)
            answer = or_stale(self._cache, {question: inquiry.answer})[question]
            self._hold(question, answer)
            return answer
        finally:
            del self._under_way[question]

    def _learn(self, inquiry: SingleInquiry) -> None:
        self._cache.put(pair for pair in inquiry.news if pair[1].reason not in NOT_ASKED)

    def _hold(self, question: Question, answer: Answer) -> None:
        if len(self._held) >= _MOST_HELD:
            self._held.clear()
        self._held[question] = answer
