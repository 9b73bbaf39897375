"""The same records in every Arrow form that a caller may hand over."""

from random import Random
from typing import Any

import pyarrow as pa

Columns = dict[str, list[Any]]

OTHER_TYPES = {"sfp": pa.int32(), "recipient_count": pa.int32(), "time": pa.timestamp("us", tz="UTC")}
BOOLEANS = frozenset({"accepted", "spam", "forwarded", "submitted", "joined", "sender_from_trace"})
TEXT_TYPES = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "string_view": pa.string_view(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "binary_view": pa.binary_view(),
    "dictionary": pa.dictionary(pa.int32(), pa.string()),
    "small_dictionary": pa.dictionary(pa.int16(), pa.large_string()),
}
FORMS = (*TEXT_TYPES, "mixed", "sliced", "chunked", "shuffled")


def column_type(name: str, text: pa.DataType) -> pa.DataType:
    return pa.bool_() if name in BOOLEANS else OTHER_TYPES.get(name, text)


def encode(columns: Columns, form: str, seed: int = 0) -> pa.Table:
    """A table of the columns; forms beyond the text types change layout, not content."""
    random = Random(seed)
    if form in TEXT_TYPES:
        return plain(columns, dict.fromkeys(columns, TEXT_TYPES[form]))
    types = {name: random.choice(tuple(TEXT_TYPES.values())) for name in columns}
    if form == "sliced":
        return sliced(columns, types, random)
    if form == "chunked":
        return chunked(plain(columns, types), random)
    if form == "shuffled":
        names = random.sample(tuple(columns), len(columns))
        table = plain({name: columns[name] for name in names}, types)
        return table.append_column("unknown", pa.nulls(table.num_rows))
    return plain(columns, types)


def plain(columns: Columns, types: dict[str, pa.DataType]) -> pa.Table:
    return pa.table({name: array(values, column_type(name, types[name])) for name, values in columns.items()})


def array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def sliced(columns: Columns, types: dict[str, pa.DataType], random: Random) -> pa.Table:
    """Each column is a slice of a longer one, with an offset of its own."""
    arrays = {}
    for name, values in columns.items():
        before, after = random.randrange(70), random.randrange(5)
        padding = [*values, None]
        longer = [padding[-1 - at % len(padding)] for at in range(before)] + values + [None] * after
        arrays[name] = array(longer, column_type(name, types[name])).slice(before, len(values))
    return pa.table(arrays)


def chunked(table: pa.Table, random: Random) -> pa.Table:
    """Chunk borders differ from column to column; some chunks are empty."""
    arrays = []
    for column in table.columns:
        cuts = sorted(random.randrange(table.num_rows + 1) for _ in range(random.randrange(6)))
        edges = [0, *cuts, table.num_rows]
        pieces = [column.slice(start, stop - start) for start, stop in zip(edges, edges[1:], strict=False)]
        chunks = [chunk for piece in pieces for chunk in piece.chunks]
        arrays.append(pa.chunked_array(chunks, type=column.type))
    return pa.table(arrays, names=table.column_names)
