"""Which columns an output has: ``key``, ``all`` or ``verdict``."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from poolsift.errors import UsageError, nearest
from poolsift.records import CANONICAL_COLUMNS, KEY_COLUMNS, PLACE_TYPES, RECORD_COLUMNS
from poolsift.verdicts import SCHEMA_VERSION

#: The values of ``--columns``.
COLUMN_SETS: Final = ("key", "all", "verdict")

#: Schema metadata of every Parquet and Arrow output.
METADATA: Final = {b"poolsift.schema_version": str(SCHEMA_VERSION).encode()}


def check_column_set(columns: str) -> None:
    """Refuse a word that is no column set."""
    if columns not in COLUMN_SETS:
        raise UsageError(
            "unknown column set",
            key="columns",
            found=columns,
            expected=", ".join(COLUMN_SETS),
            nearest=nearest(columns, COLUMN_SETS),
        )


def extra_columns(records: pa.RecordBatch) -> list[str]:
    """The columns of an input that are neither canonical nor ours."""
    own = {*RECORD_COLUMNS, *PLACE_TYPES}
    return [name for name in records.schema.names if name not in own]


def output_batch(records: pa.RecordBatch, verdicts: pa.RecordBatch, columns: str) -> pa.RecordBatch:
    """Records and their verdicts side by side, as ``columns`` asks.

    ``all`` keeps every input column; one whose name a verdict column bears is called ``input_<name>``.
    """
    arrays: list[pa.Array] = []
    names: list[str] = []
    if columns == "key":
        kept = list(KEY_COLUMNS)
    elif columns == "all":
        kept = [*PLACE_TYPES, *CANONICAL_COLUMNS, *extra_columns(records)]
    else:
        kept = []
    taken = {*kept, *verdicts.schema.names}
    for name in kept:
        arrays.append(records.column(name))
        names.append(_free_name(name, verdicts.schema.names, taken))
    arrays += verdicts.columns
    names += verdicts.schema.names
    fields = [pa.field(name, array.type) for name, array in zip(names, arrays, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=METADATA))


def _free_name(name: str, reserved: list[str], taken: set[str]) -> str:
    if name not in reserved:
        return name
    free = f"input_{name}"
    while free in taken:
        free = f"input_{free}"
    taken.add(free)
    return free


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch | None:
    """The batch with the columns of ``schema``, null where it lacks one; None when it has more than that."""
    if batch.schema.equals(schema):
        return batch
    if not set(batch.schema.names) <= set(schema.names):
        return None
    arrays = []
    for field in schema:
        place = batch.schema.get_field_index(field.name)
        arrays.append(pa.nulls(batch.num_rows, field.type) if place < 0 else batch.column(place).cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def widened(schema: pa.Schema | None, batch: pa.RecordBatch) -> pa.Schema:
    """The schema that holds everything seen so far and this batch: verdict columns stay last."""
    if schema is None:
        return batch.schema
    fresh = [field for field in batch.schema if field.name not in schema.names]
    first_verdict = schema.get_field_index("pool")
    fields = list(schema)
    return pa.schema([*fields[:first_verdict], *fresh, *fields[first_verdict:]], metadata=schema.metadata)
