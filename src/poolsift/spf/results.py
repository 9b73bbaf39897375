"""What SPF came to in one run: added to the table that kernels read, and counted for people."""

from __future__ import annotations

import ipaddress
from bisect import insort
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from poolsift._native.nouns import DnsTable
from poolsift.records import SPF_WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift._native.nouns import SpfTable
    from poolsift.spf.compile import NotCompiled, Program
    from poolsift.spf.evaluate import SpfOutcome

#: Numbers of results; 0 stands for what could not be evaluated at all.
NOT_EVALUATED: Final = 0
WORD_NUMBERS: Final[Mapping[str, int]] = {word: number for number, word in enumerate(SPF_WORDS, 1)}
TEMPERROR: Final = WORD_NUMBERS["temperror"]
#: Bytes of an address by family.
SIZES: Final[Mapping[int, int]] = {4: 4, 6: 16}

#: Names of domains listed for people, the first in the order of their letters.
NAMES_SHOWN: Final = 20
#: Names counted exactly; it bounds memory to some 100 MB.
_MOST_NAMES: Final = 2_000_000


class ProgramAsked(NamedTuple):
    """The results of one domain for every client address of a family are wanted."""

    name: str
    family: Literal[4, 6]


class OutcomeAsked(NamedTuple):
    """The result for one message is wanted; ``helo`` and ``local`` are empty where they are not known or needed."""

    name: str
    client_ip: str
    helo: str
    local: str


Asked: TypeAlias = "ProgramAsked | OutcomeAsked"


def read_asked(entry: tuple[Any, ...]) -> Asked:
    """What the kernel asked: ``("program", name, family)`` or ``("outcome", name, client_ip, helo, local)``."""
    return ProgramAsked(*entry[1:]) if entry[0] == "program" else OutcomeAsked(*entry[1:])


class SpfResults:
    """A table and how it came about. ``table`` may forget; what was counted stays counted, each name and reason once.

    Not for several threads at once.
    """

    def __init__(self, table: SpfTable) -> None:
        self.table = table
        self.outcomes = 0
        self._domains = _Names()
        self._not_listed = _Names()
        self._by_message = _Names()
        self._shown: list[str] = []
        self._reasons: dict[str, _Names] = {}

    def add_uniform(self, name: str, family: int, word: int) -> None:
        """The same result for every address; NOT_EVALUATED where the snapshot does not hold the record."""
        self._domains.add(name)
        if word == NOT_EVALUATED:
            self._not_listed.add(name)
        self.table.add(name, family, bytes(SIZES[family]), bytes([word]))

    def add_program(self, name: str, family: int, compiled: Program | NotCompiled) -> None:
        """A compiled record tree, or why every message needs an evaluation of its own."""
        from poolsift.spf.compile import NotCompiled

        self._domains.add(name)
        if isinstance(compiled, NotCompiled):
            self._by_message.add(name)
            self._show(name)
            self._reasons.setdefault(compiled.reason, _Names()).add(name)
            self.table.add_uncompiled(name, family, compiled.needs_local)
        else:
            starts = b"".join(start.to_bytes(SIZES[family]) for start in compiled.starts)
            self.table.add(name, family, starts, compiled.words)

    def _show(self, name: str) -> None:
        if name not in self._shown:
            insort(self._shown, name)
            del self._shown[NAMES_SHOWN:]

    def add_outcome(self, asked: OutcomeAsked, outcome: SpfOutcome | None) -> None:
        """The result for one message; None where it could not be evaluated."""
        self.outcomes += 1
        word = NOT_EVALUATED if outcome is None else WORD_NUMBERS[outcome.result]
        self.table.add_outcome(*asked, word)

    def holds(self, asked: Asked) -> bool:
        """Whether the table says it already: another thread may have asked for the same."""
        if isinstance(asked, OutcomeAsked):
            return self.table.lookup(*asked) is not None
        any_address = str(ipaddress.ip_address(bytes(SIZES[asked.family])))
        return self.table.lookup(asked.name, any_address) is not None

    def description(self) -> dict[str, Any]:
        """For the manifest: domains, those whose record trees were compiled, and why others were not.

        Exact up to two million names, from then on "at least". A domain may have several reasons; of those not
        compiled the first twenty are named.
        """
        return {
            "domains": len(self._domains),
            "compiled": len(self._domains) - len(self._by_message) - len(self._not_listed),
            "not_compiled": {reason: len(names) for reason, names in sorted(self._reasons.items())},
            "not_compiled_names": list(self._shown),
            "not_listed": len(self._not_listed),
            "outcomes": self.outcomes,
        }


class _Names:
    """Distinct names, some 20 bytes each besides the name."""

    def __init__(self) -> None:
        self._kept = DnsTable.growing()  # as a set of names; what it says of them nobody reads

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, name: str) -> None:
        if len(self._kept) < _MOST_NAMES and self._kept.missing([name]):
            self._kept.absorb(DnsTable.build([name], ["A"], ["unknown"], [False]))
