"""The closed list of conversions from a logged value to a column's value.

A conversion takes what the log holds (a CSV cell or a JSON value), gives the column's value or None
(*not recorded*), and raises :class:`BadValue` where the row must be rejected. Odd addresses, IPs
and words are no matter of theirs: :mod:`screen` sees to them for whole batches.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias

import orjson

from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = "str | int | bool | None"
Conversion: TypeAlias = "Callable[[object], Value]"

_INT32: Final = 1 << 31
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SECOND_US: Final = 1_000_000
#: Microsoft 365 mail logs lie well inside; 1601, 0001 and 9999 are what software writes for *none*.
_FIRST_YEAR: Final = 1990
_LAST_YEAR: Final = 2199

#: ISO 8601 as logs write it. The classes are ASCII: ``\d`` would take Arabic digits.
_ISO: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r" ?(Z|z|UTC|[+-][0-9]{2}:?[0-9]{2})?"
)
#: As the portal exports it, month first; the marker AM or PM tells it from day-first orders.
_PORTAL: Final = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}) ([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))? ([AaPp])[Mm]"
)


class BadValue(ValueError):  # noqa: N818 - what it is, not that it is an error: it ends as a reject
    """A value that its field cannot have: ``code`` of the reject, what was expected and found."""

    def __init__(self, code: RejectCode, expected: str, found: object) -> None:
        self.code = code
        self.expected = expected
        self.found = _shown(found)
        #: Set by the reader that knows the field's name in its format.
        self.field: str | None = None
        super().__init__(f"expected {expected}, found {self.found}")


def inner_json(value: object) -> object:
    """The JSON that a text field holds (AuthenticationDetails); None when empty or not JSON."""
    if not isinstance(value, str) or not value:
        return value if isinstance(value, dict | list) else None
    try:
        found: object = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return found


def text(value: object) -> str | None:
    """A text as it stands."""
    if isinstance(value, str) or value is None:
        return value
    raise BadValue(RejectCode.TYPE, "a text", value)


def recorded_text(value: object) -> str | None:
    """A text, of which the empty one counts as not recorded."""
    return text(value) or None


def word(value: object) -> str | None:
    """A text in lower case (ASCII only: U+212A must not become ``k``)."""
    found = text(value)
    return found.lower() if found and found.isascii() else found or None


def boolean(value: object) -> bool | None:
    """A JSON boolean, or the words true and false or the digits 1 and 0 as text."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        if value == "":
            return None
        known = {"true": True, "false": False, "1": True, "0": False}.get(value.lower())
        if known is not None:
            return known
    raise BadValue(RejectCode.BOOLEAN, "true or false", value)


def int32(value: object) -> int | None:
    """A whole number of 32 bits: a JSON integer, or its digits as text."""
    number = value
    if isinstance(value, str):
        if value == "":
            return None
        if re.fullmatch(r"-?[0-9]{1,10}", value):
            number = int(value)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not -_INT32 <= number < _INT32:
        raise BadValue(RejectCode.NUMBER, "a whole number of 32 bits", value)
    return number


def timestamp(value: object) -> int | None:
    """Microseconds since 1970 of a time: ISO 8601 (``T`` or a space, 0 to 9 decimals, ``Z``, an
    offset or nothing = UTC), or ``M/D/YYYY h:mm:ss AM``. Never by locale, never a bare number.
    """
    if value is None or value == "":
        return None
    found = _timestamp(value) if isinstance(value, str) else None
    if found is None:
        raise BadValue(RejectCode.TIMESTAMP, f"a time (ISO 8601) from {_FIRST_YEAR} to {_LAST_YEAR}", value)
    return found


def _timestamp(found: str) -> int | None:
    iso = _ISO.fullmatch(found)
    if iso is None:
        return _portal_timestamp(found)
    day, hour, minute, second, fraction, zone = iso.groups()
    days = _days(day)
    seconds = _seconds(int(hour), int(minute), int(second or 0))
    if days is None or seconds is None:
        return None
    offset = _offset(zone)
    if offset is None:
        return None
    micro = int(fraction[:6].ljust(6, "0")) if fraction else 0  # truncated: Windows ticks have 7 decimals
    return (days * 86_400 + seconds - offset) * _SECOND_US + micro


def _portal_timestamp(found: str) -> int | None:
    match = _PORTAL.fullmatch(found)
    if match is None:
        return None
    month, day, year, hour, minute, second, half = match.groups()
    if not 1 <= int(hour) <= 12:
        return None
    days = _days(f"{year}-{month:0>2}-{day:0>2}")
    seconds = _seconds(int(hour) % 12 + (12 if half in "Pp" else 0), int(minute), int(second or 0))
    return None if days is None or seconds is None else (days * 86_400 + seconds) * _SECOND_US


@lru_cache(maxsize=4_096)
def _days(day: str) -> int | None:
    """Days since 1970 of YYYY-MM-DD; None when there is no such day or it is out of range."""
    try:
        found = date.fromisoformat(day)
    except ValueError:
        return None
    return found.toordinal() - _EPOCH if _FIRST_YEAR <= found.year <= _LAST_YEAR else None


def _seconds(hour: int, minute: int, second: int) -> int | None:
    """Seconds since midnight. 24:00 and leap seconds have no place on our time line."""
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3_600 + minute * 60 + second


def _offset(zone: str | None) -> int | None:
    if zone is None or zone in {"Z", "z", "UTC"}:
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        return None
    seconds = hours * 3_600 + minutes * 60
    return -seconds if zone[0] == "-" else seconds


def _shown(value: object) -> str:
    """A value for a message: its JSON type and at most 80 characters, printable."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."
