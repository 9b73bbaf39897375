"""Asks resolvers about many names: bounded, paced, with retries elsewhere; what cannot be found out stays unknown.

Every question is asked up to ``attempts`` times, the n-th time on channel n and on another resolver where there are
several, after a growing pause. A resolver whose breaker is open is not asked; where all of them are, names wait a
while and are then unknown (``circuit_open``) until one recovers.
"""

from __future__ import annotations

import asyncio
import random as randomness
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from string import ascii_lowercase
from typing import TYPE_CHECKING, Final, Self, TypeVar

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.inquiry import Inquiry, SingleInquiry
from poolsift.dns.judge import MAX_ALIASES, Judgement, judge
from poolsift.dns.names import unaskable
from poolsift.dns.zones import ZoneCounts
from poolsift.tables import special_use_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
    from types import TracebackType

    from poolsift.dns.upstream import Upstream

AnyInquiry = TypeVar("AnyInquiry", Inquiry, SingleInquiry)

#: Pause before the second attempt in seconds; doubled for each further one, and up to twice that by chance.
FIRST_PAUSE: Final = 0.25
#: Seconds that names wait for a resolver to recover before they are unknown.
PATIENCE: Final = 60.0
#: Random names under these are asked at the start: an answer with an address is a lie.
_PROBED: Final = ("com", "net", "org")


@dataclass
class EngineStats:
    """What was asked and what came of it."""

    queries: int = 0
    confirmations: int = 0
    retries: int = 0
    names: int = 0
    answers: Counter[str] = field(default_factory=Counter)  #: by status, unknown ones by reason


