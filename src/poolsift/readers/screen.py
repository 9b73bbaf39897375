"""What no single conversion sees: values of whole batches checked at once.

Rejects rows for control characters, over-long values, bad UTF-8 and lists where one address is due;
counts odd addresses, IPs and words as field errors, whose rows stay (their facts are unknown).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.readers.rejects import RejectCode
from poolsift.records import CANONICAL_TYPES, VOCABULARIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poolsift.readers.base import ReadOptions, Row
    from poolsift.readers.rejects import FileReport

_TEXTS: Final = tuple(name for name, kind in CANONICAL_TYPES.items() if kind == "string")
_ADDRESSES: Final = ("mail_from", "header_from", "recipient")
_IPS: Final = ("client_ip", "source_ip", "outbound_ip")
#: One address is due here; several would be classified as none.
_SINGLE: Final = ("mail_from", "recipient")
#: The remote server's words may span lines; identifiers may not.
_MULTILINE: Final = "status_text"
_CONTROL: Final = r"[\x00-\x1f\x7f]"
_MULTILINE_CONTROL: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_QUOTED_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
#: Distinct values remembered per column; beyond, memory matters more than time.
_MEMO_VALUES: Final = 1 << 17


class _Fault(NamedTuple):
    field: str
    code: RejectCode
    message: str


class Screen:
    """Checks batches of one file; remembers distinct values, which repeat."""

    def __init__(self, report: FileReport, options: ReadOptions) -> None:
        self._report = report
        self._max_cell = options.max_cell
        self._memo: dict[str, dict[str, bool]] = {name: {} for name in (*_ADDRESSES, *_IPS)}

    def apply(self, batch: pa.RecordBatch, places: Sequence[Row] | None = None) -> pa.RecordBatch:
        """The rows that stay. ``places``: where each row stands, if the format has lines."""
        faults: dict[int, _Fault] = {}
        for name in _TEXTS:
            column = batch.column(name)
            if column.null_count < len(column):
                self._check_text(name, column, faults)
        if faults:
            batch = self._reject(batch, faults, places)
        self._count_field_errors(batch)
        return batch

    def _check_text(self, name: str, column: pa.StringArray, faults: dict[int, _Fault]) -> None:
        longest = pc.max(pc.binary_length(column)).as_py()
        if longest > self._max_cell:
            message = f"longer than {self._max_cell} bytes"
            for index in _where(pc.greater(pc.binary_length(column), self._max_cell)):
                faults.setdefault(index, _Fault(name, RejectCode.CELL_LIMIT, message))
        if _holds_controls(column):
            pattern = _MULTILINE_CONTROL if name == _MULTILINE else _CONTROL
            for index in _where(pc.match_substring_regex(column, pattern)):
                faults.setdefault(index, _Fault(name, RejectCode.CONTROL_CHARACTER, "control character"))
        if name in _SINGLE:
            for index in _where(pc.match_substring_regex(column, "@[^@]*[;,].*@")):
                if is_list(column[index].as_py()):
                    fault = _Fault(name, RejectCode.LIST, "several addresses where one is due")
                    faults.setdefault(index, fault)

    def _reject(self, batch: pa.RecordBatch, faults: dict[int, _Fault], places: Sequence[Row] | None) -> pa.RecordBatch:
        rows = batch.column("row")
        for index, fault in sorted(faults.items()):
            place = places[index] if places is not None else None
            self._report.reject(
                row=rows[index].as_py(),
                line=place.line if place else None,
                byte_offset=place.offset if place else None,
                raw=place.raw if place else b"",
                **fault._asdict(),
            )
        kept = pa.array([index for index in range(batch.num_rows) if index not in faults], pa.int64())
        return batch.take(kept)

    def _count_field_errors(self, batch: pa.RecordBatch) -> None:
        for name, known in self._memo.items():
            self._count(name, batch.column(name), known)
        for name, words in VOCABULARIES.items():
            column = batch.column(name)
            if column.null_count == len(column):
                continue
            for value, count in _value_counts(column):
                if value and value.lower() not in words:
                    self._report.field_error(name, count)

    def _count(self, name: str, column: pa.StringArray, known: dict[str, bool]) -> None:
        if column.null_count == len(column):
            return
        if len(known) > _MEMO_VALUES:
            known.clear()
        usable = _is_address if name in _ADDRESSES else _is_ip
        distinct = pc.unique(column).to_pylist()
        for value in distinct:
            if value and value not in known:
                known[value] = usable(value, name)
        odd = [value for value in distinct if value and not known[value]]
        if odd:
            bad = pc.sum(pc.is_in(column, pa.array(odd, column.type))).as_py()
            self._report.field_error(name, bad)


def is_list(value: str) -> bool:
    """Whether a text holds several addresses: ``;`` or ``,`` between two ``@``, quotes left out."""
    parts = re.split(r"[;,]", _QUOTED_PART.sub("", value))
    # A source route (RFC 5321 §4.1.2) also has commas, but begins with `@` inside brackets.
    if value.lstrip(" ").startswith("<@"):
        return False
    return sum("@" in part for part in parts) > 1


def _is_address(value: str, name: str) -> bool:
    from poolsift._native.nouns import split_mailbox

    kind = split_mailbox(value.encode("utf-8", "surrogatepass"))[0]
    if kind == "null_path":
        return name == "mail_from"
    return bool(kind != "unusable")


def _is_ip(value: str, _name: str) -> bool:
    from poolsift._native.nouns import parse_address

    return parse_address(value) is not None


def _holds_controls(column: pa.StringArray) -> bool:
    """A quick look at all bytes of a column; bytes under nulls may raise a false alarm."""
    _validity, offsets, data = column.buffers()
    if data is None or not len(column):
        return False
    places = pa.Array.from_buffers(pa.int32(), len(column) + 1, [None, offsets], offset=column.offset)
    first, last = places[0].as_py(), places[-1].as_py()
    if first == last:
        return False
    held = pa.Array.from_buffers(pa.uint8(), last - first, [None, data], offset=first)
    least: int = pc.min(held).as_py()
    return least < 0x20 or pc.index(held, pa.scalar(0x7F, pa.uint8())).as_py() >= 0


def _where(mask: pa.BooleanArray) -> list[int]:
    indices: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return indices


def _value_counts(column: pa.StringArray) -> list[tuple[str | None, int]]:
    return [(entry["values"], entry["counts"]) for entry in pc.value_counts(column).to_pylist()]
