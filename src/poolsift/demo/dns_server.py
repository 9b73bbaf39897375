"""A DNS server on loopback that answers as the demo's snapshot says, so that the demo can be live without a network."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

LOOPBACK: Final = "127.0.0.1"
_TTL: Final = 300


class DemoServer:
    """Serves ``{name: {"A": "present", "TXT": ["v=spf1 -all"]}}`` by UDP and TCP while the context lasts.

    A list is the records; ``present`` stands for one of the server's choice, ``unknown`` for a server failure. All
    else does not exist. ``address`` is ``127.0.0.1:PORT``.
    """

    def __init__(self, names: Mapping[str, Mapping[str, str | Sequence[str]]]) -> None:
        self._names = names
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo-dns", daemon=True)
        self.address = ""
        self._streams: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        port = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        self.address = f"{LOOPBACK}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def respond(self, wire: bytes) -> bytes | None:
        """The response to a query; None to what is no query."""
        try:
            query = dns.message.from_wire(wire)
        except (dns.exception.DNSException, ValueError):
            return None
        if len(query.question) != 1 or query.flags & dns.flags.QR:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        asked = query.question[0]
        self._fill(response, asked.name, dns.rdatatype.to_text(asked.rdtype))
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, rdtype: str) -> None:
        types = self._names.get(name.to_text(omit_final_dot=True).lower())
        held = "absent" if types is None else types.get(rdtype, "absent")
        if held == "unknown":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif held == "absent":
            gone = types is None or {"absent"} == {*map(str, types.values())}
            response.set_rcode(dns.rcode.NXDOMAIN if gone else dns.rcode.NOERROR)
            soa = f"ns.example. hostmaster.example. 1 3600 600 86400 {_TTL}"
            response.authority.append(dns.rrset.from_text("example.", _TTL, "IN", "SOA", soa))
        else:
            records = [_chosen(rdtype, name)] if held == "present" else [_written(rdtype, text) for text in held]
            response.answer.append(dns.rrset.from_text_list(name, _TTL, "IN", rdtype, records))

    async def _open(self) -> int:
        """One port for both; another one is tried where TCP has it taken."""
        for _ in range(20):
            udp, _ = await self._loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(LOOPBACK, 0))
            port: int = udp.get_extra_info("sockname")[1]
            try:
                self._tcp = await asyncio.start_server(self._stream, LOOPBACK, port)
            except OSError:
                udp.close()
                continue
            self._udp = udp
            return port
        raise OSError("no port is free for UDP and TCP alike")

    async def _close(self) -> None:
        self._udp.close()
        self._tcp.close()
        # Whoever holds a connection open must not hold the end up.
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self._tcp.wait_closed()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)
        try:
            size = int.from_bytes(await reader.readexactly(2))
            response = self.respond(await reader.readexactly(size))
            if response is not None:
                writer.write(len(response).to_bytes(2) + response)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def _chosen(rdtype: str, name: dns.name.Name) -> str:
    return "192.0.2.1" if rdtype == "A" else f"10 mail.{name}"


def _written(rdtype: str, text: str) -> str:
    """A record as a zone file has it: names end with a dot, texts are quoted in pieces of at most 255 characters."""
    if rdtype == "TXT":
        return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))
    return f"{text}." if rdtype == "MX" else text


def names_of(snapshot: Path) -> dict[str, dict[str, str | list[str]]]:
    """What the demo's snapshot says, as a server takes it."""
    names: dict[str, dict[str, str | list[str]]] = {}
    for row in map(orjson.loads, snapshot.read_bytes().splitlines()):
        names.setdefault(row["name"], {})[row["rdtype"]] = row["rdata"] or row["status"]
    return names


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DemoServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = self._server.respond(data)
        if response is not None:
            self._transport.sendto(response, addr)  # type: ignore[attr-defined]
