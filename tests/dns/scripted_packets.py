"""Wire format of the scripted server's replies, put together by hand so that each byte can be wrong on purpose."""

import struct
from typing import NamedTuple

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

# Flags of the second word of the header (RFC 1035 section 4.1.1).
QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
NORMAL = QR | AA | RD | RA

#: One good record of each type, in presentation format; mail.example.com. is never looked up.
SAMPLES = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "MX": "10 mail.example.com.",
    "TXT": '"v=spf1 " "-all"',
    "NS": "ns.example.com.",
    "SOA": "ns.example.com. hostmaster.example.com. 1 7200 900 1209600 600",
    "PTR": "host.example.com.",
}


class Query(NamedTuple):
    """One query as it came.

    ``name`` is in lower case without trailing dot. ``number`` counts the UDP queries of this name and type from 1; a query
    over TCP has the number of the one that it follows.
    """

    message: dns.message.Message
    name: str
    rdtype: str
    transport: str
    number: int

    @property
    def label(self) -> str:
        """The first label, which chooses the mode."""
        return self.name.partition(".")[0]


class Send(NamedTuple):
    """What goes back: datagrams (over TCP: framed messages), after a delay in seconds.

    Over TCP ``raw`` is sent instead of frames, a byte each ``drip`` seconds if that is set, and ``end`` says what happens
    to the connection: ``keep`` it, ``close`` it, ``reset`` it.
    """

    packets: tuple[bytes, ...] = ()
    delay: float = 0.0
    raw: bytes | None = None
    drip: float = 0.0
    end: str = "keep"


SILENCE = Send()


def name_wire(name: str) -> bytes:
    """An uncompressed name; escapes as in master files (RFC 1035 section 5.1)."""
    return dns.name.from_text(name).to_wire()


def rdata_wire(rdtype: str, text: str) -> bytes:
    """Uncompressed rdata of a presentation format."""
    kind = dns.rdatatype.from_text(rdtype)
    return dns.rdata.from_text(dns.rdataclass.IN, kind, text).to_wire(origin=dns.name.root)


def raw_record(
    owner: bytes, rdtype: str, rdata: bytes, *, ttl: int = 300, rdclass: int = 1, length: int | None = None
) -> bytes:
    """One record of ready-made parts; ``length`` may claim another length than the rdata has."""
    claimed = len(rdata) if length is None else length
    return owner + struct.pack("!HHIH", dns.rdatatype.from_text(rdtype), rdclass, ttl, claimed) + rdata


def record(owner: str, rdtype: str, text: str, *, ttl: int = 300, rdclass: int = 1) -> bytes:
    """One well-formed record."""
    return raw_record(name_wire(owner), rdtype, rdata_wire(rdtype, text), ttl=ttl, rdclass=rdclass)


def soa(zone: str = "example", *, ttl: int = 3600, minimum: int = 600) -> bytes:
    """The SOA of an absence; its negative TTL is min(ttl, minimum) (RFC 2308 section 5)."""
    return record(zone, "SOA", f"ns.example.com. hostmaster.example.com. 1 7200 900 1209600 {minimum}", ttl=ttl)


def question_wire(query: Query, name: str | None = None) -> bytes:
    """The question section of a query, or one like it for another name."""
    kind = dns.rdatatype.from_text(query.rdtype)
    return name_wire(query.name if name is None else name) + struct.pack("!HH", kind, 1)


def packet(
    query: Query,
    answer: tuple[bytes, ...] = (),
    authority: tuple[bytes, ...] = (),
    *,
    flags: int = NORMAL,
    rcode: int = 0,
    identity: int | None = None,
    question: bytes | None = None,
    counts: tuple[int, int, int, int] | None = None,
) -> bytes:
    """A reply to the query; everything about it may be overridden. ``counts`` claims other section sizes."""
    asked = question_wire(query) if question is None else question
    true_counts = (1 if asked else 0, len(answer), len(authority), 0)
    number = query.message.id if identity is None else identity
    header = struct.pack("!HHHHHH", number, flags | rcode, *(counts or true_counts))
    return header + asked + b"".join(answer) + b"".join(authority)


def sample(query: Query, *, owner: str | None = None, ttl: int = 300) -> bytes:
    """A good record of the type that was asked."""
    return record(owner or query.name, query.rdtype, SAMPLES[query.rdtype], ttl=ttl)
