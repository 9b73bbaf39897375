"""Which addresses a mechanism matches, once its own addresses are known (RFC 7208 sections 5.3, 5.4 and 5.6)."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from poolsift.spf.record import PERMERROR
from poolsift.spf.segments import Block, Segments, everywhere, first_match
from poolsift.spf.step import UNDECIDED, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from poolsift.spf.record import Term

#: Addresses of a family.
SIZE: Final = {4: 1 << 32, 6: 1 << 128}


def listed(terms: Iterable[Term], family: int) -> Segments:
    """What a run of ``ip4`` and ``ip6`` comes to: the first that holds an address decides.

    pyspf's syntax check takes a few addresses that cannot be read (with a line end behind). For whoever comes to such
    a term that is a permerror.
    """
    blocks = []
    for term in terms:
        if term.mechanism == f"ip{family}":
            try:
                blocks += _blocks([term.target or ""], term.length, family, step(term.word))
            except ValueError:
                blocks.append(Block(0, SIZE[family], step(PERMERROR)))
    return first_match(blocks, SIZE[family])


def looked_up(addresses: Sequence[str], term: Term, family: int, voids: int) -> Segments:
    """What ``a`` or ``mx`` comes to with the addresses of its hosts; one look-up, ``voids`` of them void."""
    try:
        blocks = _blocks(addresses, term.length, family, step(term.word, 1, voids))
    except ValueError:
        return everywhere(step(PERMERROR))
    return first_match(blocks, SIZE[family], otherwise=step(UNDECIDED, 1, voids))


def _blocks(addresses: Iterable[str], length: int, family: int, code: int) -> list[Block]:
    """The blocks of ``length`` around the addresses, as pyspf makes them; ValueError for what is no address."""
    networks = [ipaddress.ip_network(address).supernet(new_prefix=length) for address in addresses]
    blocks = []
    for network in networks:
        if network.version == family:
            first = int(network.network_address)
            blocks.append(Block(first, first + network.num_addresses, code))
    return blocks
