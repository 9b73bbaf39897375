"""What a cache remembers of one question, and what of it counts at a given time: rules alone, no I/O, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.dns.judge import MOST_FAILURE_TTL, sane_ttl

if TYPE_CHECKING:
    from datetime import datetime

#: RFC 9520 section 3.2: a first failure is remembered so long (seconds), each further one in a row twice as long.
FIRST_FAILURE_TTL: Final = 5
#: Doublings after which a failure's time is past its bound anyway.
_MOST_DOUBLINGS: Final = 6
#: RFC 8767 section 4: answers past their time are given out with this TTL in seconds.
STALE_TTL: Final = 30
#: An answer asked later than this after now comes from a clock that was wrong then or is wrong now.
_CLOCK_SLACK: Final = timedelta(seconds=5)
#: What a confirmation says of an absence that it did not see.
_DOUBTS: Final = frozenset({Reason.UNCONFIRMED, Reason.LAME})


class Entry(NamedTuple):
    """The last definite answer, and beside it the failure to get another one since.

    ``definite`` is present, absent or invalid. ``failure`` is unknown, its TTL the seconds that it is remembered.
    ``failures`` counts unknown answers in a row. Every answer has its ``asked_at``.
    """

    definite: Answer | None = None
    failure: Answer | None = None
    failures: int = 0


NOTHING: Final = Entry()


def recorded(answer: Answer, now: datetime) -> Answer:
    """The answer as it is kept: asked now where it does not say when, and with a TTL that makes sense (RFC 2181)."""
    ttl = None if answer.ttl is None else sane_ttl(answer.ttl)
    return replace(answer, asked_at=answer.asked_at or now, ttl=ttl)


def merged(held: Entry, answer: Answer) -> Entry:
    """The entry after one more recorded answer.

    A failure stands beside the definite answer and never replaces it, but for the doubt of a confirmation: that
    speaks of the very absence that is held.
    """
    if answer.status is not AnswerStatus.UNKNOWN:
        return Entry(answer)
    definite = held.definite
    if definite is not None and answer.reason in _DOUBTS and _is_unconfirmed_absence(definite):
        definite = None
    failures = held.failures + 1
    return Entry(definite, failure_answer(answer.reason, answer.asked_at, failures), failures)


def failure_answer(reason: str | None, asked_at: datetime | None, failures: int) -> Answer:
    """The last of so many unknown answers in a row, with the seconds that it is remembered as TTL."""
    ttl = min(FIRST_FAILURE_TTL << min(failures - 1, _MOST_DOUBLINGS), MOST_FAILURE_TTL)
    return Answer(AnswerStatus.UNKNOWN, ttl=ttl, reason=reason, asked_at=asked_at)


def combined(one: Entry, other: Entry) -> Entry:
    """What two caches know together: the later definite answer, and the later failure unless that answer is later."""
    definite = _later(one.definite, other.definite)
    failure = _later(one.failure, other.failure)
    if failure is None or _later(failure, definite) is not failure:
        return Entry(definite)
    return Entry(definite, failure, max(one.failures, other.failures))


def current(entry: Entry, now: datetime) -> Answer | None:
    """The answer that still counts, or None: the question is to be asked.

    A failure goes first, for it was learned last (RFC 9520: nobody is asked again while it is remembered).
    """
    for answer in (entry.failure, entry.definite):
        if answer is not None and _is_fresh(answer, now):
            return answer
    return None


def latest(entry: Entry, now: datetime) -> Answer | None:
    """The answer that still counts, else the last one learned, however old.

    An unconfirmed absence does not come back when a later failure is over: it could make half of a pair of absences
    that no run has seen together.
    """
    answer = current(entry, now)
    if answer is None or (entry.failure is not None and _is_unconfirmed_absence(answer)):
        return entry.failure or entry.definite
    return answer


def current_since(entry: Entry, now: datetime, since: datetime) -> Answer | None:
    """The answer that still counts, or else the last one if it was learned at ``since`` or later."""
    answer = current(entry, now) or latest(entry, now)
    if answer is None or _is_fresh(answer, now):
        return answer
    return answer if _asked(answer) >= since and not _is_from_the_future(answer, now) else None


def stale(entry: Entry, now: datetime, max_stale: timedelta) -> Answer | None:
    """The definite answer to fall back on when asking again failed (RFC 8767), or None.

    That is one past its time by at most ``max_stale``, or one in its time behind a remembered failure. Answers that
    were never to be kept (TTL 0), invalid ones, and unconfirmed absences behind a failure (see ``latest``) are none.
    """
    answer = entry.definite
    if answer is not None and entry.failure is not None and _is_unconfirmed_absence(answer):
        return None
    if answer is None or answer is current(entry, now) or not _was_kept(answer) or _is_from_the_future(answer, now):
        return None
    left = _expiry(answer) - now
    if left > timedelta(0) or (max_stale > timedelta(0) and left + max_stale >= timedelta(0)):
        return replace(answer, ttl=STALE_TTL)
    return None


def _is_fresh(answer: Answer, now: datetime) -> bool:
    return _was_kept(answer) and not _is_from_the_future(answer, now) and _expiry(answer) > now


def _was_kept(answer: Answer) -> bool:
    """Whether the answer may be given to anybody but the run that asked (RFC 2308 section 5: not without SOA)."""
    return answer.status is not AnswerStatus.INVALID and bool(answer.ttl)


def _is_from_the_future(answer: Answer, now: datetime) -> bool:
    return _asked(answer) > now + _CLOCK_SLACK


def _expiry(answer: Answer) -> datetime:
    return _asked(answer) + timedelta(seconds=answer.ttl or 0)


def _asked(answer: Answer) -> datetime:
    assert answer.asked_at is not None
    return answer.asked_at


def _later(one: Answer | None, other: Answer | None) -> Answer | None:
    if one is None or other is None:
        return one or other
    return one if _asked(one) >= _asked(other) else other


def _is_unconfirmed_absence(answer: Answer) -> bool:
    return answer.status is AnswerStatus.ABSENT and not answer.confirmed
