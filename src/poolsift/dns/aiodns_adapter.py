"""The aiodns transport: the only module that knows aiodns and pycares."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Final

import aiodns
import pycares
from aiodns import error

from poolsift.dns.answers import Question, Reason
from poolsift.dns.judge import Record, Reply, sane_ttl, text_of
from poolsift.dns.reply_filter import ignore_queries

if TYPE_CHECKING:
    from collections.abc import Callable

#: Queries of one c-ares channel. It remembers replies for up to an hour and cannot be told not to, about 1.5 KB each;
#: so it is thrown away before that costs memory, and no question is asked twice on one channel.
CHANNEL_QUERIES: Final = 10_000
#: Time-outs after which a query is given up here although c-ares has not.
_MOST_BEATS: Final = 4
#: Types whose answers are long. Only these are asked with EDNS: without it a reply holds one record less to be read,
#: servers that drop EDNS answer, and the rare A or MX set beyond 512 bytes comes by TCP (RFC 6891 section 7).
_LONG: Final = frozenset({"TXT"})
#: Replies come in bursts; a small buffer loses some of them, which looks like a time-out.
_RECEIVE_BUFFER: Final = 4 << 20

#: What c-ares reports; whatever else it may report is a failure of the network.
_SAID: Final = {
    error.ARES_ENODATA: Reason.NODATA,
    error.ARES_ENOTFOUND: Reason.NXDOMAIN,
    error.ARES_EFORMERR: Reason.FORMERR,
    error.ARES_ESERVFAIL: Reason.SERVFAIL,
    error.ARES_ENOTIMP: Reason.NOTIMP,
    error.ARES_EREFUSED: Reason.REFUSED,
    error.ARES_EBADQUERY: Reason.MALFORMED,
    error.ARES_EBADNAME: Reason.MALFORMED,
    error.ARES_EBADRESP: Reason.MALFORMED,
    error.ARES_EBADSTR: Reason.MALFORMED,
    error.ARES_ECONNREFUSED: Reason.CONNECTION,
    error.ARES_ETIMEOUT: Reason.TIMEOUT,
    error.ARES_ECANCELLED: Reason.CANCELLED,
    error.ARES_EDESTRUCTION: Reason.CANCELLED,
}


class _LoopResolver(aiodns.DNSResolver):
    """aiodns with its sockets in the event loop instead of in a thread of c-ares.

    The thread and the loop hand the interpreter lock to and fro for every query: without it a process asks half
    as many again, and need not be bound to one processor. aiodns takes this way itself where it has no thread.
    """

    def _make_channel(self, **kwargs: Any) -> tuple[bool, pycares.Channel]:
        this = weakref.ref(self)
        seen: set[int] = set()

        def changed(descriptor: int, readable: bool, writable: bool) -> None:
            if not (readable or writable):
                seen.discard(descriptor)
            elif descriptor not in seen:  # c-ares has opened it and sent nothing yet
                seen.add(descriptor)
                ignore_queries(descriptor)
            resolver = this()
            if resolver is not None:
                resolver._sock_state_cb(descriptor, readable, writable)  # noqa: SLF001 - ours by inheritance

        return False, pycares.Channel(sock_state_cb=changed, timeout=self._timeout, **kwargs)


class _Generation:
    """One c-ares channel and the queries under way on it."""

    def __init__(self, resolver: aiodns.DNSResolver) -> None:
        self.resolver = resolver
        self.sent = 0
        self.under_way = 0
        self._idle: asyncio.Event | None = None

    def end(self) -> None:
        """A query came to an end."""
        self.under_way -= 1
        if self._idle is not None and not self.under_way:
            self._idle.set()

    async def retire(self) -> None:
        """Close once the last query under way has come to its end."""
        if self.under_way:
            self._idle = asyncio.Event()
            await self._idle.wait()
        await self.resolver.close()


class AiodnsTransport:
    """Queries to one server by aiodns, each sent once; ``timeout`` in seconds.

    Not safe for several event loops. Where c-ares outlives its own time limit, the query is given up here.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._current: dict[bool, _Generation] = {}
        self._retired: set[asyncio.Task[None]] = set()
        #: Queries under way, oldest first, each with the beat of the sweeper in which it began.
        self._waiting: dict[asyncio.Future[Any], int] = {}
        self._beat = 0
        self._overdue: set[asyncio.Future[Any]] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def query(self, question: Question) -> Reply:
        """What came of one query."""
        try:
            channel = self._channel(question.rdtype in _LONG)
            future = channel.resolver.query_dns(question.name, question.rdtype)
        except (pycares.AresError, OSError):
            return Reply(Reason.NETWORK)
        except UnicodeError:
            return Reply(Reason.MALFORMED)
        channel.sent += 1
        channel.under_way += 1
        self._watch(future)
        try:
            result = await future
        except error.DNSError as failure:
            return Reply(_SAID.get(failure.args[0], Reason.NETWORK))
        except asyncio.CancelledError:
            if future in self._overdue:
                return Reply(Reason.TIMEOUT)
            raise
        finally:
            self._waiting.pop(future, None)
            self._overdue.discard(future)
            channel.end()
        return Reply("answer", tuple(map(_record, result.answer)), _negative_ttl(result.authority))

    def refresh(self) -> None:
        """The next query of each kind goes by a channel that has seen nothing."""
        for old in self._current.values():
            self._retire(old)
        self._current.clear()

    async def close(self) -> None:
        """Close the channels; queries under way end as cancelled."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        open_ones, self._current = list(self._current.values()), {}
        for one in open_ones:
            await one.resolver.close()
        await asyncio.gather(*self._retired, return_exceptions=True)

    def _channel(self, edns: bool) -> _Generation:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # costs a system call
        current = self._current.get(edns)
        if current is None or current.sent >= CHANNEL_QUERIES:
            self._current[edns] = _Generation(self._resolver(edns))
            if current is not None:
                self._retire(current)
        return self._current[edns]

    def _retire(self, old: _Generation) -> None:
        assert self._loop is not None
        task = self._loop.create_task(old.retire())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    def _resolver(self, edns: bool) -> aiodns.DNSResolver:
        # No retries inside: they would be counted nowhere, and paced by nobody.
        return _LoopResolver(
            nameservers=[self._address],
            loop=self._loop,
            timeout=self._timeout,
            tries=1,
            flags=pycares.ARES_FLAG_EDNS if edns else 0,
            socket_receive_buffer_size=_RECEIVE_BUFFER,
        )

    def _watch(self, future: asyncio.Future[Any]) -> None:
        self._waiting[future] = self._beat
        if self._sweeper is None:
            self._sweeper = future.get_loop().call_later(self._timeout, self._sweep)

    def _sweep(self) -> None:
        """Give up what began too many beats ago; a beat is one time-out."""
        assert self._loop is not None
        self._beat += 1
        for future, began in list(self._waiting.items()):
            if self._beat - began < _MOST_BEATS:
                break
            if not future.done():
                self._overdue.add(future)
                future.cancel()
        self._sweeper = self._loop.call_later(self._timeout, self._sweep) if self._waiting else None


def _name(text: str) -> str:
    return text.lower().removesuffix(".")


_READ: Final[dict[int, tuple[str, Callable[[Any], str]]]] = {
    pycares.QUERY_TYPE_A: ("A", lambda data: data.addr),
    pycares.QUERY_TYPE_AAAA: ("AAAA", lambda data: data.addr),
    pycares.QUERY_TYPE_MX: ("MX", lambda data: f"{data.priority} {_name(data.exchange) or '.'}"),
    pycares.QUERY_TYPE_TXT: ("TXT", lambda data: text_of(data.data)),
    pycares.QUERY_TYPE_CNAME: ("CNAME", lambda data: _name(data.cname)),
    pycares.QUERY_TYPE_PTR: ("PTR", lambda data: _name(data.dname)),
    pycares.QUERY_TYPE_NS: ("NS", lambda data: _name(data.nsdname)),
    pycares.QUERY_TYPE_SOA: ("SOA", lambda data: f"{_name(data.mname) or '.'} {data.minimum}"),
}


def _record(one: pycares.DNSRecord) -> Record:
    word, read = _READ.get(one.type, ("", repr))
    return Record(_name(one.name), word, one.record_class == pycares.QUERY_CLASS_IN, one.ttl, read(one.data))


def _negative_ttl(authority: list[pycares.DNSRecord]) -> int | None:
    """Of a success that ends in an alias: the SOA says that there is nothing at its end."""
    for one in authority:
        if isinstance(one.data, pycares.SOARecordData):
            return min(sane_ttl(one.ttl), sane_ttl(one.data.minimum))
    return None
