"""Questions and answers of the DNS, with *unknown* kept apart from *absent*."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime


class AnswerStatus(StrEnum):
    """What an answer says about one name and type."""

    PRESENT = "present"  #: records of this type exist
    ABSENT = "absent"  #: NXDOMAIN or NODATA for this very name and type, and nothing weaker
    UNKNOWN = "unknown"  #: could not be found out; never counts as absent
    INVALID = "invalid"  #: the name cannot be asked, or the answer makes no sense


class Question(NamedTuple):
    """One name (A-label, lower case, no trailing dot) and one type (``A MX TXT …``)."""

    name: str
    rdtype: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was learned about one question.

    ``rdata`` is in presentation format: ``192.0.2.1``, ``10 mail.example.com``, a TXT as one string,
    its parts joined, without quotes. ``ttl`` is in seconds. ``confirmed``: an absence seen by a
    second, independent query. ``reason`` says why an answer is unknown or invalid.
    """

    status: AnswerStatus
    rdata: tuple[str, ...] = ()
    ttl: int | None = None
    reason: str | None = None
    asked_at: datetime | None = None
    confirmed: bool = False

    @property
    def is_null_mx(self) -> bool:
        """Whether the only record is an MX of ``.`` (RFC 7505); asked of MX answers only."""
        return len(self.rdata) == 1 and self.rdata[0].split()[1:] == ["."]


#: The answer to a question that a table does not hold.
NOT_LISTED = Answer(AnswerStatus.UNKNOWN, reason="not_listed")
