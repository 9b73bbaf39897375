"""What record trees came to, remembered within bounds: an include that many domains share is worked out once."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

import spf

if TYPE_CHECKING:
    from poolsift.spf.segments import Segments

#: Segments that are remembered, over all branches: some 50 bytes each.
MOST_REMEMBERED: Final = 262_144

#: What a branch costs beside its segments, in segments.
_OVERHEAD: Final = 16


class Branch(NamedTuple):
    """A record with all below it, for every client address of a family; counts begin at the record.

    ``segments`` say nothing where there is a ``reason`` why the branch differs from message to message;
    ``needs_local``: perhaps by their local part. ``published``: the domain has an SPF record. ``uses_origin``: it is
    another one for another domain that the evaluation began with. ``certain``: no answer was unknown.
    ``lookups``: it was followed for addresses that have so many look-ups left, or fewer.
    """

    segments: Segments
    published: bool = True
    reason: str | None = None
    needs_local: bool = False
    uses_origin: bool = False
    certain: bool = True
    lookups: int = spf.MAX_LOOKUP


class Branches:
    """Branches by family, name as it is written, and origin where that matters; the longest unused go first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._branches: OrderedDict[tuple[int, str, str | None], Branch] = OrderedDict()
        self._weight = 0

    def get(self, family: int, name: str, origin: str, lookups: int) -> Branch | None:
        """The branch, if it was followed for that many look-ups."""
        for key in ((family, name, None), (family, name, origin)):
            branch = self._branches.get(key)
            if branch is not None and branch.lookups >= lookups:
                self._branches.move_to_end(key)
                return branch
        return None

    def add(self, family: int, name: str, origin: str, branch: Branch) -> None:
        """Remember a branch in place of one that was followed less far."""
        key = (family, name, origin if branch.uses_origin else None)
        self._forget(key)
        self._branches[key] = branch
        self._weight += _weight(branch)
        while self._weight > self._most:
            self._forget(next(iter(self._branches)))

    def __len__(self) -> int:
        return len(self._branches)

    def _forget(self, key: tuple[int, str, str | None]) -> None:
        branch = self._branches.pop(key, None)
        if branch is not None:
            self._weight -= _weight(branch)


def _weight(branch: Branch) -> int:
    return len(branch.segments.starts) + _OVERHEAD
