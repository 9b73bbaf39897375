"""One resolver as the engine sees it: its channels, its pace, whether it can be trusted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.pacing import Breaker, TokenBucket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from poolsift.dns.judge import Reply, Transport

#: Signs that the resolver itself is in trouble, or that it is asked too fast.
_OVERLOAD: Final = frozenset({Reason.TIMEOUT, Reason.REFUSED, Reason.CONNECTION, Reason.NETWORK})
#: Unknown by what the domain's owner published, or a lie that was found out: the resolver is there.
_NO_FAULT: Final = frozenset({Reason.CNAME_LOOP, Reason.CNAME_LIMIT, Reason.HIJACKED})


class Upstream:
    """A resolver: ``channels[n]`` sends the n-th attempt of a question, ``confirming`` looks at absences again.

    Queries that fail slow the pace down and feed the breaker. ``hijacked`` are the addresses that it gave for
    names that cannot exist. ``now`` is the running loop's time in seconds: asking the loop for it costs a system call.
    """

    def __init__(
        self,
        name: str,
        channels: Sequence[Transport],
        confirming: Transport,
        *,
        rate: float = 500.0,
        period: float = 30.0,
    ) -> None:
        self.name = name
        self.bucket = TokenBucket(rate)
        self.breaker = Breaker(period)
        self.hijacked: frozenset[str] = frozenset()
        self.queries = 0
        self._channels = tuple(channels)
        self._confirming = confirming
        self.queued = 0
        self._gate = asyncio.Lock()
        self._alibi: Question | None = None
        self._last_failure: str | None = None
        self._checking: asyncio.Task[None] | None = None

    def wait(self, now: float) -> float:
        """Seconds until this resolver may be asked at all."""
        return self.breaker.wait(now)

    @property
    def backlog(self) -> float:
        """Seconds until what waits for its turn will have been sent."""
        return self.queued / self.bucket.rate

    def ask(self, question: Question, attempt: int, now: float) -> Awaitable[Reply | None]:
        """The reply to the ``attempt``-th query of a question, from 0; ``heed`` is told what it came to.

        None where the breaker opened while the query waited for its turn: it was not sent.
        """
        return self._counted(self._channels[attempt % len(self._channels)], question, now)

    def confirm(self, question: Question, now: float) -> Awaitable[Reply | None]:
        """The reply of a query that shows flags and the authority section, or None as with ``ask``."""
        return self._counted(self._confirming, question, now)

    def heed(self, question: Question, answer: Answer, now: float, *, open_end: bool = False) -> None:
        """What the answer says about the resolver; a reply that ends in an alias (``open_end``) is a good one."""
        failed = answer.status is AnswerStatus.UNKNOWN and not open_end and answer.reason not in _NO_FAULT
        self.breaker.finish(not failed, now)
        if failed:
            self._last_failure = answer.reason
        if answer.status is AnswerStatus.PRESENT:
            self._alibi = question
        elif answer.reason in _OVERLOAD and self.breaker.is_strained:
            self.bucket.slow_down(now)
        if failed and self.breaker.suspects and self._checking is None:
            self._checking = asyncio.create_task(self._check(now))

    def trusts(self, answer: Answer) -> bool:
        """Whether the addresses are more than what this resolver gives for names that do not exist."""
        return not self.hijacked or not answer.rdata or not self.hijacked.issuperset(answer.rdata)

    @property
    def trouble(self) -> str:
        """How often it was left alone, and why the last time."""
        return (
            f"resolver {self.name} was left alone {self.breaker.opened} times because it kept failing "
            f"(last: {self._last_failure}); poolsift doctor --dns --resolver {self.name} looks at it"
        )

    def refresh(self) -> None:
        """Let every channel forget what it has seen."""
        for transport in self._channels:
            transport.refresh()

    async def close(self) -> None:
        """Close every channel."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        for transport in (*self._channels, self._confirming):
            await transport.close()

    async def _counted(self, transport: Transport, question: Question, now: float) -> Reply | None:
        wait = 0.0 if self.queued else self.bucket.reserve(now)
        if (self.queued or wait > 0) and not await self._turn_comes(wait):
            return None
        self.breaker.start()
        try:
            self.queries += 1
            return await transport.query(question)
        except BaseException:
            self.breaker.withdraw()
            raise

    async def _turn_comes(self, wait: float) -> bool:
        """Wait for the query's turn: ``wait`` seconds where a moment is booked, else behind the others.

        Only the first of the queue has a moment booked, so that a changed pace or an opened breaker holds for all
        others at once; False where the breaker has opened.
        """
        loop = asyncio.get_running_loop()
        self.queued += 1
        try:
            async with self._gate:
                if wait <= 0:
                    if self.breaker.wait(loop.time()) > 0:
                        return False
                    wait = self.bucket.reserve(loop.time())
                await asyncio.sleep(wait)
        finally:
            self.queued -= 1
        return self.breaker.wait(loop.time()) <= 0

    async def _check(self, now: float) -> None:
        """Ask what it has answered before: if that works, names are dead and not the resolver."""
        try:
            if self._alibi is not None:
                await asyncio.sleep(self.bucket.reserve(now))
                if self.breaker.is_open:
                    return
                self.queries += 1
                reply = await self._confirming.query(self._alibi)
                if reply.said == "answer":
                    self.breaker.acquit()
                    return
            self.breaker.open(asyncio.get_running_loop().time())
        finally:
            self._checking = None
