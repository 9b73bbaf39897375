"""What a reply says about its question: owner, alias chain, type and class are checked here, for libraries do not."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown

if TYPE_CHECKING:
    from datetime import datetime

#: More aliases in a row than this make the answer unknown.
MAX_ALIASES: Final = 10
#: Records kept of one answer, but of texts; a name with more has plenty.
MAX_RECORDS: Final = 64

LEAST_TTL: Final = 30
MOST_TTL: Final = 86_400
#: RFC 2308 section 5: one to three hours are sensible for absences.
MOST_NEGATIVE_TTL: Final = 10_800
#: Of an absence that came without its authority section; alone it decides nothing.
UNSEEN_NEGATIVE_TTL: Final = 300
#: RFC 9520 section 3.2: a failure is not remembered longer than five minutes.
MOST_FAILURE_TTL: Final = 300


#: First numbers of IPv4 addresses among which some are not routed; all others need no closer look.
_ODD_BLOCKS: Final = frozenset({"0", "10", "127", "169", "172", "192", "198", "203", *map(str, range(240, 256))})


class Record(NamedTuple):
    """One resource record: owner in lower case without trailing dot, type as a word, rdata in presentation format."""

    owner: str
    rdtype: str
    in_class: bool
    ttl: int
    rdata: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a library reported of one query, in one form for all libraries.

    ``said`` is ``answer`` (success), ``nxdomain``, ``nodata`` or a Reason why there is nothing to read.
    ``negative_ttl``: min(SOA TTL, SOA minimum) of the authority section, None without SOA. ``vouched``: whether
    the flags show an authoritative or recursive server and no referral; None where the library hides them.
    """

    said: str
    answer: tuple[Record, ...] = ()
    negative_ttl: int | None = None
    vouched: bool | None = None


class Transport(Protocol):
    """One server, one query, no retry."""

    async def query(self, question: Question) -> Reply:
        """What came of one query; what the network does is a Reply, never an exception. Can be cancelled."""

    def refresh(self) -> None:
        """Forget every reply that was seen; queries under way come to their end."""

    async def close(self) -> None:
        """Let go of sockets."""


class Judgement(NamedTuple):
    """The answer, or the name that the question must be asked of next because the reply ended in an alias."""

    answer: Answer
    next_name: str | None = None


def judge(question: Question, reply: Reply, asked_at: datetime) -> Judgement:
    """What the reply says about the question.

    An absence stands as the server said it, unconfirmed; only the inquiry decides whether it counts.
    """
    if reply.said == "answer":
        return _judge_records(question, reply, asked_at)
    if reply.said in {Reason.NXDOMAIN, Reason.NODATA}:
        return Judgement(_absence(Reason(reply.said), reply, asked_at))
    return Judgement(unknown(Reason(reply.said), asked_at))


def _judge_records(question: Question, reply: Reply, asked_at: datetime) -> Judgement:
    owner, least = question.name, MOST_TTL
    found = _owned(owner, question.rdtype, reply)
    if found:
        return Judgement(_present(question, found, least, asked_at))
    aliases = {r.owner: r for r in reply.answer if r.rdtype == "CNAME" and r.in_class}
    seen = {owner}
    while owner in aliases:
        least = min(least, sane_ttl(aliases[owner].ttl))
        owner = aliases[owner].rdata
        if owner in seen:
            return Judgement(unknown(Reason.CNAME_LOOP, asked_at))
        seen.add(owner)
        if len(seen) > MAX_ALIASES + 1:
            return Judgement(unknown(Reason.CNAME_LIMIT, asked_at))
        found = _owned(owner, question.rdtype, reply)
        if found:
            return Judgement(_present(question, found, least, asked_at))
    if owner != question.name:
        if reply.negative_ttl is not None:
            return Judgement(_absence(Reason.NODATA, reply, asked_at))
        return Judgement(unknown(Reason.EMPTY_REPLY, asked_at), owner)
    return Judgement(unknown(Reason.MISMATCH if reply.answer else Reason.EMPTY_REPLY, asked_at))


def _owned(owner: str, rdtype: str, reply: Reply) -> list[Record]:
    return [r for r in reply.answer if r.owner == owner and r.rdtype == rdtype and r.in_class]


def _present(question: Question, found: list[Record], least: int, asked_at: datetime) -> Answer:
    rdata = (found[0].rdata,) if len(found) == 1 else tuple(sorted({r.rdata for r in found}))
    if question.rdtype != "TXT":  # an SPF record is one among all texts
        rdata = rdata[:MAX_RECORDS]
    ttl = min([least, *(sane_ttl(r.ttl) for r in found)])
    unroutable = question.rdtype in {"A", "AAAA"} and all(map(_is_unroutable, rdata))
    return Answer(
        AnswerStatus.PRESENT,
        rdata,
        clamp_ttl(ttl),
        Reason.UNROUTABLE if unroutable else None,
        asked_at,
    )


def _absence(reason: Reason, reply: Reply, asked_at: datetime) -> Answer:
    """Nothing there, if the flags let the server speak for the name; without SOA not kept (RFC 2308 section 5)."""
    if reply.vouched is False:
        return unknown(Reason.LAME, asked_at)
    if reply.negative_ttl is not None:
        ttl = min(clamp_ttl(sane_ttl(reply.negative_ttl)), MOST_NEGATIVE_TTL)
    else:
        ttl = UNSEEN_NEGATIVE_TTL if reply.vouched is None else 0
    return Answer(AnswerStatus.ABSENT, (), ttl, reason, asked_at)


def text_of(data: bytes) -> str:
    """A TXT as text; bytes that are no UTF-8 become the characters of the same numbers, so that none is lost."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def sane_ttl(ttl: int) -> int:
    """A TTL with its highest bit set counts as 0 (RFC 2181 section 8)."""
    return ttl if 0 <= ttl < 1 << 31 else 0


def clamp_ttl(ttl: int) -> int:
    """Between half a minute, so that a run does not ask twice, and a day, so that no cache lives on old news."""
    return min(max(ttl, LEAST_TTL), MOST_TTL)


def _is_unroutable(text: str) -> bool:
    if ":" not in text and text.partition(".")[0] not in _ODD_BLOCKS:
        return False
    address = ipaddress.ip_address(text)
    return address.is_loopback or address.is_private or address.is_unspecified or address.is_link_local
