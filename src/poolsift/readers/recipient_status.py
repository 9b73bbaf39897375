"""The ``recipient_status`` cell: ``address##Receive, Send`` for each recipient, joined by ``;``.

The words are the steps of the message's way to that recipient; the last one says how it ended. Other tracking
rows hold plain texts there, one a recipient, in ``'...'`` where a text holds ``;``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

#: Between the address and its steps.
MARK = "##"

#: The last step, in lower case without spaces → status word. A message that was only received is on its way.
STEP_STATUS = MappingProxyType(
    {
        "receive": "pending",
        "received": "pending",
        "submit": "pending",
        "defer": "pending",
        "deferred": "pending",
        "pending": "pending",
        "send": "delivered",
        "sendexternal": "delivered",
        "sent": "delivered",
        "deliver": "delivered",
        "delivered": "delivered",
        "fail": "failed",
        "failed": "failed",
        "expand": "expanded",
        "expanded": "expanded",
        "expanddl": "expanded",
        "quarantine": "quarantined",
        "quarantined": "quarantined",
        "drop": "dropped",
        "dropped": "dropped",
        "filtered": "filtered",
        "filteredasspam": "filtered",
    }
)


class RecipientStatus(NamedTuple):
    """One recipient as written, and its steps as written (empty when none is recorded)."""

    recipient: str
    steps: str


def split_list(text: str, quote: str) -> list[str]:
    """The entries between ``;``, trimmed, empty ones kept; inside ``quote`` a ``;`` separates nothing.

    A quote opens only where an entry begins and closes only where it ends, or, for the quoted local part of an
    address, before its ``@``; a quote that never closes is an ordinary character.
    """
    if quote not in text:
        return [entry.strip() for entry in text.split(";")]
    entries: list[str] = []
    start, end = 0, len(text)
    closes = True  # false once a search for the closing quote ran to the end
    while start <= end:
        stop = -1
        if closes and text[start : start + 1] == quote:
            close = _closing(text, start + 1, quote)
            closes = close >= 0
            stop = text.find(";", close) if closes else -1
            if closes and stop < 0:
                stop = end
        if stop < 0:
            stop = text.find(";", start)
        if stop < 0:
            stop = end
        entries.append(text[start:stop].strip())
        start = stop + 1
        while start < end and text[start] == " ":
            start += 1
    return entries


def _closing(text: str, start: int, quote: str) -> int:
    """Where the quoted entry that began before ``start`` ends; -1 when it never does."""
    while True:
        close = text.find(quote, start)
        if close < 0:
            return -1
        if text[close - 1] != "\\" and text[close + 1 : close + 2] in {"", ";", "@", "#", " "}:
            return close
        start = close + 1


def recipient_statuses(text: str) -> list[RecipientStatus]:
    """The recipients of a cell in the ``address##steps`` form, in order; entries without an address are skipped."""
    found: list[RecipientStatus] = []
    for entry in split_list(text, '"'):
        recipient, _, steps = entry.partition(MARK)
        if recipient.strip():
            found.append(RecipientStatus(recipient.strip(), steps.strip()))
    return found


def last_step(steps: str) -> str:
    """The last step in lower case without spaces; empty when there is none."""
    return steps.rpartition(",")[2].replace(" ", "").lower()


def status_of(steps: str) -> str | None:
    """The status word that the last step means; None when it means none that we know."""
    return STEP_STATUS.get(last_step(steps))
