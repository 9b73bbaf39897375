"""Dates as mail headers write them (RFC 5322 §3.3, its obsolete forms, Exchange's variant)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

# The day of the week is not looked at: it says nothing that the date does not.
_DATE = re.compile(
    r"\b(\d{1,2})[ \t-]+(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[ \t-]+(\d{4}|\d{2})[ \t]+"
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?[ \t]*(?:([+-]\d{4})|\(?([a-z]{1,5})\b)?",
    re.IGNORECASE | re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
#: Zone names of RFC 5322 §4.3, in hours; any other name means that the zone is not known: UTC.
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
#: No header date is longer; more text is not searched.
_LONGEST = 256


def header_date(text: str) -> datetime | None:
    """The first date in ``text`` in UTC; None when there is none that exists.

    Takes ``Wed, 30 Aug 2023 08:08:35 -0700 (PDT)`` and Exchange's ``30 Aug 2023 15:08:31.1234 (UTC)``.
    A date without a zone is UTC; a leap second is the second before it.
    """
    match = _DATE.search(text[:_LONGEST])
    if match is None:
        return None
    day, month, year, hour, minute, second, fraction, offset, zone = match.groups()
    try:
        local = datetime(
            _full_year(year),
            _MONTHS.index(month.lower()) + 1,
            int(day),
            int(hour),
            int(minute),
            min(int(second or 0), 59) if second == "60" else int(second or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
            tzinfo=_zone(offset, zone),
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _full_year(digits: str) -> int:
    """Two-digit years as RFC 5322 §4.3 reads them: 00-49 are 2000-2049, 50-99 are 1950-1999."""
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (2000 if year < 50 else 1900)


def _zone(offset: str | None, name: str | None) -> timezone:
    if offset is None:
        return timezone(timedelta(hours=_ZONES.get((name or "").lower(), 0)))
    minutes = int(offset[1:3]) * 60 + int(offset[3:5])
    return timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
