"""How the scripted server may behave, by word: each mode makes of a query what is sent back."""

import random
import struct
from collections.abc import Callable

import dns.rcode

from tests.dns.scripted_packets import (
    AA,
    NORMAL,
    QR,
    RA,
    RD,
    SAMPLES,
    SILENCE,
    TC,
    Query,
    Send,
    name_wire,
    packet,
    question_wire,
    raw_record,
    rdata_wire,
    record,
    sample,
    soa,
)

Behaviour = Callable[[Query], Send]
MODES: dict[str, Behaviour] = {}
TARGET = "ok.target.example"


def reply(query: Query, answer=(), authority=(), **changes) -> Send:
    """One packet."""
    return Send((packet(query, tuple(answer), tuple(authority), **changes),))


def good(query: Query, **changes) -> Send:
    """One record of the asked type."""
    return reply(query, [sample(query)], **changes)


def nodata(query: Query) -> Send:
    """The name is there, the type is not."""
    return reply(query, authority=[soa()])


def truncated(query: Query) -> Send:
    """Come back over TCP."""
    return reply(query, flags=NORMAL | TC)


def of_type(rdtype: str, *texts: str) -> Behaviour:
    """Records of one type only; NODATA for the others."""

    def behave(query: Query) -> Send:
        if query.rdtype != rdtype:
            return nodata(query)
        return reply(query, [record(query.name, rdtype, text) for text in texts])

    return behave


def over_tcp(behave: Behaviour) -> Behaviour:
    """Truncated over UDP, then this."""
    return lambda query: truncated(query) if query.transport == "udp" else behave(query)


def first(times: int, then: Behaviour, afterwards: Behaviour = good) -> Behaviour:
    """One behaviour for the first hits of a name and type, another from then on."""
    return lambda query: then(query) if query.number <= times else afterwards(query)


def many(count: int) -> Behaviour:
    """So many A records, 11.22.0.0 and up, or so many MX."""

    def behave(query: Query) -> Send:
        if query.rdtype == "A":
            rdata = [struct.pack("!BBH", 11, 22, n) for n in range(count)]
        else:  # the hosts are root-relative and of one letter, so that 3,800 MX fit into the 64 KiB of a message
            rdata = [struct.pack("!H", n) + b"\1m\0" for n in range(min(count, 3_800))]
        return reply(query, [raw_record(b"\xc0\x0c", query.rdtype, one) for one in rdata])

    return behave


def chain(length: int, end: Behaviour | None = None) -> Behaviour:
    """That many aliases in one reply, then a record of the asked type."""

    def behave(query: Query) -> Send:
        names = [query.name, *(f"link{n}.target.example" for n in range(1, length)), TARGET]
        aliases = [record(one, "CNAME", f"{other}.") for one, other in zip(names, names[1:], strict=False)]
        return reply(query, [*aliases, sample(query, owner=TARGET)])

    return behave


def alias(target: str, authority=(), **changes) -> Behaviour:
    """Nothing but one CNAME."""
    return lambda query: reply(query, [record(query.name, "CNAME", f"{target}.")], authority, **changes)


def endless(prefix: str, zone: str = "target.example") -> Behaviour:
    """Each name is an alias of the next, one a reply."""

    def behave(query: Query) -> Send:
        digits = query.label.removeprefix(prefix)
        number = int(digits) if digits.isdigit() else 0
        return alias(f"{prefix}{number + 1}.{zone}")(query)

    return behave


def with_rcode(word: str) -> Behaviour:
    """An empty reply with this response code."""
    return lambda query: reply(query, rcode=int(dns.rcode.from_text(word)))


def _noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def _garbage(query: Query) -> Send:
    return Send((struct.pack("!HH", query.message.id, NORMAL) + _noise(500),))


def _dname(query: Query) -> Send:
    zone = query.name.partition(".")[2]
    target = f"{query.label}.target.example"
    return reply(
        query,
        [
            raw_record(name_wire(zone), "DNAME", name_wire("target.example")),
            record(query.name, "CNAME", f"{target}."),
            sample(query, owner=target),
        ],
    )


