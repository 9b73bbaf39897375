"""The dnspython transport: it sees response code, flags and SOA, which aiodns drops with the errors it reports."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, cast

import dns.asyncquery
import dns.entropy
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from poolsift.dns.answers import Question, Reason
from poolsift.dns.judge import Record, Reply, sane_ttl, text_of

if TYPE_CHECKING:
    from dns.rdata import Rdata
    from dns.rrset import RRset

    from poolsift.dns.servers import Server

_HEADER = struct.Struct("!HHHHHH")
_TAIL = struct.Struct("!HH")
_PORT_QUERIES = 500
_RECEIVE_BUFFER = 1 << 20

_SAID = {
    dns.rcode.NXDOMAIN: Reason.NXDOMAIN,
    dns.rcode.SERVFAIL: Reason.SERVFAIL,
    dns.rcode.REFUSED: Reason.REFUSED,
    dns.rcode.FORMERR: Reason.FORMERR,
    dns.rcode.NOTIMP: Reason.NOTIMP,
}


class _Asked:
    """A query: recursion desired, one question, no EDNS, for absences are small and some servers choke on it."""

    def __init__(self, question: Question) -> None:
        self.name = dns.name.from_text(question.name)
        self.rdtype = dns.rdatatype.from_text(question.rdtype)
        self.saw_bad_packet = False
        self._name_on_wire = self.name.to_digestable()

    def packet(self, number: int) -> bytes:
        """RFC 1035 section 4.1; by hand because dnspython takes three times as long to say this."""
        return _HEADER.pack(number, dns.flags.RD, 1, 0, 0, 0) + self._name_on_wire + _TAIL.pack(self.rdtype, 1)

    def is_answered_by(self, response: dns.message.Message) -> bool:
        """Whether a packet with our id is a response to our question."""
        if not response.flags & dns.flags.QR or len(response.question) != 1:
            return False
        asked = response.question[0]
        return (asked.name, asked.rdtype, asked.rdclass) == (self.name, self.rdtype, dns.rdataclass.IN)


class _Port(asyncio.DatagramProtocol):
    """One UDP socket to one server, and who waits for which id on it."""

    def __init__(self) -> None:
        self.sent = 0
        self._waiting: dict[int, tuple[_Asked, asyncio.Future[dns.message.Message]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._retired = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        # Confirmations come in bursts; what a small buffer loses looks like a time-out.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        """Give the packet to whoever waits for it; what does not fit any question is passed over."""
        asked = self._waiting.get(int.from_bytes(data[:2]))
        if asked is None:
            self._note_stray_packet(data)
            return
        if asked[1].done():
            return
        try:
            response = dns.message.from_wire(data, ignore_trailing=True)
            fits = asked[0].is_answered_by(response)
        except (dns.exception.DNSException, ValueError, IndexError):
            asked[0].saw_bad_packet = True
            return
        if fits:
            asked[1].set_result(response)

    def _note_stray_packet(self, data: bytes) -> None:
        """Noise belongs to nobody; if it cannot be read, whoever waits in vain learns that there was some."""
        try:
            dns.message.from_wire(data, ignore_trailing=True)
        except (dns.exception.DNSException, ValueError, IndexError):
            for asked, _ in self._waiting.values():
                asked.saw_bad_packet = True

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there: everybody who waits learns it."""
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(exc)

    async def exchange(self, asked: _Asked) -> dns.message.Message:
        """The response to a query; waits for ever."""
        assert self._transport is not None
        number = dns.entropy.random_16()
        while number in self._waiting:
            number = dns.entropy.random_16()
        self.sent += 1
        future: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = asked, future
        try:
            self._transport.sendto(asked.packet(number))
            return await future
        finally:
            del self._waiting[number]
            if self._retired and not self._waiting:
                self._transport.close()

    def retire(self) -> None:
        """Close as soon as nobody waits any more."""
        self._retired = True
        if not self._waiting and self._transport is not None:
            self._transport.close()


