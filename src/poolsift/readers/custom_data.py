"""The ``custom_data`` cell of message tracking: items ``TYPE:key=value`` joined by ``;``.

The grammar, from published samples of the extended report and of tracking logs:

* items are separated by ``;``; one more at the end is allowed;
* ``TYPE`` (``S``, ``I32``, ``Dbl``, ``F``, …) may be missing;
* a key may hold ``[...]``, and inside the brackets ``=``; the same key may come several times;
* a value may hold ``=`` and ``|``; an item whose value holds ``;`` is wrapped in ``'...'``, and ends at the
  first ``'`` that is followed by ``;`` or by the end.

Every function runs in time linear in the text and accepts any text: what is no item is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The friendly name of the outbound pool. The row that carries it is not documented, so every row is searched.
POOL_NAME_KEY = "OutboundIpPoolName"
#: The spam filter agent's verdict (:func:`antispam_report.parse_filter_summary` reads it).
SPAM_FILTER_KEY = "SFA"
#: What a transport rule did to the message: ``ETR|ruleId=…|action=RedirectMessage``.
TRANSPORT_RULE_KEY = "TRA"
STATUS_CODE_KEY = "StatusCode"


class Item(NamedTuple):
    """One item: the type letters (empty when missing), the key and the value, verbatim."""

    type: str
    key: str
    value: str


def _pieces(text: str) -> Iterator[str]:
    """The items as written, without separators and without the quotes around an item."""
    start, end = 0, len(text)
    quotes_close = True  # false once no further closing quote was found: each search then costs nothing
    while start < end:
        if quotes_close and text[start] == "'":
            close = text.find("';", start + 1)
            if close < 0 and end - start > 1 and text[-1] == "'":
                close = end - 1
            if close >= 0:
                yield text[start + 1 : close]
                start = close + 2
                continue
            quotes_close = False
        stop = text.find(";", start)
        if stop < 0:
            stop = end
        if stop > start:
            yield text[start:stop]
        start = stop + 1


def _split(piece: str) -> Item | None:
    equals = piece.find("=")
    bracket = piece.find("[", 0, equals) if equals >= 0 else -1
    if bracket >= 0:
        closing = piece.find("]", bracket)
        equals = piece.find("=", closing) if closing > equals else equals
    if equals <= 0:
        return None
    colon = piece.find(":", 0, equals)
    return Item(piece[: max(colon, 0)].strip(), piece[colon + 1 : equals].strip(), piece[equals + 1 :])


def items(text: str) -> Iterator[Item]:
    """The items of a ``custom_data`` cell in their order; pieces without a key are skipped."""
    for piece in _pieces(text):
        item = _split(piece)
        if item is not None and item.key:
            yield item


def values(text: str, key: str) -> list[str]:
    """The values of all items with that key (ASCII case ignored), in their order."""
    wanted = key.lower()
    if wanted not in text.lower():
        return []
    return [item.value for item in items(text) if item.key.lower() == wanted]


def first_value(text: str, key: str) -> str | None:
    """The first value of the key that is not blank, trimmed; None when there is none."""
    for value in values(text, key):
        trimmed = value.strip()
        if trimmed:
            return trimmed
    return None
