"""The ``directionality`` cell of message traces: which words say where a message went."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Directionality(NamedTuple):
    """``direction``: the canonical word, or None; ``inbound``: the message came from outside (None: not said)."""

    direction: str | None
    inbound: bool | None


#: Nothing recorded.
UNRECORDED = Directionality(None, None)

#: Lower-case word → meaning. The report's documentation defines 1 (inbound) and 2 (outbound) from the
#: organization's side. ``Incoming`` and ``Originating`` of tracking rows say where the message came from, not where
#: it went, so they give no direction; a message that came from outside can still be forwarded outside.
DIRECTIONALITY = MappingProxyType(
    {
        "1": Directionality("inbound", True),
        "2": Directionality("outbound", False),
        "inbound": Directionality("inbound", True),
        "outbound": Directionality("outbound", False),
        "incoming": Directionality(None, True),
        "originating": Directionality(None, False),
        "undefined": UNRECORDED,
        "0": UNRECORDED,
    }
)


def read_directionality(word: str | None, field_error: Callable[[str], None]) -> Directionality:
    """What a cell says; a word that is none of ours says nothing and is counted."""
    if word is None:
        return UNRECORDED
    meaning = DIRECTIONALITY.get(word.strip().lower())
    if meaning is None:
        field_error("directionality")
        return UNRECORDED
    return meaning
