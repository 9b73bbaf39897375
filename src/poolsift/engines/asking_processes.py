"""Runs inquiries through engines in several processes, each on a processor of its own, for a resolver that bears it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from itertools import islice
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from poolsift.dns.engine import EngineStats
from poolsift.dns.live import DEFAULT_RATE, open_engine
from poolsift.errors import PoolsiftError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from multiprocessing.context import SpawnProcess
    from types import TracebackType

    from poolsift.dns.engine import AnyInquiry, Engine
    from poolsift.dns.inquiry import Inquiry, SingleInquiry
    from poolsift.dns.servers import Server

#: Inquiries sent to a process at once, and how many it may hold; small enough to fit into the buffers between us.
_PARCEL: Final = 100
_HELD: Final = 1_000
#: What a process is sent to say its counts, and to forget what its library remembers.
_COUNTS: Final = "counts"
_REFRESH: Final = "refresh"
#: Seconds until finished inquiries are sent back, and until a process that should end is ended.
_FLUSH_AFTER: Final = 0.05
_LAST_WORDS: Final = 5.0


class WorkerLostError(PoolsiftError):
    """A process that asked the DNS ended by itself."""


class ProcessAsker:
    """``processes`` engines over the same resolvers, each with its share of the rate; a context manager.

    Options are those of ``open_engine``. Raises WorkerLostError when a process dies.
    """

    def __init__(
        self, servers: Sequence[Server], *, processes: int, rate: float = DEFAULT_RATE, **options: Any
    ) -> None:
        self._servers = tuple(servers)
        self._options = {**options, "rate": rate / processes}
        self._count = processes
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        self.warnings: list[str] = []

    def __enter__(self) -> Self:
        try:
            processors = sorted(os.sched_getaffinity(0), reverse=True)
            for number in range(self._count):
                self._start(processors[number % len(processors)])
            for worker, connection in self._workers:
                found = _receive(worker, connection)
                self.warnings += [line for line in found if line not in self.warnings]
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._kill()
            return
        try:
            for worker, connection in self._workers:
                _send(worker, connection, None)
                worker.join(_LAST_WORDS)
        finally:
            self._kill()

    @property
    def stats(self) -> EngineStats:
        """What all of them asked so far."""
        total = EngineStats()
        for worker, connection in self._workers:
            _send(worker, connection, _COUNTS)
            _add(total, _receive(worker, connection))
        return total

    def refresh(self) -> None:
        """Before questions are asked again: nothing that a library remembers may answer them."""
        for worker, connection in self._workers:
            _send(worker, connection, _REFRESH)

    def run(self, inquiries: Iterable[AnyInquiry], finished: Callable[[AnyInquiry], None]) -> None:
        """Bring every inquiry to its end."""
        parcels = _parcels(iter(inquiries))
        held = dict.fromkeys((connection for _, connection in self._workers), 0)
        processes = {connection: worker for worker, connection in self._workers}
        more = True
        while more or any(held.values()):
            for connection in held:
                while more and held[connection] < _HELD:
                    parcel = next(parcels, None)
                    if parcel is None:
                        more = False
                        break
                    _send(processes[connection], connection, parcel)
                    held[connection] += len(parcel)
            busy = [connection for connection, count in held.items() if count]
            for ready in wait(busy) if busy else ():
                assert isinstance(ready, Connection)
                done: list[AnyInquiry] = _receive(processes[ready], ready)
                held[ready] -= len(done)
                for inquiry in done:
                    finished(inquiry)

    def _start(self, processor: int) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        worker = context.Process(
            target=_serve, args=(theirs, self._servers, processor, self._options), name="resolver", daemon=True
        )
        worker.start()
        theirs.close()
        self._workers.append((worker, ours))

    def _kill(self) -> None:
        for worker, connection in self._workers:
            connection.close()
            worker.terminate()
            worker.join()
        self._workers.clear()


def _parcels(inquiries: Iterator[AnyInquiry]) -> Iterator[list[AnyInquiry]]:
    while parcel := list(islice(inquiries, _PARCEL)):
        yield parcel


def _send(worker: SpawnProcess, connection: Connection, what: object) -> None:
    try:
        connection.send(what)
    except OSError:
        raise _lost(worker) from None


def _receive(worker: SpawnProcess, connection: Connection) -> Any:
    try:
        return connection.recv()
    except (EOFError, OSError):
        raise _lost(worker) from None


def _lost(worker: SpawnProcess) -> WorkerLostError:
    worker.join(_LAST_WORDS)
    return WorkerLostError(f"a process that asks the DNS ended with {worker.exitcode}")


def _add(total: EngineStats, part: EngineStats) -> None:
    total.queries += part.queries
    total.confirmations += part.confirmations
    total.retries += part.retries
    total.names += part.names
    total.answers.update(part.answers)


def _serve(connection: Connection, servers: Sequence[Server], processor: int, options: dict[str, Any]) -> None:
    """The life of a process: warnings first, then parcels in and finished inquiries out, until the run ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run that started us ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.sched_setaffinity(0, {processor})
    asyncio.run(_Post(connection).serve(servers, options))


class _Post:
    """What goes to and fro between a process and the run.

    What goes out waits in a thread of its own: a process that waited itself would take nothing in meanwhile, and the
    run, which takes nothing in while it sends, would wait for the process for ever.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._out: list[Inquiry | SingleInquiry] = []
        self._ended = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._mail: SimpleQueue[Any] = SimpleQueue()

    async def serve(self, servers: Sequence[Server], options: dict[str, Any]) -> None:
        """Until the run says so, or is gone."""
        threading.Thread(target=self._deliver, name="post", daemon=True).start()
        async with open_engine(servers, **options) as engine:
            self._mail.put(engine.warnings)
            loop = asyncio.get_running_loop()
            loop.add_reader(self._connection.fileno(), self._take, engine)
            await self._ended.wait()
            loop.remove_reader(self._connection.fileno())

    def _deliver(self) -> None:
        """Send what is put into ``_mail``, in its order."""
        try:
            while True:
                self._connection.send(self._mail.get())
        except OSError:
            _leave()

    def _take(self, engine: Engine) -> None:
        try:
            parcel = self._connection.recv()
        except (EOFError, OSError):
            _leave()
        if parcel is None:
            self._ended.set()
            return
        if parcel == _COUNTS:
            self._mail.put(engine.stats)
            return
        if parcel == _REFRESH:
            engine.refresh()
            return
        task = asyncio.create_task(engine.run(parcel, self._finish))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _finish(self, inquiry: Inquiry | SingleInquiry) -> None:
        if not self._out:
            asyncio.get_running_loop().call_later(_FLUSH_AFTER, self._flush)
        self._out.append(inquiry)
        if len(self._out) >= _PARCEL:
            self._flush()

    def _flush(self) -> None:
        if self._out:
            self._mail.put(self._out)
            self._out = []


def _leave() -> NoReturn:
    """The run is gone, and with it everything that could be told to anybody."""
    os._exit(0)
