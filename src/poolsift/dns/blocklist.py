"""DNS blocklists (RFC 5782): the name that asks about an address, and what an answer says of it. No I/O."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.names import unaskable
from poolsift.domain_facts import canonical_domain
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Why an address is neither listed nor not listed, beside the reasons of answers; written to files, never renamed.
REFUSED_BY_ZONE: Final = "refused_by_zone"  #: 127.255.255.0/24: the zone does not serve this resolver
NOT_A_BLOCKLIST_ANSWER: Final = "not_a_blocklist_answer"  #: an address outside 127.0.0.0/8: a parked zone, a liar
ZONE_TEST_FAILED: Final = "zone_test_failed"  #: the zone does not say what it must of its test addresses
NO_IPV6: Final = "no_ipv6"  #: the zone lists no IPv6 addresses

_CODES: Final = ipaddress.IPv4Network("127.0.0.0/8")
#: Operators answer so to whoever may not ask, or asked too much: of the address it says nothing.
_REFUSALS: Final = ipaddress.IPv4Network("127.255.255.0/24")
#: RFC 5782 section 5: the first is always listed, the second never.
_TESTS: Final[tuple[Address, ...]] = (
    ipaddress.IPv4Address("127.0.0.2"),
    ipaddress.IPv4Address("127.0.0.1"),
    ipaddress.IPv6Address("::ffff:7f00:2"),
    ipaddress.IPv6Address("::ffff:7f00:1"),
)
_MAX_NAME: Final = 253
#: 32 nibbles with their dots, before the zone.
_LONGEST_ADDRESS: Final = 64


class Listing(NamedTuple):
    """What a zone says of one address: ``listed`` None is unknown, and ``reason`` then says why.

    ``codes`` are its A records, whatever they are; ``text`` its TXT records, a line each, where it is listed.
    """

    listed: bool | None
    reason: str | None = None
    codes: tuple[str, ...] = ()
    text: str | None = None


class ZoneState(NamedTuple):
    """Whether a zone works as a blocklist: ``problem``, what is wrong; ``ipv6_reason``, why IPv6 is unknown in it."""

    zone: str
    problem: str | None = None
    ipv6_reason: str | None = None

    def hindrance(self, address: Address) -> str | None:
        """Why the zone is not asked about an address; None when it is."""
        if self.problem is not None:
            return ZONE_TEST_FAILED
        return self.ipv6_reason if address.version == 6 else None


def blocklist_zone(text: str) -> str:
    """The canonical name of a zone. Raises UsageError for what nobody can be asked below."""
    expected = "the domain name of a blocklist"
    zone = canonical_domain(text.strip())
    if zone is None:
        raise UsageError("not a domain name", key="--zone", found=repr(text), expected=expected)
    reason = unaskable(zone)
    if reason is not None:
        raise UsageError(f"a name that is never asked ({reason})", key="--zone", found=repr(text), expected=expected)
    if len(zone) + _LONGEST_ADDRESS > _MAX_NAME:
        most = f"at most {_MAX_NAME - _LONGEST_ADDRESS} characters"
        raise UsageError("too long to ask below", key="--zone", found=f"{len(zone)} characters", expected=most)
    return zone


def listing_name(address: Address, zone: str) -> str:
    """The name whose A says whether an address is listed.

    IPv4 by its octets, IPv6 by its nibbles, the last first (RFC 5782 sections 2.1 and 2.4):
    192.0.2.99 in bl.example is asked as 99.2.0.192.bl.example.
    """
    if isinstance(address, ipaddress.IPv4Address):
        parts: Sequence[str] = str(address).split(".")
    else:
        parts = address.exploded.replace(":", "")
    return ".".join((*reversed(parts), zone))


def is_asked_about(address: Address) -> bool:
    """Whether an address can be in a public list: private, loopback and other unroutable ones cannot."""
    return address.is_global and not address.is_multicast


def read_listing(answer: Answer) -> Listing:
    """What the A answer of a listing name says.

    Listed is only who has codes of the blocklist's range alone, not listed only whose name does not exist. NODATA is
    what c-ares also makes of a lame referral, so it says nothing.
    """
    if answer.status is AnswerStatus.ABSENT and answer.reason == Reason.NXDOMAIN:
        return Listing(listed=False, reason=Reason.NXDOMAIN.value)
    if answer.status is not AnswerStatus.PRESENT:
        return Listing(listed=None, reason=str(answer.reason or answer.status))
    codes = [ipaddress.IPv4Address(code) for code in answer.rdata]
    if any(code in _REFUSALS for code in codes):
        return Listing(listed=None, reason=REFUSED_BY_ZONE, codes=answer.rdata)
    if not codes or not all(code in _CODES for code in codes):
        return Listing(listed=None, reason=NOT_A_BLOCKLIST_ANSWER, codes=answer.rdata)
    return Listing(listed=True, codes=answer.rdata)


def with_text(listing: Listing, answer: Answer) -> Listing:
    """The listing with what the zone says about it in words; without, where it says nothing or could not be heard."""
    return listing._replace(text="\n".join(answer.rdata)) if answer.status is AnswerStatus.PRESENT else listing


def probing_questions(zone: str) -> list[Question]:
    """What a zone is asked before anything else; ``judge_zone`` takes the answers in this order."""
    return [Question(listing_name(address, zone), "A") for address in _TESTS]


def judge_zone(zone: str, answers: Sequence[Answer]) -> ZoneState:
    """Whether the zone says of its test addresses what it must (RFC 5782 section 5).

    A zone without its IPv6 entry lists no IPv6; whatever else is wrong there leaves IPv6 addresses unknown too.
    """
    listed4, clean4, listed6, clean6 = map(read_listing, answers)
    problem = _fault(_TESTS[0], listed4, expected=True) or _fault(_TESTS[1], clean4, expected=False)
    if listed6.listed is False:
        return ZoneState(zone, problem, NO_IPV6)
    fault6 = _fault(_TESTS[2], listed6, expected=True) or _fault(_TESTS[3], clean6, expected=False)
    return ZoneState(zone, problem, None if fault6 is None else ZONE_TEST_FAILED)


def _fault(address: Address, listing: Listing, *, expected: bool) -> str | None:
    if listing.listed is expected:
        return None
    if listing.listed is None:
        codes = f": {', '.join(listing.codes)}" if listing.codes else ""
        return f"its test address {address} could not be looked up ({listing.reason}{codes})"
    return f"its test address {address} is {'not ' * expected}listed"
