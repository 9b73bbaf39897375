"""Sender Rewriting Scheme: whom a rewritten address holds, and on which day it was rewritten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: The timestamp of two base32 digits counts days since 1970-01-01 modulo 1024.
_CYCLE = 1024
_EPOCH = date(1970, 1, 1)

_STAMP = r"(?P<hash>[A-Za-z0-9+/]+)=(?P<stamp>[A-Za-z2-7]{2})"
# Microsoft 365: <mailbox>+SRS=<hash>=<stamp>=<domain>=<user>@<forwarder>; the domain has no "=", the user may.
_MICROSOFT = re.compile(
    rf"(?P<mailbox>.+?)\+SRS={_STAMP}=(?P<domain>[^=@]+)=(?P<user>[^@]+)@(?P<forwarder>[^@]+)", re.IGNORECASE
)
# Where that would be too long: bounces+SRS=<hash>=<stamp>@<forwarder>, which holds nobody.
_BOUNCES = re.compile(rf"(?P<mailbox>bounces)\+SRS={_STAMP}@(?P<forwarder>[^@]+)", re.IGNORECASE)
# The general scheme; the separator after SRS0 may be any of = + -.
_SRS0 = re.compile(rf"SRS0[=+-]{_STAMP}=(?P<domain>[^=@]+)=(?P<user>[^@]+)@(?P<forwarder>[^@]+)", re.IGNORECASE)
_SRS1 = re.compile(
    rf"SRS1[=+-][^=@]+=(?P<first>[^=@]+)=[=+-]{_STAMP}=(?P<domain>[^=@]+)=(?P<user>[^@]+)@(?P<forwarder>[^@]+)",
    re.IGNORECASE,
)
_FORMS = (("microsoft", _MICROSOFT), ("bounces", _BOUNCES), ("srs0", _SRS0), ("srs1", _SRS1))


@dataclass(frozen=True, slots=True)
class Srs:
    """One rewritten address taken apart.

    ``original`` is None in the ``bounces`` form, which does not hold it. ``stamp`` is the day modulo 1024.
    """

    form: str  #: microsoft, bounces, srs0 or srs1
    original: str | None
    forwarder: str
    mailbox: str | None
    hash: str
    stamp: int

    def day(self, near: date) -> date:
        """The day of rewriting: of all days with this stamp the one nearest to ``near``."""
        if isinstance(near, datetime):
            near = (near if near.tzinfo is None else near.astimezone(UTC)).date()
        offset = (self.stamp - (near - _EPOCH).days) % _CYCLE
        return near + timedelta(days=offset if offset <= _CYCLE // 2 else offset - _CYCLE)

    def is_plausible(self, sent: date, days: int = 1) -> bool:
        """Whether the stamp lies within ``days`` of the day the message was sent."""
        if isinstance(sent, datetime):
            sent = (sent if sent.tzinfo is None else sent.astimezone(UTC)).date()
        return abs((self.day(sent) - sent).days) <= days


def decode_srs(address: str) -> Srs | None:
    """The parts of an SRS address, or None when it is none."""
    address = address.strip(" ").removeprefix("<").removesuffix(">")
    for form, pattern in _FORMS:
        if found := pattern.fullmatch(address):
            parts = found.groupdict()
            user, domain = parts.get("user"), parts.get("domain")
            return Srs(
                form=form,
                original=f"{user}@{domain}" if user and domain else None,
                forwarder=parts["forwarder"],
                mailbox=parts.get("mailbox"),
                hash=parts["hash"],
                stamp=_stamp(parts["stamp"]),
            )
    return None


def _stamp(digits: str) -> int:
    high, low = (_BASE32.index(digit) for digit in digits.upper())
    return high * 32 + low
