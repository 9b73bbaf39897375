"""Which Received hop counts in a message, and which authentication stamp belongs to it.

The hop is the topmost Received whose client is one of Microsoft 365's outbound hosts and whose
server is not Microsoft's. What stands above it was written later by others and counts for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poolsift.readers.authentication_results import AuthenticationResults, parse_authentication_results
from poolsift.readers.received import MICROSOFT_HOSTS, Hop, parse_received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from poolsift.readers.header_fields import HeaderField, HeaderFields

#: Who writes the ARC set of Microsoft 365.
_ARC_WRITER = "mx.microsoft.com"


class PlacedHop(NamedTuple):
    """A Received field: where it stands and what it says."""

    position: int
    hop: Hop


class Route(NamedTuple):
    """The way of a message through Microsoft 365.

    ``outbound`` is the hop out of it, ``entry`` the one into it (None for mail that a mailbox
    handed in), ``before`` the Received fields below the entry, topmost first. ``above`` counts
    those over the outbound hop; without an outbound hop all of the message is looked at.
    """

    outbound: PlacedHop | None
    entry: PlacedHop | None
    before: tuple[HeaderField, ...]
    above: int

    @property
    def position(self) -> int:
        """The position below which fields count."""
        return -1 if self.outbound is None else self.outbound.position


def find_route(fields: HeaderFields, suffixes: Sequence[str]) -> Route:
    """The hop that counts and the entry below it; ``suffixes`` are those of the outbound hosts."""
    received = fields.all("received")
    above, outbound = _first_hop(received, suffixes, lambda hop: _leaves(hop, suffixes))
    below = received if outbound is None else received[above + 1 :]
    over, entry = _first_hop(below, MICROSOFT_HOSTS, lambda hop: _enters(hop, suffixes))
    before = () if entry is None else tuple(below[over + 1 :])
    return Route(outbound, entry, before, 0 if outbound is None else above)


def _first_hop(
    received: Sequence[HeaderField], mentions: Sequence[str], accepts: Callable[[Hop], bool]
) -> tuple[int, PlacedHop | None]:
    """The first accepted hop and its number; a field that mentions none of the names is not parsed."""
    for number, field in enumerate(received):
        text = field.value.lower()
        if any(name in text for name in mentions) and accepts(hop := parse_received(field.value)):
            return number, PlacedHop(field.position, hop)
    return len(received), None


def _leaves(hop: Hop, suffixes: Sequence[str]) -> bool:
    return hop.host_under(suffixes) is not None and not hop.by_microsoft


def _enters(hop: Hop, suffixes: Sequence[str]) -> bool:
    """Taken by Microsoft from someone else, or from another tenant's outbound host."""
    if not hop.by_microsoft:
        return False
    return hop.host_under(suffixes) is not None or hop.host_under(MICROSOFT_HOSTS) is None


def counting_stamp(fields: HeaderFields, route: Route) -> AuthenticationResults | None:
    """The results that Microsoft 365 stamped when the message came to it; None when it made none.

    Kinds in this order: X-MS-Exchange-Authentication-Results; Authentication-Results without an
    authserv-id that has ``spf=``; ARC of mx.microsoft.com. Of one kind the one nearest below the
    hop. Stamps above the entry are asked first: one below it was in the message already, made in
    an earlier passage or by anybody. Stamps made at submission are passed over.
    """
    entry = route.entry.position if route.entry else fields.count
    for wanted in (lambda position: position < entry, lambda position: position > entry):
        found = _first_stamp(fields, route.position, wanted)
        if found is not None:
            return found
    return None


def arc_stamp(fields: HeaderFields, route: Route) -> AuthenticationResults | None:
    """The nearest ARC results of Microsoft 365 below the hop, also where they say nothing about
    authentication: they name MAIL FROM at submission too.
    """
    written = fields.all("arc-authentication-results", route.position)
    ours = [field for field in written if _ARC_WRITER in field.value.lower()]
    return next(_parsed(ours, _is_microsoft_arc), None)


def _first_stamp(fields: HeaderFields, after: int, wanted: Callable[[int], bool]) -> AuthenticationResults | None:
    kinds: tuple[tuple[str, str, Callable[[AuthenticationResults], bool]], ...] = (
        ("x-ms-exchange-authentication-results", "=", _has_results),
        ("authentication-results", "spf", _is_microsoft_own),
        ("arc-authentication-results", _ARC_WRITER, _is_arrival_arc),
    )
    for name, mentions, accepts in kinds:
        written = [field for field in fields.all(name, after) if wanted(field.position)]
        # A value without the word that makes it eligible need not be parsed.
        placed = [field for field in written if mentions in field.value.lower()]
        found = next(_parsed(placed, accepts), None)
        if found is not None:
            return found
    return None


def _parsed(
    placed: Iterable[HeaderField], accepts: Callable[[AuthenticationResults], bool]
) -> Iterator[AuthenticationResults]:
    stamps = (parse_authentication_results(field.value) for field in placed)
    return (stamp for stamp in stamps if accepts(stamp))


def _has_results(stamp: AuthenticationResults) -> bool:
    return bool(stamp.results) and not stamp.made_at_submission


def _is_microsoft_own(stamp: AuthenticationResults) -> bool:
    return stamp.authserv_id is None and stamp.spf is not None


def _is_microsoft_arc(stamp: AuthenticationResults) -> bool:
    return stamp.authserv_id == _ARC_WRITER


def _is_arrival_arc(stamp: AuthenticationResults) -> bool:
    """ARC of Microsoft 365, but not the ``spf=pass`` without a sender address of a submission."""
    if not _is_microsoft_arc(stamp) or not _has_results(stamp):
        return False
    return stamp.spf != "pass" or any("sender ip" in note.lower() for note in stamp.spf_comments)
