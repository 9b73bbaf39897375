"""Simulated resolvers with weather: they know a world of names, and tell of it what the weather lets through.

The kind of a name is its first word (``both-17.example``), so the truth can be read off it. A packet is shown by two
transports: one drops flags and SOA as c-ares does and remembers replies per channel, the other shows them.
"""

import asyncio
import math
from bisect import bisect_right
from typing import NamedTuple

from poolsift.dns.answers import Question, Reason
from poolsift.dns.judge import Record, Reply
from poolsift.dns.upstream import Upstream

#: Seconds that a transport waits for a packet.
TIMEOUT = 2.0
#: What hijackers answer for names that do not exist.
HIJACKED_TO = "192.0.2.66"

#: Types that exist, by kind of name; `nxdomain` and the end of `dangling` do not exist at all.
TYPES = {
    "both": ("A", "MX"),
    "a": ("A",),
    "mx": ("MX",),
    "aaaa": ("AAAA",),
    "nodata": (),
    "nxdomain": None,
    "dangling": None,
    "alias": ("A", "MX"),
}
KINDS = tuple(TYPES)
#: Kinds with an A or an MX record: never may both be said to be absent.
HAVING = frozenset(kind for kind, types in TYPES.items() if types and {"A", "MX"} & set(types))
_RDATA = {"A": "198.51.100.7", "MX": "10 mail.example.com", "AAAA": "2001:db8::7", "TXT": "v=spf1 -all"}


class Packet(NamedTuple):
    """What a server sends: rcode, answer section, negative TTL of a SOA, and whether flags and authority vouch for it."""

    rcode: str
    answer: tuple[Record, ...] = ()
    soa: int | None = None
    vouched: bool = True


class Query(NamedTuple):
    """A query as it reaches a resolver; `load` is how many it received within the last second."""

    question: Question
    at: float
    load: int
    random: object


def kind_of(name):
    return name.partition("-")[0]


def truth(question):
    """What a sound recursive resolver sends. A name of no known kind does not exist."""
    kind = kind_of(question.name)
    aliases, owner = (), question.name
    if kind in {"alias", "dangling"}:
        owner = f"target-of-{question.name}"
        aliases = (Record(question.name, "CNAME", True, 300, owner),)
    types = TYPES.get(kind)
    if types is None:
        return Packet("nxdomain", aliases, 900)
    if question.rdtype not in types:
        return Packet("noerror", aliases, 900)
    return Packet("noerror", (*aliases, Record(owner, question.rdtype, True, 300, _RDATA[question.rdtype])))


# Weather: what becomes of a query, as (seconds until something comes, packet or Reason).


def clear(query):
    return query.random.uniform(0.005, 0.05), truth(query.question)


def silent(query):
    return math.inf, None


def closed(query):
    return 0.001, Reason.CONNECTION


def unreachable(query):
    return 0.0, Reason.NETWORK


def flapping(query):
    return silent(query) if int(query.at / 20) % 2 else clear(query)


def lossy(query):
    return silent(query) if query.random.random() < 0.3 else clear(query)


def slow(query):
    return 5.0, truth(query.question)


def sluggish(query):
    return query.random.uniform(0.5, 5.0), truth(query.question)


def servfail_storm(query):
    return (0.02, Packet("servfail", vouched=False)) if query.random.random() < 0.8 else clear(query)


def servfail_only(query):
    return 0.02, Packet("servfail", vouched=False)


def rate_limited(query):
    return (0.001, Packet("refused", vouched=False)) if query.load > 25 else clear(query)


def hijacking(query):
    seconds, packet = clear(query)
    if packet.rcode == "nxdomain" and query.question.rdtype == "A":
        packet = Packet("noerror", (Record(query.question.name, "A", True, 60, HIJACKED_TO),))
    return seconds, packet


def stale_zone(query):
    """Another content, but no other verdict: old addresses, old TTLs."""
    seconds, packet = clear(query)
    old = {"A": "198.51.100.99", "MX": "20 old.example.com"}
    return seconds, packet._replace(answer=tuple(r._replace(rdata=old.get(r.rdtype, r.rdata)) for r in packet.answer))


def poisoned(query):
    return (0.02, query.random.choice(LIES)(query.question)) if query.random.random() < 0.6 else clear(query)


