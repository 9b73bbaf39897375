"""Arrow columns of other types cast to the canonical ones; what cannot be is named, never guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from poolsift.errors import InputError
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds from 1990 up to 2200, as in :mod:`conversions`: other times mean *none* in other software.
_FIRST_SECOND: Final = 631_152_000
_LAST_SECOND: Final = 7_258_118_400
_UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class Cast(NamedTuple):
    """A column in its canonical type, and the rows whose value has no place in it (null there)."""

    column: pa.Array
    bad: list[int]
    code: RejectCode = RejectCode.TYPE
    message: str = ""


def cast_column(column: pa.Array, field: pa.Field, path: str) -> Cast:
    """``column`` as ``field`` wants it. InputError when its type is another kind altogether."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_null(column.type):
        return Cast(pa.nulls(len(column), field.type), [])
    caster = _caster(field.type)
    found = caster(column)
    if found is None:
        message = f"column {field.name!r} is {column.type}, expected {_EXPECTED[caster]}"
        raise InputError("column_type", message, path)
    return found


def _caster(due: pa.DataType) -> Callable[[pa.Array], Cast | None]:
    if types.is_timestamp(due):
        return _time
    if types.is_string(due):
        return _text
    return _boolean if types.is_boolean(due) else _integer


def _text(column: pa.Array) -> Cast | None:
    kind = column.type
    is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    if not is_text and not (types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)):
        return None
    try:
        # By way of bytes: the cast back checks the UTF-8, which Parquet does not promise.
        return Cast(pc.cast(pc.cast(column, pa.binary()), pa.string()), [])
    except pa.ArrowInvalid:
        return _text_row_by_row(pc.cast(column, pa.large_binary()))


def _text_row_by_row(column: pa.Array) -> Cast:
    values: list[str | None] = []
    bad = []
    for index, value in enumerate(column.to_pylist()):
        try:
            values.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            values.append(None)
            bad.append(index)
    return Cast(pa.array(values, pa.string()), bad, RejectCode.UTF8, "not UTF-8")


def _time(column: pa.Array) -> Cast | None:
    if types.is_date(column.type):
        column = pc.cast(column, pa.timestamp("s"))
    if not types.is_timestamp(column.type):
        return None
    scale = _UNITS[column.type.unit]
    instants = column.view(pa.int64())
    outside = pc.or_(pc.less(instants, _FIRST_SECOND * scale), pc.greater_equal(instants, _LAST_SECOND * scale))
    bad = _where(outside)
    if bad:
        column = pc.if_else(pc.fill_null(outside, False), pa.scalar(None, column.type), column)
    # Times without a zone are UTC; nanoseconds are truncated.
    naive = column.view(pa.int64()).view(pa.timestamp(column.type.unit, tz="UTC"))
    cast = pc.cast(naive, pa.timestamp("us", tz="UTC"), safe=False)
    return Cast(cast, bad, RejectCode.TIMESTAMP, "time out of range (1990 to 2199)")


def _integer(column: pa.Array) -> Cast | None:
    if not types.is_integer(column.type):
        return None
    try:
        return Cast(pc.cast(column, pa.int32()), [])
    except pa.ArrowInvalid:
        wide = column.to_pylist()
    bad = [index for index, value in enumerate(wide) if value is not None and not -(1 << 31) <= value < 1 << 31]
    for index in bad:
        wide[index] = None
    return Cast(pa.array(wide, pa.int32()), bad, RejectCode.NUMBER, "whole number beyond 32 bits")


def _boolean(column: pa.Array) -> Cast | None:
    return Cast(column, []) if types.is_boolean(column.type) else None


_EXPECTED: Final[dict[Callable[[pa.Array], Cast | None], str]] = {
    _text: "a string (any kind)",
    _time: "a timestamp (any unit; without a zone: UTC) or a date",
    _integer: "an integer",
    _boolean: "a bool",
}


def _where(mask: pa.BooleanArray) -> list[int]:
    indices: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return indices
