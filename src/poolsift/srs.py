"""Sender Rewriting Scheme: whom a rewritten address holds, and on which day it was rewritten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from poolsift._native.nouns import is_srs, split_mailbox, srs_original

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
#: The timestamp of two base32 digits counts days since 1970-01-01 modulo 1024.
_CYCLE = 1024
_EPOCH = date(1970, 1, 1)

_STAMP = r"(?P<hash>[^=]+)=(?P<stamp>[A-Z2-7]{2})"
_HELD = r"=(?P<domain>[^=]+)=(?P<user>.+)"
_MAILBOX = r"(?P<mailbox>(?:(?!\+SRS=).)+)\+SRS="
#: Local parts. Logs fold case: so do we. What an address holds may be rewritten itself; the outer layer is read.
_FORMS = (
    # The general scheme; the separator after SRS0 and SRS1 may be any of = + -.
    ("srs0", rf"SRS0[=+-]{_STAMP}{_HELD}"),
    ("srs1", rf"SRS1[=+-][^=]+=[^=]+=[=+-]{_STAMP}{_HELD}"),
    # Microsoft 365: <mailbox>+SRS=<hash>=<stamp>=<domain>=<user>@<forwarder>; the domain has no "=", the user may.
    ("microsoft", rf"{_MAILBOX}{_STAMP}{_HELD}"),
    # Where that would be too long: bounces+SRS=<hash>=<stamp>@<forwarder>, which holds nobody.
    ("bounces", rf"{_MAILBOX}{_STAMP}"),
)
_PATTERNS = tuple((form, re.compile(text, re.IGNORECASE | re.ASCII | re.DOTALL)) for form, text in _FORMS)


@dataclass(frozen=True, slots=True)
class Srs:
    """One rewritten address taken apart.

    ``original`` is None in the ``bounces`` form, which does not hold it, and where what is held is no usable address.
    ``stamp`` is the day modulo 1024; ``hash`` is not verified, and its case may be lost.
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
    """The parts of an SRS address, or None when it is none; what is one is the native core's decision."""
    if not is_srs(address):
        return None
    _, local, domain = split_mailbox(address)
    text = local.decode()
    form, found = next((form, match) for form, pattern in _PATTERNS if (match := pattern.fullmatch(text)))
    parts = found.groupdict()
    return Srs(
        form=form,
        original=srs_original(address),
        forwarder=domain.decode(),
        mailbox=parts.get("mailbox"),
        hash=parts["hash"],
        stamp=_stamp(parts["stamp"]),
    )


def _stamp(digits: str) -> int:
    high, low = (_BASE32.index(digit) for digit in digits.upper())
    return high * 32 + low
