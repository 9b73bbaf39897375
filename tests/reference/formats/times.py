"""Times in logs: ISO 8601 with a date and a time of day, UTC where no offset is written."""

import re
from datetime import UTC, datetime, timedelta

_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """The moment, to the microsecond, further digits cut off; None where the text is no time."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    *numbers, fraction, zone = match.groups()
    try:
        moment = datetime(*(int(number or 0) for number in numbers), tzinfo=UTC)
    except ValueError:
        return None
    moment += timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        moment += timedelta(minutes=-minutes if zone[0] == "+" else minutes)
    return moment