def _pointer_chain(query: Query) -> Send:
    """127 pointers, each to the one before, the first to the question's name; the last is the answer's owner."""
    start = 12 + len(question_wire(query)) + 1 + 10
    links = [struct.pack("!H", 0xC000 | (12 if n == 0 else start + 2 * (n - 1))) for n in range(127)]
    padding = raw_record(b"\0", "NULL", b"".join(links))
    owner = struct.pack("!H", 0xC000 | (start + 2 * 126))
    return reply(query, [padding, raw_record(owner, query.rdtype, rdata_wire(query.rdtype, SAMPLES[query.rdtype]))])


def _self_pointer(query: Query, ahead: int = 0) -> Send:
    here = 12 + len(question_wire(query))
    owner = struct.pack("!H", 0xC000 | (here + ahead))
    return reply(query, [raw_record(owner, query.rdtype, rdata_wire(query.rdtype, SAMPLES[query.rdtype]))])


def _bad_length(query: Query, rdata: bytes, length: int | None = None) -> Send:
    return reply(query, [raw_record(b"\xc0\x0c", query.rdtype, rdata, length=length)])


def _upper_question(query: Query) -> Send:
    upper = question_wire(query, query.name.upper())
    return reply(
        query, [raw_record(b"\xc0\x0c", query.rdtype, rdata_wire(query.rdtype, SAMPLES[query.rdtype]))], question=upper
    )


def _other_question(query: Query) -> Send:
    other = "other.example"
    return reply(query, [sample(query, owner=other)], question=question_wire(query, other))


def _edns(without: Behaviour, with_it: Behaviour) -> Behaviour:
    return lambda query: (with_it if query.message.edns >= 0 else without)(query)


def _framed(query: Query) -> bytes:
    (data,) = good(query).packets
    return struct.pack("!H", len(data)) + data


