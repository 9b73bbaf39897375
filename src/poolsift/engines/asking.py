"""Runs inquiries through an engine from ordinary code, in this thread; signals end it within a second."""

from __future__ import annotations

import asyncio
import math
import signal
import threading
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from poolsift.dns.live import open_engine
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
    from types import TracebackType

    from poolsift.dns.answers import Answer, Question
    from poolsift.dns.engine import AnyInquiry, Engine, EngineStats
    from poolsift.dns.servers import Server

T = TypeVar("T")

#: What numbers make sense of whoever asks; anything else would ask nobody, or never end.
_RANGES: Final = {
    "attempts": (1, 10),
    "concurrency": (1, 10_000),
    "max_stale": (0, math.inf),
    "processes": (1, 64),
    "rate": (0, math.inf),
    "recheck_after": (0, math.inf),
    "timeout": (0.05, 60),
    "zone_cap": (0, math.inf),
}


def check_numbers(options: Mapping[str, Any]) -> None:
    """Raises UsageError for an option out of its range; those without a range are passed over."""
    for key, (least, most) in _RANGES.items():
        value = options.get(key, least)
        if not isinstance(value, int | float) or not least <= value <= most:
            bounds = f"{least} or more" if most == math.inf else f"{least} to {most}"
            raise UsageError("out of range", key=key, found=repr(value), expected=bounds)


class LocalAsker:
    """An engine with an event loop of its own; a context manager that probes its resolvers when it is entered.

    Options are those of ``open_engine``.
    """

    def __init__(self, servers: Sequence[Server], **options: Any) -> None:
        self._servers = servers
        self._options = options

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        try:
            self._engine: Engine = self._finish(_opened(self._servers, self._options))
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._engine.close())
        finally:
            self._runner.close()

    @property
    def warnings(self) -> list[str]:
        """What people should know of the resolvers, a line each."""
        return self._engine.warnings

    @property
    def stats(self) -> EngineStats:
        """What was asked so far."""
        return self._engine.stats

    def refresh(self) -> None:
        """Before questions are asked again: nothing that a library remembers may answer them."""
        self._engine.refresh()

    def run(self, inquiries: Iterable[AnyInquiry], finished: Callable[[AnyInquiry], None]) -> None:
        """Bring every inquiry to its end."""
        self._finish(self._engine.run(inquiries, finished))

    def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order."""
        return self._finish(self._engine.resolve(questions))

    def _finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Interrupts are the runner's matter; SIGTERM would be lost in the loop's callbacks, so it is taken here."""
        if threading.current_thread() is not threading.main_thread():
            return self._runner.run(work)
        before = signal.getsignal(signal.SIGTERM)
        terminated = False

        async def guarded() -> T:
            task = asyncio.current_task()

            def stop() -> None:
                nonlocal terminated
                terminated = True
                if task is not None:
                    task.cancel()

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
            return await work

        try:
            return self._runner.run(guarded())
        finally:
            self._runner.get_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, before)
            if terminated:
                signal.raise_signal(signal.SIGTERM)


async def _opened(servers: Sequence[Server], options: dict[str, Any]) -> Engine:
    return await open_engine(servers, **options).__aenter__()
