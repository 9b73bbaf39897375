"""The slow, obvious compiler of SPF: pyspf is run for one address of every interval that it has told apart itself.

A result for one address rests on comparisons of that address with networks. Within an interval that no such
network cuts, every address takes the same way through the records; so the interval has one word.
"""

from bisect import bisect_right
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from typing import NamedTuple

from tests.reference.spf_query import WORDS, Records, Watched

BITS = {4: 32, 6: 128}
#: ::ffff:0:0/96 stands for IPv4: such a client is of family 4, and what a table of family 6 holds there is never read.
MAPPED, MAPPED_END = 0xFFFF << 32, 1 << 48


class Compiled(NamedTuple):
    """First addresses of the intervals, ascending from 0, and the number of each one's word; neighbours differ."""

    starts: tuple[int, ...]
    words: bytes

    def word(self, number: int) -> int:
        return self.words[bisect_right(self.starts, number) - 1]


class OfTheMessage(NamedTuple):
    """No table of addresses alone: the macro letters that were met, and whether names of the client were asked for."""

    macros: frozenset[str]
    names_of_client: bool


def compiled(records: Records, domain: str, family: int) -> Compiled | OfTheMessage:
    """The word for every address of the family (4 or 6), or why there is none."""
    cuts, seen = ({0} if family == 4 else {0, MAPPED_END}), {}
    while new := sorted(cuts - seen.keys()):
        for start in new:
            query = Watched(records, domain, address_text(start, family))
            seen[start] = WORDS.index(query.word())
            if query.macros or query.names_of_client:
                return OfTheMessage(frozenset(query.macros), query.names_of_client)
            cuts |= {edge for network in query.networks for edge in network if readable(edge, family)}
    starts = sorted(seen)
    kept = [0] + [start for before, start in pairwise(starts) if seen[before] != seen[start]]
    return Compiled(tuple(kept), bytes(seen[start] for start in kept))


def readable(number: int, family: int) -> bool:
    """Whether there is such an address of the family."""
    return 0 <= number < 1 << BITS[family] and (family == 4 or not MAPPED <= number < MAPPED_END)


def address_text(number: int, family: int) -> str:
    return str(IPv4Address(number) if family == 4 else IPv6Address(number))