MODES |= {
    # answers
    "ok": good,
    "slow": lambda query: good(query)._replace(delay=0.05),
    "duplicates": lambda query: Send(good(query).packets * 3),
    "case-question": _upper_question,
    "case-owner": lambda query: reply(query, [sample(query, owner=query.name.upper())]),
    "cname-a": chain(1),
    "chain-10": chain(10),
    "dname": _dname,
    "null-mx": of_type("MX", "0 ."),
    "aaaa-only": of_type("AAAA", SAMPLES["AAAA"]),
    "a-only": of_type("A", SAMPLES["A"]),
    "mx-only": of_type("MX", SAMPLES["MX"]),
    "public": of_type("A", "11.22.33.44"),
    "loopback": of_type("A", "127.0.0.1", "127.8.9.10"),
    "private": of_type("A", "10.1.2.3", "192.168.1.1", "172.16.5.5"),
    "zero": of_type("A", "0.0.0.0"),
    "mixed": of_type("A", "127.0.0.1", "11.22.33.44"),
    "mx-ip": of_type("MX", "10 192.0.2.25."),
    "mx-missing": of_type("MX", "10 nxdomain.target.example."),
    "mx-tag": of_type("MX", "10 <b>.example.com."),
    "mx-nul": of_type("MX", r"10 a\000b.example.com."),
    "mx-newline": of_type("MX", r"10 a\010b.example.com."),
    "mx-comma": of_type("MX", "10 a,b.example.com."),
    "mx-dot": of_type("MX", r"10 a\.b.example.com."),
    "mx-quote": of_type("MX", r"10 a\"\;\\b.example.com."),
    # absences
    "nxdomain": lambda query: reply(query, authority=[soa()], rcode=3),
    "nxdomain-no-soa": lambda query: reply(query, rcode=3),
    "nodata": nodata,
    "nodata-no-soa": reply,
    "soa-day": lambda query: reply(query, authority=[soa(ttl=86_400, minimum=86_400)]),
    "soa-short": lambda query: reply(query, authority=[soa(ttl=5, minimum=600)]),
    "soa-minimum": lambda query: reply(query, authority=[soa(ttl=3600, minimum=61)]),
    "cname-nxdomain": alias("nxdomain.target.example", [soa("target.example")], rcode=3),
    "cname-only-soa": alias("nodata.target.example", [soa("target.example")]),
    # aliases that must be followed by asking, or lead nowhere
    "cname-only": alias(TARGET),
    "cname-only-nodata": alias("nodata.target.example"),
    "cname-only-dropped": alias("drop.target.example"),
    "cname-loop": lambda query: reply(
        query,
        [record(query.name, "CNAME", "back.target.example."), record("back.target.example", "CNAME", f"{query.name}.")],
    ),
    "cname-self": lambda query: alias(query.name)(query),
    "chain-11": chain(11),
    "chased": endless("chased"),
    # silence
    "drop": lambda _query: SILENCE,
    "slow-5": lambda query: good(query)._replace(delay=5.0),
    "drop-first": first(1, lambda _query: SILENCE),
    "edns-drop": _edns(good, lambda _query: SILENCE),
    # what a server says
    "servfail": with_rcode("SERVFAIL"),
    "servfail-first": first(1, with_rcode("SERVFAIL")),
    "refused": with_rcode("REFUSED"),
    "formerr": with_rcode("FORMERR"),
    "notimp": with_rcode("NOTIMP"),
    "notauth": with_rcode("NOTAUTH"),
    "yxdomain": with_rcode("YXDOMAIN"),
    "edns-formerr": _edns(good, with_rcode("FORMERR")),
    "lame": lambda query: reply(query, authority=[record("example", "NS", "ns.example.com.")], flags=QR | RD),
    "lame-empty": lambda query: reply(query, flags=QR | RD),
    "lame-nxdomain": lambda query: reply(query, authority=[soa()], flags=QR | RD, rcode=3),
    "referral": lambda query: reply(query, authority=[record("example", "NS", "ns.example.com.")], flags=QR | RD | RA),
    # too long for a datagram
    "tc": over_tcp(good),
    "tc-600": over_tcp(many(600)),
    "tc-250": over_tcp(many(250)),
    "tc-4000": over_tcp(many(4000)),
    "tc-nodata": over_tcp(nodata),
    "tc-hang": over_tcp(lambda _query: SILENCE),
    "tc-close": over_tcp(lambda _query: Send(end="close")),
    "tc-reset": over_tcp(lambda _query: Send(end="reset")),
    "tc-early": over_tcp(lambda query: Send(raw=_framed(query)[:20], end="close")),
    "tc-length-0": over_tcp(lambda _query: Send(raw=b"\0\0", end="close")),
    "tc-drip": over_tcp(lambda query: Send(raw=_framed(query), drip=0.1)),
    # packets that cannot be read
    "garbage": _garbage,
    "garbage-first": first(1, _garbage),
    "empty-packet": lambda _query: Send((b"",)),
    "short": lambda query: Send((struct.pack("!HHB", query.message.id, NORMAL, 0),)),
    "oversized": lambda query: Send((struct.pack("!HHHHHH", query.message.id, NORMAL, 1, 1, 0, 0) + _noise(64_000),)),
    "bad-length": lambda query: _bad_length(query, b"\x7f\0\0\1", 4000),
    "three-bytes": lambda query: _bad_length(query, b"\x0b\x16\x21"),
    "counts": lambda query: reply(query, [sample(query)], counts=(1, 65_535, 65_535, 65_535)),
    "pointer-loop": _self_pointer,
    "pointer-forward": lambda query: _self_pointer(query, 12),
    "pointer-chain": _pointer_chain,
    # packets that answer something else
    "wrong-id": lambda query: good(query, identity=query.message.id ^ 0x5555),
    "wrong-question": _other_question,
    "no-question": lambda query: good(query, question=b""),
    "not-a-reply": lambda query: good(query, flags=AA | RD | RA),
    "other-owner": lambda query: reply(query, [sample(query, owner="other.example")]),
    "other-type": lambda query: reply(query, [record(query.name, "TXT", SAMPLES["TXT"])]),
    "other-class": lambda query: reply(
        query,
        [raw_record(name_wire(query.name), query.rdtype, rdata_wire(query.rdtype, SAMPLES[query.rdtype]), rdclass=3)],
    ),
}


def _then_good(bad: Behaviour) -> Behaviour:
    return lambda query: Send(bad(query).packets + good(query).packets)


#: Bad packets of which each is followed at once by the good one.
BAD_FIRST = ("garbage", "short", "empty-packet", "wrong-id", "wrong-question", "no-question", "not-a-reply")
MODES |= {f"{word}-then-good": _then_good(MODES[word]) for word in BAD_FIRST}


def mode_of(label: str) -> Behaviour | None:
    """The behaviour that a label chooses; ``ttl-N`` answers with that TTL, ``chased7`` is a link of ``chased``."""
    word, _, number = label.partition("-")
    if word == "ttl" and number.isdigit():
        return lambda query: reply(query, [sample(query, ttl=int(number))])
    if label.startswith("chased"):
        return MODES["chased"]
    return MODES.get(label)
