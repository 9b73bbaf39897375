"""A DNS server on loopback whose every reply is scripted: UDP and TCP on one port, in a thread of its own."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import dns.exception
import dns.message
import dns.rdatatype

from tests.dns.scripted_modes import MODES, Behaviour, mode_of
from tests.dns.scripted_packets import Query, Send

#: What a script may say of a name: a word of MODES, a behaviour, or one after the other, the last of which stays.
Step = str | Behaviour | Sequence[str | Behaviour]

# A flood of queries must not be lost in the socket before it is counted.
_RECEIVE_BUFFER = 4 << 20


class ScriptedServer:
    """What a test sees of its server.

    ``script`` maps ``(name, rdtype)`` or ``name`` to a Step; a name not in it is answered by the mode its first label
    names, else by ``default``. ``hits`` counts queries by (name, rdtype, transport) with transport ``udp`` or ``tcp``.
    ``always``, where set, goes before everything: an outage.
    """

    def __init__(self, script: dict | None = None, default: Step = "nxdomain") -> None:
        self.script: dict[str | tuple[str, str], Step] = dict(script or {})
        self.default = default
        self.always: Step | None = None
        self.hits: Counter[tuple[str, str, str]] = Counter()
        self.unreadable = 0
        self.under_way = 0
        self.most_under_way = 0
        self.port = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """As Server.parse reads it."""
        return f"127.0.0.1:{self.port}"

    def asked(self, name: str, rdtype: str | None = None, transport: str | None = None) -> int:
        """How often a name was asked, of one type or any, over one transport or any."""
        with self._lock:
            return sum(
                count
                for (one, kind, way), count in self.hits.items()
                if one == name and rdtype in {None, kind} and transport in {None, way}
            )

    def names(self, below: str = "") -> set[str]:
        """The distinct names asked, of those that end in ``below``."""
        with self._lock:
            return {name for name, _, _ in self.hits if name.endswith(below)}

    @property
    def total(self) -> int:
        """All queries."""
        with self._lock:
            return sum(self.hits.values())

    def answer(self, data: bytes, transport: str) -> Send:
        """Count a query and look up what is to be done about it."""
        try:
            message = dns.message.from_wire(data)
            asked = message.question[0]
        except (dns.exception.DNSException, IndexError):
            self.unreadable += 1
            return Send()
        name = asked.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(asked.rdtype)
        with self._lock:
            self.hits[name, rdtype, transport] += 1
            # A TCP query follows the truncated reply to one over UDP and has its number.
            number = max(1, self.hits[name, rdtype, "udp"])
        query = Query(message, name, rdtype, transport, number)
        return self._behaviour(query)(query)

    def _behaviour(self, query: Query) -> Behaviour:
        step = self.always or self.script.get((query.name, query.rdtype)) or self.script.get(query.name)
        if step is None:
            step = mode_of(query.label) or self.default
        if not isinstance(step, str) and not callable(step):
            step = step[min(query.number, len(step)) - 1]
        return MODES[step] if isinstance(step, str) else step

    def begin(self) -> None:
        """A query has come for which nothing has been sent yet."""
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: ScriptedServer, udp: socket.socket) -> None:
        self._server = server
        self._udp = udp

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer) -> None:
        send = self._server.answer(data, "udp")
        self._server.begin()
        if send.delay:
            asyncio.get_running_loop().call_later(send.delay, self._send, send, peer)
        else:
            self._send(send, peer)

    def _send(self, send: Send, peer) -> None:
        self._server.under_way -= 1
        if not self._transport.is_closing():
            for one in send.packets:
                # asyncio sends no empty datagrams.
                (self._transport if one else self._udp).sendto(one, peer)


async def _converse(server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Queries of one TCP connection, until either side ends it (RFC 7766)."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            (size,) = struct.unpack("!H", await reader.readexactly(2))
            send = server.answer(await reader.readexactly(size), "tcp")
            await asyncio.sleep(send.delay)
            framed = b"".join(struct.pack("!H", len(one)) + one for one in send.packets)
            await _write(writer, framed if send.raw is None else send.raw, send.drip)
            if send.end == "reset":
                _reset_on_close(writer)
            if send.end != "keep":
                return


async def _write(writer: asyncio.StreamWriter, data: bytes, drip: float) -> None:
    for part in [data] if not drip else [data[n : n + 1] for n in range(len(data))]:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(drip)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    # With a linger time of zero the kernel sends RST instead of FIN.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _bound_pair() -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same free port."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:  # taken by somebody between the two
            udp.close()
            tcp.close()
        else:
            return udp, tcp


async def _serve(
    server: ScriptedServer, sockets, stop: asyncio.Event, started: Callable[[], None], *, listens: bool
) -> None:
    udp, tcp = sockets
    loop = asyncio.get_running_loop()
    talks: dict[asyncio.Task, asyncio.StreamWriter] = {}

    async def converse(reader, writer) -> None:
        talks[asyncio.current_task()] = writer
        try:
            await _converse(server, reader, writer)
        except asyncio.CancelledError:  # the end of the server; asyncio would log a cancelled conversation as an error
            pass
        finally:
            writer.close()
            del talks[asyncio.current_task()]

    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(server, udp), sock=udp)
    listener = await asyncio.start_server(converse, sock=tcp) if listens else None
    started()
    await stop.wait()
    transport.close()
    if listener is not None:
        listener.close()
    for task in list(talks):
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    await asyncio.sleep(0)  # lets closed transports let go of their sockets


@contextlib.contextmanager
def serving(script: dict | None = None, *, default: Step = "nxdomain", tcp: bool = True) -> Iterator[ScriptedServer]:
    """A running server; without ``tcp`` its TCP port refuses connections and is nobody else's either."""
    server = ScriptedServer(script, default)
    sockets = _bound_pair()
    server.port = sockets[0].getsockname()[1]
    started = threading.Event()
    handles: list = []

    async def run() -> None:
        stop = asyncio.Event()
        handles.extend([asyncio.get_running_loop(), stop])
        await _serve(server, sockets, stop, started.set, listens=tcp)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="scripted DNS server")
    thread.start()
    started.wait()
    try:
        yield server
    finally:
        loop, stop = handles
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        for one in sockets:
            one.close()


@contextlib.contextmanager
def closed_port() -> Iterator[str]:
    """An address at which nobody listens and that nobody else takes meanwhile: TCP is bound, UDP is bound and connected elsewhere."""
    udp, tcp = _bound_pair()
    # A connected datagram socket takes packets of its peer only; for all others the port is closed.
    udp.connect(("127.0.0.1", 9))
    try:
        yield "127.0.0.1:{}".format(udp.getsockname()[1])
    finally:
        udp.close()
        tcp.close()
