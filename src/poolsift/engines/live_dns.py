"""Answers to names while a run goes on: cache first, then resolvers, by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from inspect import signature
from typing import TYPE_CHECKING, Any, Self, TypeVar

from poolsift.dns.answers import Reason
from poolsift.dns.cache import DnsCache
from poolsift.dns.caching import CachingResolver
from poolsift.dns.engine import EngineStats
from poolsift.dns.inquiry import Inquiry, with_stale
from poolsift.dns.live import open_engine
from poolsift.dns.servers import Server, view_of
from poolsift.engines.asking import check_numbers
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from poolsift.dns.answers import Answer
    from poolsift.dns.engine import Engine
    from poolsift.engines.live_spf import LiveSpf

    Answers = dict[str, dict[str, Answer]]

T = TypeVar("T")


class LiveDns:
    """Live DNS for ``classify_files``; a context manager. ``resolve`` answers in the background, to any thread.

    ``resolvers`` are addresses such as ``127.0.0.1:53`` (UsageError for anything else); random names are asked when
    it is entered, to find resolvers that make answers up. ``cache`` None keeps answers in memory only. ``max_stale``:
    seconds past their expiry that old answers stand in for failures. ``rate``: queries a second and resolver, 0
    without limit; other options are those of ``open_engine``. UsageError, too, for use outside its context.
    """

    def __init__(
        self, resolvers: Sequence[str], *, cache: str | None = None, max_stale: float = 0.0, **options: Any
    ) -> None:
        if isinstance(resolvers, str):
            raise UsageError("not a list", key="resolvers", found=repr(resolvers), expected=f"[{resolvers!r}]")
        self._servers = tuple(Server.parse(text) for text in resolvers)
        if not self._servers:
            raise UsageError("nobody to ask", key="resolvers", expected="the address of a resolver")
        signature(open_engine).bind(self._servers, **options)
        check_numbers({**options, "max_stale": max_stale})
        self.resolvers = tuple(map(str, self._servers))
        self.path = cache
        self._max_stale = max_stale
        self._options = options
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cache: DnsCache | None = None
        self._engine: Engine | None = None
        self._resolver: CachingResolver | None = None

    def __enter__(self) -> Self:
        if self._loop is not None:
            raise UsageError("entered twice", key="LiveDns", expected="one context at a time")
        self._cache = self._engine = self._resolver = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="resolver", daemon=True)
        self._thread.start()
        try:
            self._call(self._open()).result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def name(self) -> str:
        """What people read: who is asked, and which cache is used."""
        self._check_entered()
        held = "" if self.path is None else f" (cache {self.path})"
        return "live: " + ", ".join(self.resolvers) + held

    @property
    def warnings(self) -> list[str]:
        """What people should know of resolvers and cache, a line each; complete when the context has ended."""
        known = (self._engine, self._cache)
        return [line for one in known if one is not None for line in one.warnings]

    @property
    def stats(self) -> EngineStats:
        """What was asked so far."""
        return EngineStats() if self._engine is None else self._engine.stats

    def resolve(self, names: list[str]) -> Future[Answers]:
        """The answers that decide whether each name resolves, in a while."""
        self._check_entered()
        assert self._cache is not None
        assert self._engine is not None
        return self._call(self._answers(names, self._cache, self._engine))

    def new_spf(self) -> LiveSpf:
        """SPF over the same cache and resolvers for one run, with a table and counts of its own."""
        from poolsift.engines.live_spf import LiveSpf

        self._check_entered()
        assert self._resolver is not None
        return LiveSpf(self._resolver, self._call)

    def _check_entered(self) -> None:
        if self._loop is None:
            raise UsageError("not entered", key="LiveDns", expected="with LiveDns(...) as dns: ...")

    def _call(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._loop is None:
            work.close()
        self._check_entered()
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        """In the loop's thread, to which the cache then belongs."""
        self._cache = DnsCache.open(self.path, view=view_of(self._servers), max_stale=self._max_stale)
        self._engine = open_engine(self._servers, **self._options)
        self._resolver = CachingResolver(self._cache, self._engine, since=datetime.now(UTC))
        await self._engine.__aenter__()

    def _end(self) -> None:
        """Close everything, however far it had come."""
        assert self._loop is not None
        loop, self._loop = self._loop, None
        try:
            asyncio.run_coroutine_threadsafe(self._close(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()

    async def _close(self) -> None:
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._cache is not None:
            self._cache.close()
        if self._engine is not None:
            await self._engine.close()

    async def _answers(self, names: list[str], cache: DnsCache, engine: Engine) -> Answers:
        held = cache.lookup(names)
        inquiries = [Inquiry(name, "verdict", held.get(name)) for name in names]

        def finished(inquiry: Inquiry) -> None:
            # What a cap left out nobody was asked for; another run may have more room.
            cache.put(pair for pair in inquiry.news if pair[1].reason != Reason.ZONE_CAP)

        await engine.run((one for one in inquiries if one.next_step() is not None), finished)
        answers = {one.name: one.answers for one in inquiries}
        stale = cache.stale(names)
        return {name: with_stale(types, stale.get(name, {})) for name, types in answers.items()}
