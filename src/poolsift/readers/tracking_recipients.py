"""Whom a tracking row names, and what it says about each of them: status and the text with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from poolsift.readers.failure_text import is_failure_text
from poolsift.readers.recipient_status import MARK, recipient_statuses, split_list, status_of
from poolsift.readers.tracking_row import EVENT_STATUS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Recipient(NamedTuple):
    """One recipient of a row; ``text`` is the part of recipient_status that is about it, where it is a text."""

    address: str | None
    status: str | None
    text: str | None


#: A row that names nobody still says something about its message.
NOBODY = Recipient(None, None, None)


def recipients(cells: Mapping[str, str | None], event: str, field_error: Callable[[str], None]) -> list[Recipient]:
    """The recipients of a row, at least one entry.

    The status is what the event means, else the last step of ``address##steps``. On an EXPAND row that names the
    group (related_recipient_address), it is the group that was expanded: the recipients are its members, whose end
    other rows tell.
    """
    listed, status = cells["recipient_address"], cells["recipient_status"]
    event_status = EVENT_STATUS.get(event)
    groups: list[str] = []
    if event == "EXPAND" and cells["related_recipient_address"] is not None:
        groups = addresses(cells["related_recipient_address"])
        event_status = None
    members = _members(listed, status, event_status, field_error)
    found = members + [Recipient(group, "expanded", None) for group in groups]
    return found or [NOBODY._replace(status=event_status, text=_unquoted(status))]


def _members(
    listed: str | None, status: str | None, event_status: str | None, field_error: Callable[[str], None]
) -> list[Recipient]:
    if status is not None and _has_steps(status):
        return _with_steps(listed, status, event_status, field_error)
    if listed is None:
        return []
    named = addresses(listed)
    texts = _texts(status, len(named))
    return [Recipient(address, event_status, text) for address, text in zip(named, texts, strict=True)]


def _has_steps(status: str) -> bool:
    """Whether the cell is in the ``address##steps`` form; a server's reply may hold the mark too."""
    before, mark, _ = status.partition(MARK)
    return bool(mark) and not is_failure_text(before)


def _with_steps(
    listed: str | None, status: str, event_status: str | None, field_error: Callable[[str], None]
) -> list[Recipient]:
    found = recipient_statuses(status)
    steps = {one.recipient.lower(): one.steps for one in found}
    named = [one.recipient for one in found] if listed is None else addresses(listed)
    result = []
    for address in named:
        recorded = steps.get(address.lower(), "")
        word = status_of(recorded)
        if recorded and word is None:
            field_error("recipient_status")
        result.append(Recipient(address, event_status or word, None))
    return result


def addresses(cell: str) -> list[str]:
    """The addresses of a cell, joined by ``;``; a ``;`` inside a quoted local part separates nothing."""
    if ";" not in cell:
        return [cell]
    return [address for address in split_list(cell, '"') if address]


def _texts(status: str | None, count: int) -> list[str | None]:
    """The text for each of ``count`` recipients: one each where the cell holds that many, else the whole for all."""
    if status is None or count == 1:
        return [_unquoted(status)] * count
    parts = split_list(status, "'")
    if len(parts) != count:
        return [_unquoted(status)] * count
    return [_unquoted(part) for part in parts]


def _unquoted(text: str | None) -> str | None:
    if text is not None and len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return text or None
