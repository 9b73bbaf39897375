"""Answers to names while a run goes on: cache first, then resolvers, by an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

from poolsift.dns.cache import DnsCache
from poolsift.dns.inquiry import Inquiry, with_stale
from poolsift.dns.live import open_engine
from poolsift.dns.servers import Server, view_of
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from types import TracebackType

    from poolsift.dns.answers import Answer
    from poolsift.dns.engine import Engine, EngineStats

    Answers = dict[str, dict[str, Answer]]


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
        self._open: _Open | None = None
        self._warnings: list[str] = []

    def __enter__(self) -> Self:
        if self._open is not None:
            raise UsageError("entered twice", key="LiveDns", expected="one context at a time")
        opened = _Open()
        try:
            opened.call(opened.start(self._servers, self.path, self._max_stale, self._options)).result()
        except BaseException:
            opened.stop()
            raise
        self._open = opened
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        opened, self._open = self._within, None
        try:
            opened.stop()
        finally:
            self._warnings = opened.warnings

    @property
    def name(self) -> str:
        """What people read: who is asked, and which cache is used."""
        held = "" if self._cache.path is None else f" (cache {self._cache.path})"
        return "live: " + ", ".join(self.resolvers) + held

    @property
    def warnings(self) -> list[str]:
        """What people should know of resolvers and cache, a line each."""
        return [*self._engine.warnings, *self._cache.warnings]

    @property
    def stats(self) -> EngineStats:
        """What was asked so far."""
        return self._engine.stats

    def resolve(self, names: list[str]) -> Future[Answers]:
        """The answers that decide whether each name resolves, in a while."""
        return self._call(self._answers(names))

    def _call(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        """In the loop's thread, to which the cache then belongs."""
        self._cache = DnsCache.open(self.path, view=view_of(self._servers), max_stale=self._max_stale)
        self._engine: Engine = await open_engine(self._servers, **self._options).__aenter__()

    async def _close(self) -> None:
        own = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not own]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._cache.close()
        await self._engine.close()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _answers(self, names: list[str]) -> Answers:
        held = self._cache.lookup(names)
        inquiries = [Inquiry(name, "verdict", held.get(name)) for name in names]
        await self._engine.run(
            (one for one in inquiries if one.next_step() is not None), lambda one: self._cache.put(one.news)
        )
        answers = {one.name: one.answers for one in inquiries}
        stale = self._cache.stale(names)
        return {name: with_stale(types, stale.get(name, {})) for name, types in answers.items()}
