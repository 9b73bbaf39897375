"""Answers that arrive while a run goes on, in the form that kernels read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from poolsift._native.nouns import DnsTable
from poolsift.dns.answers import Answer, Reason, unknown
from poolsift.dns.inquiry import counting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.classifier import SpfSource

#: The types that decide ``domain_resolves`` or one of its flags.
_TYPES: Final = ("MX", "A", "AAAA")
_NEVER_CAME: Final = unknown(Reason.CANCELLED)


class LiveTable:
    """A growing DnsTable for a ``Classifier``. What was once said of a name stands, so that one run has one answer.

    Safe to share between threads. A name that nobody has asked about yet is unknown. Takes some 20 bytes a name besides
    the name itself, for as long as it lives. ``spf`` is what SPF is evaluated by, None where it is not.
    """

    path: None = None  #: there is no file behind it
    sha256: None = None

    def __init__(self, spf: SpfSource | None = None) -> None:
        self.table: DnsTable = DnsTable.growing()
        self.spf = spf

    def __len__(self) -> int:
        return len(self.table)

    def missing(self, names: list[str]) -> list[str]:
        """Those of the canonical names that have no answer yet, in their order."""
        return self.table.missing(names)

    def take(self, answers: Mapping[str, Mapping[str, Answer]]) -> dict[str, dict[str, Answer]]:
        """Add the answers to many names, by type, and give them as they count.

        A name without an answer is unknown. Waits for kernels that are at work on a batch.
        """
        taken = {name: _counting(types) for name, types in answers.items()}
        rows = [(name, rdtype, types[rdtype]) for name, types in taken.items() for rdtype in _TYPES if rdtype in types]
        self.table.absorb(
            DnsTable.build(
                (name for name, _, _ in rows),
                (rdtype for _, rdtype, _ in rows),
                (answer.status for _, _, answer in rows),
                (rdtype == "MX" and answer.is_null_mx for _, rdtype, answer in rows),
            )
        )
        return taken

    def __reduce__(self) -> NoReturn:
        raise TypeError("a LiveTable cannot be pickled, its answers are still coming; classify by a Snapshot instead")


def _counting(types: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers of one name as they count; a name without any is unknown."""
    if "A" not in types and "MX" not in types:
        return {**types, "MX": _NEVER_CAME, "A": _NEVER_CAME}
    return counting(types)
