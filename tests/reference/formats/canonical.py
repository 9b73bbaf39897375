"""Twin of the canonical readers: CSV and NDJSON whose names are those of the record's columns (contract, section 1)."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.reference.formats.csv_table import has_controls, rows
from tests.reference.formats.times import parse_time

TEXTS = (
    "tenant_id message_id network_message_id kind direction mail_from header_from recipient client_ip helo source_ip "
    "outbound_ip outbound_host outbound_ip_pool_name spf dkim dmarc dkim_domain status status_code status_text connector"
).split()
WORDS = frozenset(
    "message ndr auto_reply delay receipt journal outbound inbound internal delivered failed pending expanded quarantined "
    "dropped filtered pass fail softfail neutral none permerror temperror policy timeout".split()
)
NUMBERS = ("recipient_count", "sfp")
BOOLEANS = ("accepted", "spam", "forwarded", "submitted", "joined", "sender_from_trace")


class Rejected(Exception):
    """The row is rejected."""


def text(value: Any) -> str:
    if not isinstance(value, str) or has_controls(value) or has_surrogates(value):
        raise Rejected
    return value


def reply(value: Any) -> str:
    """A server's words, which may span lines."""
    if not isinstance(value, str) or has_controls(value, "\t\r\n") or has_surrogates(value):
        raise Rejected
    return value


def has_surrogates(value: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in value)


def word(value: Any) -> str:
    """Words of a closed list in lower case, others as they stand."""
    lower = text(value).lower()
    return lower if lower in WORDS else value


def recipient(value: Any) -> str:
    """One address: what splits into several that look like addresses is a list."""
    parts = [part.strip() for part in text(value).replace(";", ",").split(",")]
    if len(parts) > 1 and all("@" in part for part in parts) and '"' not in value:
        raise Rejected
    return value


def number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise Rejected
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Rejected
    return value


def moment(value: Any) -> datetime:
    found = parse_time(value) if isinstance(value, str) else None
    if found is None:
        raise Rejected
    return found


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "time": moment,
    **dict.fromkeys(TEXTS, text),
    **dict.fromkeys(("kind", "direction", "status", "spf", "dkim"), word),
    "recipient": recipient,
    "status_text": reply,
    **dict.fromkeys(NUMBERS, number),
    **dict.fromkeys(BOOLEANS, boolean),
}


def record(values: dict[str, Any]) -> dict[str, Any] | None:
    """What was recorded; None where a value rejects the row."""
    try:
        return {
            name: CONVERSIONS[name](value)
            for name, value in values.items()
            if name in CONVERSIONS and value is not None
        }
    except Rejected:
        return None


def typed(name: str, cell: str) -> Any:
    """A CSV cell as the JSON value that it stands for; an empty one is null in every column."""
    if not cell:
        return None
    if name in NUMBERS and cell.lstrip("-").isdecimal() and cell.isascii():
        return int(cell)
    if name in BOOLEANS and cell.lower() in {"true", "false"}:
        return cell.lower() == "true"
    return cell


def read_csv(data: bytes) -> list[dict[str, Any]]:
    records = []
    for number_, cells in rows(data):
        found = None if cells is None else record({name: typed(name, cell) for name, cell in cells.items()})
        if found is not None:
            records.append({"row": number_, **found})
    return records


def strict(value: Any) -> Any:
    """NaN and infinities, which JSON does not have."""
    raise Rejected


def checked(value: Any) -> Any:
    """The value; no text in it may hold half a character."""
    for entry in value.items() if isinstance(value, dict) else ():
        for each in entry:
            if isinstance(each, str) and has_surrogates(each):
                raise Rejected
    return value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no used name stands twice."""
    names = [name for name, _ in pairs if name in CONVERSIONS]
    if len(names) != len(set(names)):
        raise Rejected
    return dict(pairs)


def read_ndjson(data: bytes) -> list[dict[str, Any]]:
    """Each line an object; an empty text is kept in `mail_from` alone, where it is the null reverse-path."""
    records = []
    lines = [line for line in data.decode().removeprefix("\ufeff").split("\n") if line.strip(" \t\r")]
    for row, line in enumerate(lines, 1):
        try:
            values = checked(json.loads(line, object_pairs_hook=unique, parse_constant=strict))
        except (Rejected, ValueError):
            continue
        found = record(values) if isinstance(values, dict) else None
        if found is not None:
            records.append({"row": row, **found})
    return records
