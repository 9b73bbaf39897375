"""The addresses of one family cut into segments of consecutive ones, each with the step it has come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.spf.step import UNDECIDED, UNDECIDED_STEPS, after, parts, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Segments of one division of the address space.
MOST_SEGMENTS: Final = 65_536


class TooLarge(Exception):  # noqa: N818 - a limit of ours
    """A record tree is larger than is worth working through for every address."""


class Block(NamedTuple):
    """The addresses from ``first`` up to, not including, ``end``; of two blocks one holds the other, or none of it."""

    first: int
    end: int
    step: int


class Segments(NamedTuple):
    """Segment ``i`` begins at ``starts[i]`` and has come to ``steps[i]``; ``starts[0]`` is 0, neighbours differ."""

    starts: tuple[int, ...]
    steps: bytes

    @property
    def fewest_lookups(self) -> int | None:
        """The fewest look-ups with which some address is still undecided; None when none is."""
        lowest = min(self.steps)  # undecided steps are the lowest, in the order of their look-ups
        return parts(lowest)[1] if lowest in UNDECIDED_STEPS else None

    def changed(self, table: bytes) -> Segments:
        """Each step replaced by ``table``'s."""
        return _joined(self.starts, self.steps.translate(table))

    def then(self, following: Segments) -> Segments:
        """What undecided addresses come to when ``following`` goes on with them."""
        starts = sorted({*self.starts, *following.starts})
        steps = bytearray()
        here = there = -1
        table = b""
        for start in starts:
            if here + 1 < len(self.starts) and self.starts[here + 1] == start:
                here += 1
                table = after(self.steps[here])
            if there + 1 < len(following.starts) and following.starts[there + 1] == start:
                there += 1
            steps.append(table[following.steps[there]])
        return _joined(starts, steps)


def everywhere(code: int) -> Segments:
    """One step for every address."""
    return Segments((0,), bytes([code]))


def first_match(blocks: Sequence[Block], size: int, otherwise: int = step(UNDECIDED)) -> Segments:
    """Each address by the first of the blocks that holds it; ``size`` is the number of addresses of the family.

    Blocks nest, so that those which hold an address lie on a stack while the addresses are walked through.
    """
    cuts: dict[int, int] = {0: otherwise}
    holding: list[tuple[int, int]] = []  # (end, index of the first that matches from here on inwards)

    def leave(upto: int) -> None:
        while holding and holding[-1][0] <= upto:
            end, _ = holding.pop()
            cuts[end] = blocks[holding[-1][1]].step if holding else otherwise

    for index in sorted(range(len(blocks)), key=lambda i: (blocks[i].first, -blocks[i].end, i)):
        first, end, _ = blocks[index]
        leave(first)
        winner = min(index, holding[-1][1]) if holding else index
        holding.append((end, winner))
        cuts[first] = blocks[winner].step
    leave(size)
    cuts.pop(size, None)
    return _joined(cuts.keys(), bytes(cuts.values()))


def _joined(starts: Iterable[int], steps: bytes | bytearray) -> Segments:
    """Neighbours with the same step made one."""
    kept: list[int] = []
    found = bytearray()
    last = -1
    for start, code in zip(starts, steps, strict=True):
        if code != last:
            kept.append(start)
            found.append(code)
            last = code
    if len(kept) > MOST_SEGMENTS:
        raise TooLarge
    return Segments(tuple(kept), bytes(found))
