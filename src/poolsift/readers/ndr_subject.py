"""How Exchange's own reports are told by sender and subject, where a log does not say what a message is."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

from poolsift.tables import ndr_subject_prefixes, shipped_table

POSTMASTER = "postmaster"

#: How the subjects of Exchange's other reports begin (English, lower case) → kind.
OTHER_REPORTS = MappingProxyType(
    {
        "delivery delayed:": "delay",
        "delivered:": "receipt",
        "relayed:": "receipt",
        "expanded:": "receipt",
        "read:": "receipt",
        "not read:": "receipt",
    }
)


def local_part(address: str) -> str:
    """What stands before the last ``@``, lower case, without angle brackets and quotes; empty where there is none."""
    local = address.strip(" <>").rpartition("@")[0].lower()
    return local[1:-1] if len(local) > 1 and local[0] == local[-1] == '"' else local


@cache
def _report_senders() -> frozenset[str]:
    return frozenset({*shipped_table("senders")["ndr_senders"], POSTMASTER})


def is_postmaster(address: str) -> bool:
    """Whether the local part is ``postmaster``: such mail may be a report, but other mail too."""
    return local_part(address) == POSTMASTER


def is_report_sender(address: str) -> bool:
    """Whether Exchange sends its own reports from this local part (other mail may come from it too)."""
    return local_part(address) in _report_senders()


def is_ndr_subject(subject: str) -> bool:
    """Whether the subject begins with a word for *Undeliverable* of the dated table (case and outer spaces ignored)."""
    return subject.strip().casefold().startswith(ndr_subject_prefixes())


def other_report(subject: str) -> str | None:
    """``delay`` or ``receipt`` where the subject begins like such a report of Exchange; else None."""
    beginning, colon, _ = subject.strip().lower().partition(":")
    return OTHER_REPORTS.get(beginning + colon)