class ConfirmingTransport:
    """Queries to one server by dnspython, UDP first and TCP where the reply was cut."""

    def __init__(self, server: Server, timeout: float) -> None:
        self._server = server
        self._timeout = timeout
        self._port: _Port | None = None
        self._opening = asyncio.Lock()

    async def query(self, question: Question) -> Reply:
        """What came of one query; packets that do not fit the question are passed over until the time is up."""
        asked = _Asked(question)
        try:
            port = await self._open_port()
            async with asyncio.timeout(self._timeout):
                response = await port.exchange(asked)
            if response.flags & dns.flags.TC:
                response = await self._by_tcp(asked)
        except (TimeoutError, dns.exception.Timeout):
            return Reply(Reason.MALFORMED if asked.saw_bad_packet else Reason.TIMEOUT)
        except (ConnectionError, EOFError):
            return Reply(Reason.CONNECTION)
        except OSError:
            return Reply(Reason.NETWORK)
        except (dns.exception.DNSException, ValueError):
            return Reply(Reason.MALFORMED)
        return read_message(response)

    def refresh(self) -> None:
        """Nothing is remembered here."""

    async def close(self) -> None:
        """Close the socket."""
        port, self._port = self._port, None
        if port is not None:
            port.retire()

    async def _open_port(self) -> _Port:
        """A fresh socket now and then: whoever guesses our replies has to guess the port too."""
        if self._port is not None and self._port.sent < _PORT_QUERIES:
            return self._port
        async with self._opening:
            if self._port is None or self._port.sent >= _PORT_QUERIES:
                loop = asyncio.get_running_loop()
                address = self._server.host, self._server.port
                _, fresh = await loop.create_datagram_endpoint(_Port, remote_addr=address)
                if self._port is not None:
                    self._port.retire()
                self._port = fresh
            return self._port

    async def _by_tcp(self, asked: _Asked) -> dns.message.Message:
        message = dns.message.make_query(asked.name, asked.rdtype)
        return await dns.asyncquery.tcp(
            message, self._server.host, timeout=self._timeout, port=self._server.port, ignore_trailing=True
        )


def read_message(response: dns.message.Message) -> Reply:
    """A whole reply in the form that all transports share."""
    soa = next((one for one in response.authority if one.rdtype == dns.rdatatype.SOA), None)
    negative_ttl = None if soa is None else min(sane_ttl(soa.ttl), sane_ttl(soa[0].minimum))
    vouched = _is_vouched(response, soa)
    rcode = response.rcode()
    if rcode == dns.rcode.NOERROR and response.answer:
        records = tuple(record for rrset in response.answer for record in _records(rrset))
        return Reply("answer", records, negative_ttl, vouched)
    if rcode == dns.rcode.NOERROR:
        return Reply(Reason.NODATA, (), negative_ttl, vouched)
    return Reply(_SAID.get(rcode, Reason.RCODE), (), negative_ttl, vouched)


def _is_vouched(response: dns.message.Message, soa: RRset | None) -> bool:
    """Whether the server speaks for the name: authoritative or recursive, and not pointing elsewhere."""
    referral = soa is None and any(one.rdtype == dns.rdatatype.NS for one in response.authority)
    return bool(response.flags & (dns.flags.AA | dns.flags.RA)) and not referral


def _records(rrset: RRset) -> list[Record]:
    owner = rrset.name.to_text(omit_final_dot=True).lower()
    in_class = rrset.rdclass == dns.rdataclass.IN
    word = dns.rdatatype.to_text(rrset.rdtype)
    return [Record(owner, word, in_class, rrset.ttl, _rdata(word, one)) for one in rrset]


def _rdata(word: str, one: Rdata) -> str:
    if word == "MX":
        return f"{one.preference} {one.exchange.to_text(omit_final_dot=True).lower() or '.'}"  # type: ignore[attr-defined]
    if word == "TXT":
        return text_of(b"".join(one.strings))  # type: ignore[attr-defined]
    if word in {"CNAME", "PTR", "NS"}:
        return one.target.to_text(omit_final_dot=True).lower()  # type: ignore[attr-defined,no-any-return]
    return one.to_text()