def absences_without_authority(query):
    """What lies beyond this server does not exist for it; its flags show that it is nobody to say so."""
    rcode = query.random.choice(("nxdomain", "noerror"))
    return 0.02, Packet(rcode, (), query.random.choice((None, 900)), vouched=False)


def _one(owner, rdtype, rdata, in_class=True):
    return Packet("noerror", (Record(owner, rdtype, in_class, 300, rdata),))


def _chain(*names):
    return Packet("noerror", tuple(Record(a, "CNAME", True, 300, b) for a, b in zip(names, names[1:], strict=False)))


#: Lies and nonsense about a question; none of them proves that something does not exist.
LIES = (
    lambda q: _one("elsewhere.example", q.rdtype, _RDATA[q.rdtype]),
    lambda q: _one(q.name, "TXT", _RDATA["TXT"]),
    lambda q: _one(q.name, q.rdtype, _RDATA[q.rdtype], in_class=False),
    lambda q: Packet("noerror", vouched=False),  # lame referral
    lambda q: Packet("nxdomain", soa=900, vouched=False),
    lambda q: Packet("notauth"),  # c-ares calls it a success
    lambda q: Packet("formerr"),
    lambda q: Packet("notimp"),
    lambda q: Reason.MALFORMED,
    lambda q: _chain(q.name, f"round.{q.name}", q.name),
    lambda q: _chain(q.name, *(f"n{n}.{q.name}" for n in range(12))),
)


def as_cares_shows_it(packet):
    """Errors lose flags and SOA; success without any record is NODATA, whoever says it; odd rcodes are empty successes."""
    if packet.rcode == "noerror":
        return Reply("answer", packet.answer, packet.soa) if packet.answer else Reply(Reason.NODATA)
    return Reply("answer") if packet.rcode == "notauth" else Reply(packet.rcode)


def as_dnspython_shows_it(packet):
    if packet.rcode == "noerror" and packet.answer:
        return Reply("answer", packet.answer, packet.soa, packet.vouched)
    said = {"noerror": Reason.NODATA, "notauth": Reason.RCODE}.get(packet.rcode, packet.rcode)
    return Reply(said, (), packet.soa, packet.vouched)


class SimulatedResolver:
    """A resolver, its weather by the hour, and a record of everything that it was asked.

    ``forecast``: (from second, weather) in ascending order, the first from 0.
    """

    def __init__(self, name, random, forecast):
        self.name = name
        self.random = random
        self.received = []  # (second, channel or None for the confirming one, question)
        self.repeats = 0
        self._starts = [start for start, _ in forecast]
        self._weathers = [weather for _, weather in forecast]
        self._load = []

    def upstream(self, attempts=3, *, show_confirming=as_dnspython_shows_it, **pace):
        channels = [SimulatedTransport(self, number, as_cares_shows_it) for number in range(attempts)]
        return Upstream(self.name, channels, SimulatedTransport(self, None, show_confirming), **pace)

    def weather(self, at):
        return self._weathers[bisect_right(self._starts, at) - 1]

    def receive(self, channel, question, at):
        self.received.append((at, channel, question))
        self._load = [*(moment for moment in self._load[-200:] if moment > at - 1), at]
        return self.weather(at)(Query(question, at, len(self._load), self.random))


class SimulatedTransport:
    """One channel to a simulated resolver; c-ares' own cache answers what was asked before on the same channel."""

    def __init__(self, resolver, channel, show):
        self._resolver = resolver
        self._channel = channel
        self._show = show
        self._remembered = {}
        self.closed = False

    async def query(self, question):
        if question in self._remembered:
            self._resolver.repeats += 1
            return self._remembered[question]
        seconds, sent = self._resolver.receive(self._channel, question, asyncio.get_running_loop().time())
        if seconds >= TIMEOUT:
            await asyncio.sleep(TIMEOUT)
            return Reply(Reason.TIMEOUT)
        await asyncio.sleep(seconds)
        if isinstance(sent, Reason):
            return Reply(sent)
        reply = self._show(sent)
        if self._channel is not None and sent.rcode in {"noerror", "nxdomain"}:
            self._remembered[question] = reply
        return reply

    async def close(self):
        self.closed = True
