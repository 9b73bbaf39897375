"""SPF evaluated live: record trees and single messages over a resolver in the event loop of another thread."""

from __future__ import annotations

import asyncio
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Final

from poolsift.spf.driving import BUDGET, drive_live
from poolsift.spf.evaluate import evaluate
from poolsift.spf.results import TEMPERROR, OutcomeAsked, ProgramAsked, SpfResults, read_asked
from poolsift.spf.sources import new_compiler, new_table

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Future

    from poolsift._native.nouns import SpfTable
    from poolsift.dns.answers import Resolver
    from poolsift.spf.compile import Compiler
    from poolsift.spf.results import Asked

#: Domains under way at once. Few, for the time that questions wait for their turn counts in a domain's budget.
_AT_ONCE: Final = 50
#: Seconds between looks at the world while answers are waited for: an interrupt must not wait longer.
_BEAT: Final = 0.25


class LiveSpf:
    """SPF of one run; what is asked is in ``table`` in a while. Safe to share between threads.

    ``call`` runs a coroutine in the loop of ``resolver``. A domain that takes longer than ``budget`` seconds is a
    ``temperror`` (RFC 7208 section 4.6.4). ``results`` counts what was asked.
    """

    def __init__(
        self,
        resolver: Resolver,
        call: Callable[[Coroutine[Any, Any, None]], Future[None]],
        *,
        budget: float = BUDGET,
        table: SpfTable | None = None,
        compiler: Compiler | None = None,
    ) -> None:
        self._resolver = resolver
        self._call = call
        self._budget = budget
        self._compiler = compiler or new_compiler()
        self._under_way: dict[Asked, asyncio.Task[None]] = {}
        self.results = SpfResults(table or new_table())

    @property
    def table(self) -> SpfTable:
        """What kernels read."""
        return self.results.table

    def answer(self, asked: Sequence[tuple[Any, ...]]) -> None:
        """Add a program, a mark or an outcome for each entry (see ``read_asked``), and wait until all are there."""
        added = self.ask(asked)
        try:
            while not added.done():
                wait([added], _BEAT)
        except BaseException:
            added.cancel()
            raise
        added.result()

    def ask(self, asked: Sequence[tuple[Any, ...]]) -> Future[None]:
        """The same in a while."""
        return self._call(self._add_all([read_asked(entry) for entry in asked]))

    async def _add_all(self, wanted: list[Asked]) -> None:
        entries = iter(wanted)

        async def work() -> None:
            for entry in entries:
                if entry not in self._under_way:
                    if self.results.holds(entry):
                        continue
                    self._under_way[entry] = asyncio.create_task(self._add(entry))
                await asyncio.shield(self._under_way[entry])

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_AT_ONCE, len(wanted))):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _add(self, entry: Asked) -> None:
        try:
            if isinstance(entry, ProgramAsked):
                await self._add_program(entry)
            else:
                await self._add_outcome(entry)
        finally:
            del self._under_way[entry]

    async def _add_program(self, asked: ProgramAsked) -> None:
        try:
            compiled = await drive_live(self._compiler.compile(*asked), self._resolver, budget=self._budget)
        except TimeoutError:
            self.results.add_uniform(*asked, TEMPERROR)
        else:
            self.results.add_program(*asked, compiled)

    async def _add_outcome(self, asked: OutcomeAsked) -> None:
        local = asked.local or "postmaster"  # RFC 7208 section 2.4
        helo = asked.helo or None
        outcome = await evaluate(
            asked.client_ip, asked.name, helo, self._resolver, mail_from_local=local, budget=self._budget
        )
        self.results.add_outcome(asked, outcome)