class Engine:
    """A Resolver over one or several upstreams; use it as an asynchronous context manager.

    ``concurrency`` bounds the names under way, ``zone_cap`` the names asked below one organizational domain
    (0: no bound). ``patience``: seconds that names wait while every resolver fails. ``now`` gives the wall time of
    answers; pauses are by the running loop's clock.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        *,
        concurrency: int = 300,
        attempts: int = 3,
        zone_cap: int = 0,
        probe: bool = True,
        patience: float = PATIENCE,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: randomness.Random | None = None,
    ) -> None:
        self.stats = EngineStats()
        self._lies: list[str] = []
        self.upstreams = tuple(upstreams)
        #: Where there is no choice, none is made: it would cost a tenth of all that a query costs.
        self._only = self.upstreams[0] if len(self.upstreams) == 1 else None
        self._places = {upstream: place for place, upstream in enumerate(self.upstreams)}
        self._concurrency = concurrency
        self._attempts = attempts
        self._zones = ZoneCounts(zone_cap)
        self._probe = probe
        self._patience = patience
        self._now = now
        self._random = random or randomness.Random()  # noqa: S311 - jitter and probe names are no secrets
        special_use_names()  # read now: a process that runs out of file descriptors could not do so later
        self._time: Callable[[], float] = time.monotonic
        self._turn = 0
        self._under_way = asyncio.Semaphore(concurrency)
        self._down_since: float | None = None

    async def __aenter__(self) -> Self:
        self._time = asyncio.get_running_loop().time
        if self._probe:
            await asyncio.gather(*map(self._look_for_hijack, self.upstreams))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def warnings(self) -> list[str]:
        """What people should know of the resolvers so far, a line each."""
        return self._lies + [upstream.trouble for upstream in self.upstreams if upstream.breaker.opened]

    def refresh(self) -> None:
        """Before questions are asked again: nothing that a library remembers may answer them."""
        for upstream in self.upstreams:
            upstream.refresh()

    async def close(self) -> None:
        """Close every upstream."""
        for upstream in self.upstreams:
            await upstream.close()

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order; absences are as one resolver said them, unconfirmed.

        No cap holds: whoever asks single questions, of a blocklist for example, knows how many there are. Where an
        absence counts, ``run`` takes a SingleInquiry.
        """
        answers: list[Answer | None] = [None] * len(questions)

        async def one(place: int) -> None:
            async with self._under_way:
                answers[place] = await self._answer(questions[place])

        await self._many(one(place) for place in range(len(questions)))
        return [answer for answer in answers if answer is not None]

    async def run(self, inquiries: Iterable[AnyInquiry], finished: Callable[[AnyInquiry], None]) -> None:
        """Bring every inquiry to its end, in any order; ``finished`` takes each at once."""
        self._down_since = None  # what an earlier run waited for in vain is not this one's patience

        async def one(inquiry: AnyInquiry) -> None:
            async with self._under_way:
                await self._complete(inquiry)
            finished(inquiry)

        await self._many(one(inquiry) for inquiry in inquiries)

    async def inquire(
        self, names: Iterable[str], need: str = "verdict"
    ) -> AsyncIterator[tuple[str, dict[str, Answer]]]:
        """(name, answers by type) for each name, in any order."""
        done: asyncio.Queue[Inquiry | None] = asyncio.Queue()

        async def work() -> None:
            try:
                await self.run((Inquiry(name, need) for name in names), done.put_nowait)
            finally:
                done.put_nowait(None)

        working = asyncio.create_task(work())
        try:
            while (inquiry := await done.get()) is not None:
                yield inquiry.name, inquiry.answers
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _many(self, jobs: Iterator[Awaitable[None]]) -> None:
        """Workers that pull from one iterator, so that a million names are never a million tasks."""

        async def work(job: Awaitable[None]) -> None:
            await job
            for further in jobs:
                await further

        first = list(islice(jobs, self._concurrency))
        try:
            async with asyncio.TaskGroup() as group:
                for job in first:
                    group.create_task(work(job))
        except BaseExceptionGroup as several:
            # Nothing that the DNS does raises; what does, such as a full disk, hits all workers alike.
            raise several.exceptions[0] from None

    async def _complete(self, inquiry: Inquiry | SingleInquiry) -> None:
        self.stats.names += 1
        step = inquiry.next_step()
        reason = None if step is None else unaskable(inquiry.name)
        if reason is not None:
            inquiry.refuse(Answer(AnswerStatus.INVALID, reason=reason, asked_at=self._now()))
        elif step is not None and not self._zones.admits(inquiry.name):
            inquiry.refuse(unknown(Reason.ZONE_CAP, self._now()))
        else:
            seen_by: dict[str, Upstream] = {}
            while step is not None:
                inquiry.take(step, await self._followed(step.question, seen_by, confirms=step.confirms))
                step = inquiry.next_step()
        for answer in inquiry.answers.values():
            word = answer.reason if answer.status is AnswerStatus.UNKNOWN else None
            self.stats.answers[word or answer.status] += 1

    async def _answer(self, question: Question) -> Answer:
        reason = unaskable(question.name)
        if reason is not None:
            return Answer(AnswerStatus.INVALID, reason=reason, asked_at=self._now())
        return await self._followed(question, {}, confirms=False)

    async def _followed(self, question: Question, seen_by: dict[str, Upstream], *, confirms: bool) -> Answer:
        """The answer at the end of the aliases that replies leave open.

        ``seen_by``: who answered which type of this name last; a confirmation goes to another resolver.
        """
        rdtype = question.rdtype
        apart = seen_by.get(rdtype, seen_by.get("MX")) if confirms else None
        self.stats.confirmations += confirms
        seen = {question.name}
        while True:
            (answer, next_name), upstream = await self._tried(question, apart, confirms=confirms)
            if next_name is None:
                if upstream is not None and not confirms:
                    seen_by[rdtype] = upstream
                return answer
            if next_name in seen:
                return unknown(Reason.CNAME_LOOP, answer.asked_at)
            if len(seen) > MAX_ALIASES:
                return unknown(Reason.CNAME_LIMIT, answer.asked_at)
            if unaskable(next_name) is not None:
                return unknown(Reason.EMPTY_REPLY, answer.asked_at)
            seen.add(next_name)
            question = Question(next_name, question.rdtype)

    async def _tried(
        self, question: Question, apart: Upstream | None, *, confirms: bool
    ) -> tuple[Judgement, Upstream | None]:
        """The first judgement that says something, else the last, and whose it is."""
        self._turn += 1
        turn = self._turn
        judgement, upstream = None, None
        failed: list[Upstream] = []
        for attempt in range(self._attempts):
            if attempt:
                self.stats.retries += 1
                await asyncio.sleep(FIRST_PAUSE * 2 ** (attempt - 1) * (1 + self._random.random()))
            only = self._only
            # c-ares gives up at a packet that it cannot read; dnspython goes on listening for a better one.
            odd = judgement is not None and judgement.answer.reason == Reason.MALFORMED
            if only is not None and not only.breaker.is_open:
                tried, upstream = await self._exchange(only, question, attempt, patient=confirms or odd), only
            else:
                tried, upstream = None, None
            if tried is None:
                rank = self._ranking(turn, failed, apart, confirms=confirms)
                tried, upstream = await self._exchanged(question, attempt, rank, patient=confirms or odd)
            if tried is None or upstream is None:
                break
            failed.append(upstream)
            judgement = tried
            if judgement.answer.status is not AnswerStatus.UNKNOWN or judgement.next_name is not None:
                break
        return judgement or Judgement(unknown(Reason.CIRCUIT_OPEN, self._now())), upstream

    async def _exchanged(
        self, question: Question, attempt: int, rank: Callable[[Upstream], tuple[float, ...]], *, patient: bool
    ) -> tuple[Judgement | None, Upstream | None]:
        """One attempt, at the next resolver where the breaker of one opens before the query has gone out."""
        while True:
            upstream = await self._choose(rank)
            if upstream is None:
                return None, None
            judgement = await self._exchange(upstream, question, attempt, patient=patient)
            if judgement is not None:
                return judgement, upstream

    async def _exchange(
        self, upstream: Upstream, question: Question, attempt: int, *, patient: bool
    ) -> Judgement | None:
        """One query; ``patient`` by the transport that sees flags and outlasts bad packets."""
        start = self._time()
        reply = await (upstream.confirm(question, start) if patient else upstream.ask(question, attempt, start))
        if reply is None:
            return None
        self.stats.queries += 1
        judgement = judge(question, reply, self._now())
        if not upstream.trusts(judgement.answer):
            judgement = judgement._replace(answer=unknown(Reason.HIJACKED, judgement.answer.asked_at))
        upstream.heed(question, judgement.answer, self._time(), open_end=judgement.next_name is not None)
        return judgement

    def _ranking(
        self, turn: int, failed: list[Upstream], apart: Upstream | None, *, confirms: bool
    ) -> Callable[[Upstream], tuple[float, ...]]:
        """The order in which resolvers are preferred, the least first.

        Not one that makes answers up, for confirmations; not one that has just failed; not the one whose absence is
        to be confirmed; then the one that is soonest free; then by turns.
        """

        def rank(upstream: Upstream) -> tuple[float, ...]:
            unfit = confirms and bool(upstream.hijacked)
            place = (self._places[upstream] - turn) % len(self._places)
            return unfit, failed.count(upstream), upstream is apart, upstream.backlog, place

        return rank

    async def _choose(self, rank: Callable[[Upstream], tuple[float, ...]]) -> Upstream | None:
        """The best of the resolvers that may be asked now.

        None when none recovered in time; as long as one is being tried, names wait for what comes of it.
        """
        while True:
            now = self._time()
            waits = {upstream: upstream.wait(now) for upstream in self.upstreams}
            ready = [upstream for upstream in self.upstreams if waits[upstream] <= 0]
            if ready:
                chosen = min(ready, key=rank) if len(ready) > 1 else ready[0]
                self._down_since = None if not chosen.breaker.is_open else self._down_since
                return chosen
            if self._down_since is None:
                self._down_since = now
            tried = any(upstream.breaker.is_tried(now) for upstream in self.upstreams)
            if now - self._down_since >= self._patience and not tried:
                return None
            await asyncio.sleep(min(waits.values()))

    async def _look_for_hijack(self, upstream: Upstream) -> None:
        """A resolver that gives addresses for names that cannot exist would hide every missing domain."""
        labels = ["".join(self._random.choices(ascii_lowercase, k=24)) for _ in _PROBED]
        questions = [Question(f"{label}.{suffix}", "A") for label, suffix in zip(labels, _PROBED, strict=True)]
        replies = await asyncio.gather(*(upstream.ask(question, 0, self._time()) for question in questions))
        answers = [judge(q, reply, self._now()).answer for q, reply in zip(questions, replies, strict=True) if reply]
        lies = {rdata for answer in answers for rdata in answer.rdata}
        if lies:
            upstream.hijacked = frozenset(lies)
            self._lies.append(
                f"resolver {upstream.name} gives addresses for names that do not exist "
                f"({', '.join(sorted(lies)[:3])}): these addresses count as unknown; use another resolver"
            )
