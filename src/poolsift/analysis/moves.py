"""How many messages a change moves from which pool to which, in all and by sender domain."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from poolsift.analysis.bounded_counts import BoundedCounts, summed
from poolsift.verdicts import POOLS, Pool

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from poolsift.analysis.stored_rows import Mask, StoredRows

    Bytes = NDArray[np.uint8]

#: Keys of the counts by sender domain.
KEYS: Final = ("sender_domain", "from_pool", "to_pool", "possibly_normal")

_WORDS: Final = pa.array([pool.value for pool in POOLS])
_ANSWERS: Final = pa.array(["no", "yes"])


class Move(NamedTuple):
    """From one pool to another; ``possibly_normal``: it became undetermined, and the normal pool is a candidate."""

    from_pool: str
    to_pool: str
    possibly_normal: bool


class Count(NamedTuple):
    """Messages (one record each) and the recipients that they stand for."""

    messages: int
    recipients: int


class PieceMoves:
    """The moves in one piece of the output; a thread's own."""

    def __init__(self) -> None:
        self.moves: dict[Move, Count] = {}
        self.lacking: Counter[str] = Counter()
        self._tables: list[pa.Table] = []

    def add(self, rows: StoredRows, pools: Bytes, possible: Mask) -> None:
        """Count the rows whose pool is now another than the stored one; ``possible``: undetermined, maybe normal."""
        places = np.flatnonzero(pools != rows.pools)
        if not len(places):
            return
        keys = np.stack([rows.pools[places], pools[places], possible[places].astype(np.uint8)])
        recipients = rows.recipients[places]
        self._add_moves(keys, recipients)
        ways = {"from_pool": _WORDS, "to_pool": _WORDS, "possibly_normal": _ANSWERS}
        columns = {name: words.take(pa.array(keys[n])) for n, (name, words) in enumerate(ways.items())}
        domains = rows.batch.column("sender_domain").take(pa.array(places)).cast(pa.string())
        counts = {"messages": pa.array(np.ones(len(places), np.int64)), "recipients": pa.array(recipients)}
        self._tables.append(summed(pa.table({"sender_domain": domains, **columns, **counts}), KEYS))

    def domains(self) -> pa.Table | None:
        """The moves by sender domain, None when nothing moved."""
        return pa.concat_tables(self._tables) if self._tables else None

    def _add_moves(self, keys: Bytes, recipients: NDArray[np.int64]) -> None:
        codes = (keys[0].astype(np.intp) << 8) | (keys[1] << 1) | keys[2]
        messages = np.bincount(codes)
        weighed = np.bincount(codes, weights=recipients)
        for code in np.flatnonzero(messages).tolist():
            move = Move(POOLS[code >> 8].value, POOLS[code >> 1 & 0x7F].value, bool(code & 1))
            add_count(self.moves, move, Count(int(messages[code]), round(weighed[code])))


def add_count(moves: dict[Move, Count], move: Move, more: Count) -> None:
    """Add to one entry."""
    count = moves.get(move, Count(0, 0))
    moves[move] = Count(count.messages + more.messages, count.recipients + more.recipients)


@dataclass
class Moves:
    """What one change, or several together, move in the whole output.

    ``lacking`` counts messages for which the output does not hold what the change needs, by what is missing.
    ``dropped``: with more sender domains than are kept, a domain may have up to so many messages more.
    """

    changes: tuple[str, ...]
    moves: dict[Move, Count] = field(default_factory=dict)
    lacking: Counter[str] = field(default_factory=Counter)
    domains: pa.Table = None
    dropped: int = 0

    @property
    def moved(self) -> Count:
        """All that moves."""
        return _total(self.moves.values())

    @property
    def to_normal(self) -> Count:
        """What moves to the normal pool."""
        return _total(count for move, count in self.moves.items() if move.to_pool == Pool.NORMAL)

    @property
    def possibly_normal(self) -> Count:
        """What becomes undetermined and may be normal."""
        return _total(count for move, count in self.moves.items() if move.possibly_normal)

    def ranked(self) -> list[tuple[Move, Count]]:
        """The moves, most messages first."""
        return sorted(self.moves.items(), key=lambda item: (-item[1].messages, item[0]))

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "changes": list(self.changes),
            "moved": self.moved._asdict(),
            "to_normal": self.to_normal._asdict(),
            "possibly_normal": self.possibly_normal._asdict(),
            "moves": [{**move._asdict(), **count._asdict()} for move, count in self.ranked()],
            "lacking": dict(sorted(self.lacking.items())),
            "domains": [
                {**row, "possibly_normal": row["possibly_normal"] == "yes"} for row in self.domains.to_pylist()
            ],
            "domains_missed": self.dropped,
        }


class MovesOfAll:
    """Adds up the pieces of one scenario."""

    def __init__(self, changes: tuple[str, ...], most_domains: int) -> None:
        self._found = Moves(changes)
        self._domains = BoundedCounts(KEYS, most_domains)

    def merge(self, piece: PieceMoves) -> None:
        """Take one piece."""
        for move, count in piece.moves.items():
            add_count(self._found.moves, move, count)
        self._found.lacking.update(piece.lacking)
        table = piece.domains()
        if table is not None:
            self._domains.add(table)

    def result(self) -> Moves:
        """The whole."""
        self._found.domains = self._domains.table()
        self._found.dropped = self._domains.missed
        return self._found


def _total(counts: Any) -> Count:
    messages = recipients = 0
    for count in counts:
        messages += count.messages
        recipients += count.recipients
    return Count(messages, recipients)
