"""Questions and answers of the DNS, with *unknown* kept apart from *absent*, and what a resolver is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


class AnswerStatus(StrEnum):
    """What an answer says about one name and type."""

    PRESENT = "present"  #: records of this type exist
    ABSENT = "absent"  #: NXDOMAIN or NODATA for this very name and type, and nothing weaker
    UNKNOWN = "unknown"  #: could not be found out; never counts as absent
    INVALID = "invalid"  #: the name cannot be asked, or the answer makes no sense


class Reason(StrEnum):
    """Why an answer is what it is; written to caches and snapshots, never renamed."""

    # absent
    NXDOMAIN = "nxdomain"  #: the name does not exist (RFC 8020: then no type of it does)
    NODATA = "nodata"  #: the name exists, the type does not (RFC 2308 section 2.2)
    # unknown: what the resolver said
    SERVFAIL = "servfail"
    REFUSED = "refused"
    FORMERR = "formerr"
    NOTIMP = "notimp"
    RCODE = "rcode"  #: any other response code
    MALFORMED = "malformed"  #: packets that cannot be read
    MISMATCH = "mismatch"  #: records, but of another owner, type or class
    EMPTY_REPLY = "empty_reply"  #: success without a record and without proof that there is none
    CNAME_LOOP = "cname_loop"
    CNAME_LIMIT = "cname_limit"  #: more than ten aliases in a row
    LAME = "lame"  #: a referral, or a server that is neither authoritative nor recursive
    UNCONFIRMED = "unconfirmed"  #: an absence that a second query did not see
    HIJACKED = "hijacked"  #: an address that this resolver gives for names that do not exist
    # unknown: no answer came, or nobody asked
    TIMEOUT = "timeout"
    CONNECTION = "connection"  #: refused or reset
    NETWORK = "network"  #: no route, no socket, no file descriptor
    CIRCUIT_OPEN = "circuit_open"  #: every resolver kept failing
    ZONE_CAP = "zone_cap"  #: too many names below one organizational domain
    OFFLINE = "offline"
    CANCELLED = "cancelled"
    NOT_LISTED = "not_listed"  #: the table does not hold the question
    # invalid: the name
    SYNTAX = "syntax"
    LITERAL = "literal"  #: an address, not a name
    SINGLE_LABEL = "single_label"
    SPECIAL_USE = "special_use"
    # present or absent, of before
    STALE = "stale"  #: expired, but asking again failed (RFC 8767)
    # present
    UNROUTABLE = (
        "unroutable"  #: every address is one that the Internet does not route (IANA special-purpose registries)
    )


class Question(NamedTuple):
    """One name (A-label, lower case, no trailing dot) and one type (``A AAAA MX TXT PTR NS SOA``)."""

    name: str
    rdtype: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was learned about one question.

    ``rdata`` is in presentation format, sorted: ``192.0.2.1``, ``10 mail.example.com``, a TXT as one string,
    its parts joined, without quotes. ``ttl`` is in seconds. ``confirmed``: an absence seen by a
    second, independent query. ``reason`` is a word of Reason (older tables: any text).
    """

    status: AnswerStatus
    rdata: tuple[str, ...] = ()
    ttl: int | None = None
    reason: str | None = None
    asked_at: datetime | None = None
    confirmed: bool = False

    @property
    def is_null_mx(self) -> bool:
        """Whether the only record is an MX of ``.`` (RFC 7505); asked of MX answers only."""
        return len(self.rdata) == 1 and self.rdata[0].split()[1:] == ["."]


class Resolver(Protocol):
    """Whoever answers questions: live, from a table, from a snapshot."""

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question, in their order. What the DNS or the network does is an answer, never an exception."""

    async def close(self) -> None:
        """Let go of sockets and files; safe to call twice."""


#: The answer to a question that a table does not hold.
NOT_LISTED: Final = Answer(AnswerStatus.UNKNOWN, reason=Reason.NOT_LISTED)


def unknown(reason: Reason, asked_at: datetime | None = None, ttl: int | None = None) -> Answer:
    """An answer that could not be found out."""
    return Answer(AnswerStatus.UNKNOWN, ttl=ttl, reason=reason, asked_at=asked_at)
