"""Rows of a finished output as arrays: what what-if asks of them, each computed once a batch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from poolsift.evidence import FACT_MASK
from poolsift.verdicts import POOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

#: The time of a row that has none; earlier than any that can be recorded.
TIMELESS: Final = np.iinfo(np.int64).min

_POOL_NUMBERS: Final = {pool.value: number for number, pool in enumerate(POOLS)}
#: What may follow the domain of an address: spaces, one bracket, one dot (docs/choices.md 4 and 5).
_TAIL: Final = " >."


class StoredRows:
    """One batch of stored rows. Masks are numpy arrays of a bool a row."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self._names: dict[tuple[str, str, bool], Mask] = {}
        self._ends: dict[str, tuple[pa.Array, Mask]] = {}
        self._answers: dict[Callable[[StoredRows], Mask], Mask] = {}

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    @cached_property
    def evidence(self) -> NDArray[np.uint32]:
        """The evidence with its marks."""
        column = self.batch.column("evidence")
        if column.type != pa.uint32() or column.null_count:
            raise TypeError(f"column evidence: found {column.type}, {column.null_count} nulls; expected uint32 without")
        found: NDArray[np.uint32] = column.to_numpy()
        if (found & found >> 1 & 0x5555).any():
            raise ValueError("column evidence: found a fact of value 3, expected 0 to 2")
        return found

    @cached_property
    def states(self) -> NDArray[np.uint32]:
        """The facts alone: an index of the verdict tables."""
        return self.evidence & np.uint32(FACT_MASK)

    @cached_property
    def pools(self) -> NDArray[np.uint8]:
        """The stored pool by number."""
        column = self.batch.column("pool")
        column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        numbers = np.array([_POOL_NUMBERS[word] for word in column.dictionary.to_pylist()], np.uint8)
        found: NDArray[np.uint8] = numbers[column.indices.to_numpy()]
        return found

    @cached_property
    def candidates(self) -> NDArray[np.uint8]:
        """The stored candidates."""
        found: NDArray[np.uint8] = self.batch.column("candidates").to_numpy()
        return found

    @cached_property
    def recipients(self) -> NDArray[np.int64]:
        """How many recipients each row stands for: ``recipient_count``, 1 where not recorded or below 1."""
        counts = pc.fill_null(self.batch.column("recipient_count"), 1).to_numpy().astype(np.int64)
        found: NDArray[np.int64] = np.maximum(counts, 1)
        return found

    @cached_property
    def times(self) -> NDArray[np.int64] | None:
        """Microseconds since 1970, ``TIMELESS`` where no time is recorded; None where the column was not read."""
        if "time" not in self.batch.schema.names:
            return None
        column = self.batch.column("time").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        found: NDArray[np.int64] = pc.fill_null(column, int(TIMELESS)).to_numpy()
        return found

    def where(self, test: Callable[[StoredRows], Mask]) -> Mask:
        """What a test says of these rows, asked once."""
        if test not in self._answers:
            self._answers[test] = test(self)
        return self._answers[test]

    def recorded(self, column: str) -> Mask:
        """Where a text column holds something; an empty text is not recorded (docs/choices.md 1)."""
        return _mask(pc.greater(pc.binary_length(_plain(self.batch.column(column))), 0))

    def is_null_path(self) -> Mask:
        """Where ``mail_from`` is the null reverse-path."""
        trimmed = pc.ascii_trim(self.batch.column("mail_from"), " ")
        return _mask(pc.or_(pc.equal(self.batch.column("mail_from"), ""), pc.equal(trimmed, "<>")))

    def sender_in(self, domain: str, *, below: bool = False) -> Mask:
        """Where the sender domain is ``domain`` (canonical), or with ``below`` one at any depth below it."""
        return self._named("sender_domain", domain, below)

    def may_end_in(self, column: str, domain: str) -> Mask:
        """Where the address (or name) in a column may have this domain or one below it: no other row has.

        An address ends with its domain. A domain with an A-label may also be written in Unicode, of which nothing
        is assumed here.
        """
        lowered, foreign = self._lowered(column)
        found = _mask(pc.ends_with(lowered, domain))
        return found | foreign if "xn--" in domain else found

    def _named(self, column: str, domain: str, below: bool) -> Mask:
        key = (column, domain, below)
        if key not in self._names:
            texts = self.batch.column(column)
            words = texts.dictionary if pa.types.is_dictionary(texts.type) else texts
            same = pc.equal(words, domain)
            same = pc.or_(same, pc.ends_with(words, f".{domain}")) if below else same
            same = _mask(same)
            if pa.types.is_dictionary(texts.type):
                places = pc.fill_null(texts.indices, len(words)).to_numpy()
                same = np.append(same, np.False_)[places]
            self._names[key] = same
        return self._names[key]

    def _lowered(self, column: str) -> tuple[pa.Array, Mask]:
        if column not in self._ends:
            texts = self.batch.column(column)
            foreign = ~_mask(pc.fill_null(pc.string_is_ascii(texts), True))
            lowered = pc.ascii_lower(texts)
            if any(pc.any(pc.ends_with(lowered, character)).as_py() for character in _TAIL):
                lowered = pc.ascii_rtrim(lowered, _TAIL)  # ten times the work, and hardly any log needs it
            self._ends[column] = lowered, foreign
        return self._ends[column]


def _plain(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _mask(values: pa.Array) -> Mask:
    found: Mask = pc.fill_null(values, False).to_numpy(zero_copy_only=False)
    return found


def any_of(masks: Iterable[Mask], rows: int) -> Mask:
    """Where any of the masks holds; nowhere when there is none."""
    found = np.zeros(rows, np.bool_)
    for mask in masks:
        found |= mask
    return found
