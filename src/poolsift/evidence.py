"""The eight facts and nine flags packed into the ``evidence`` column."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Fact(StrEnum):
    """A fact about a record; its place in this list is its place in the evidence (2 bits each)."""

    OUTBOUND = "outbound"  #: the message left the tenant for somebody else
    DOMAIN_RESOLVES = "domain_resolves"  #: the sender domain has an A or MX record
    BLOCKED = "blocked"  #: Microsoft 365 refused to send it
    NDR = "ndr"  #: a non-delivery report or automatic reply
    SPAM = "spam"  #: outbound spam verdict
    ACCEPTED_DOMAIN = "accepted_domain"  #: the sender domain is accepted in the tenant
    SPF_PASS = "spf_pass"  # noqa: S105 - the word of the contract  #: SPF passed on arrival
    DKIM_PASS = "dkim_pass"  # noqa: S105 - the word of the contract  #: DKIM of the From domain passed


class Known(IntEnum):
    """The value of a fact. Unknown is a value of its own, never *no*."""

    UNKNOWN = 0
    NO = 1
    YES = 2

    @property
    def word(self) -> str:
        """The lower-case word."""
        return self.name.lower()


class Flag(StrEnum):
    """Remarks beside the facts, one bit each from bit 16 on."""

    SENDER_FROM_HEADER = "sender_from_header"  #: the sender domain is that of header_from
    SPF_EVALUATED = "spf_evaluated"  #: SPF was evaluated here, not logged
    JOINED = "joined"  #: authentication taken from the inbound row
    P1_P2_DISAGREE = "p1_p2_disagree"  #: mail_from and header_from name different domains
    OBSERVED_CONFLICT = "observed_conflict"  #: two sources of the observed pool differ
    NULL_PATH_WITHOUT_KIND = "null_path_without_kind"  #: null reverse-path, kind not recorded
    AAAA_ONLY = "aaaa_only"  #: the domain has AAAA but neither A nor MX
    NULL_MX = "null_mx"  #: the domain's MX is the null MX (RFC 7505)
    SUBMITTED = "submitted"  #: the tenant itself submitted the message


FACTS: Final = tuple(Fact)
FLAGS: Final = tuple(Flag)
FLAG_SHIFT: Final = 16
FACT_MASK: Final = 0xFFFF

#: The value of each fact that does no harm: an unknown fact at this value never adds a reason to
#: leave the normal pool.
HARMLESS: Final = {
    Fact.OUTBOUND: Known.YES,
    Fact.DOMAIN_RESOLVES: Known.YES,
    Fact.BLOCKED: Known.NO,
    Fact.NDR: Known.NO,
    Fact.SPAM: Known.NO,
    Fact.ACCEPTED_DOMAIN: Known.YES,
    Fact.SPF_PASS: Known.YES,
    Fact.DKIM_PASS: Known.YES,
}


def fact_value(evidence: int, fact: Fact) -> Known:
    """The value of one fact in packed evidence."""
    return Known(evidence >> (2 * FACTS.index(fact)) & 3)


def has_flag(evidence: int, flag: Flag) -> bool:
    """Whether a flag is set in packed evidence."""
    return bool(evidence >> (FLAG_SHIFT + FLAGS.index(flag)) & 1)


def decode_evidence(evidence: int) -> dict[str, str | bool]:
    """Packed evidence in words: fact → ``yes``, ``no`` or ``unknown``, then flag → bool.

    Raises ValueError for bits that no record can have.
    """
    if evidence < 0 or evidence >> (FLAG_SHIFT + len(FLAGS)):
        msg = f"evidence {evidence} has bits beyond the known flags"
        raise ValueError(msg)
    words: dict[str, str | bool] = {}
    for fact in FACTS:
        words[fact.value] = fact_value(evidence, fact).word
    for flag in FLAGS:
        words[flag.value] = has_flag(evidence, flag)
    return words


def encode_evidence(facts: Mapping[Fact, Known], flags: Iterable[Flag] = ()) -> int:
    """Packed evidence of the given facts (the others unknown) and flags."""
    packed = 0
    for fact, value in facts.items():
        packed |= int(value) << (2 * FACTS.index(fact))
    for flag in flags:
        packed |= 1 << (FLAG_SHIFT + FLAGS.index(flag))
    return packed
