"""A finished output: its manifest, and columns of its rows in pieces that threads can read apart."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from poolsift.errors import InputError, UsageError
from poolsift.records import CANONICAL_COLUMNS, CANONICAL_TYPES, KEY_COLUMNS, TIMESTAMP
from poolsift.verdicts import VERDICT_TYPES
from poolsift.writers.csv import formula_restored
from poolsift.writers.publish import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Rows that one batch holds at most, so that what a thread holds does not grow with a row group.
BATCH_ROWS: Final = 1 << 17

#: What a manifest is known by; a file without these was written by something else.
_KEYS: Final = frozenset({"options", "outputs", "verdicts", "inputs"})

#: What is relied on in a manifest: where, which key, of what type. A key that may be null may also be missing.
_TEXT: Final = (str,)
_NONE_OR_TEXT: Final = (str, NoneType)
_SHAPE: Final[tuple[tuple[str, str | None, tuple[type, ...]], ...]] = (
    ("options", None, (dict,)),
    ("options", "columns", _TEXT),
    ("options", "to", _TEXT),
    ("outputs", None, (list,)),
    ("accounting", None, (dict,)),
    ("accounting", "records", (int,)),
    ("verdicts", None, (dict,)),
    ("verdicts", "rules", _TEXT),
    ("verdicts", "rules_file", _NONE_OR_TEXT),
    ("verdicts", "assumed", (dict,)),
    ("verdicts", "dns", _TEXT),
    ("verdicts", "dns_sha256", _NONE_OR_TEXT),
    ("verdicts", "tenant_file", _NONE_OR_TEXT),
    ("verdicts", "tenant_file_sha256", _NONE_OR_TEXT),
    ("verdicts", "overlay", (dict, NoneType)),
)

#: Columns in Parquet whose values repeat so much that their dictionaries are read as such.
_AS_DICTIONARIES: Final = ("sender_domain", "tenant_id")

#: Record batches of an Arrow file that make one piece.
_ARROW_BATCHES: Final = 16
_LINES: Final = 1 << 14

_ARROW_TYPES: Final = {
    TIMESTAMP: pa.timestamp("us", tz="UTC"),
    "string": pa.string(),
    "dictionary": pa.string(),
    "int32": pa.int32(),
    "bool": pa.bool_(),
    "uint32": pa.uint32(),
    "uint8": pa.uint8(),
}
_TYPES: Final = {name: _ARROW_TYPES[kind] for name, kind in {**CANONICAL_TYPES, **VERDICT_TYPES}.items()}


def read_manifest(out: str) -> tuple[Path, dict[str, Any]]:
    """The directory that holds the parts of ``out`` (directory or file), and the manifest. Raises UsageError."""
    path = Path(out)
    directory = path if path.is_dir() else path.absolute().parent
    place = path / MANIFEST if path.is_dir() else path.with_name(f"{path.name}.{MANIFEST}")
    try:
        manifest: dict[str, Any] = orjson.loads(place.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        expected = "the -o of poolsift classify"
        raise UsageError("no finished run", path=out, found=f"no {place.name}", expected=expected) from None
    if not isinstance(manifest, dict) or _KEYS - manifest.keys():
        raise UsageError("not a manifest", path=str(place), expected="one that poolsift classify wrote")
    for where, key, kinds in _SHAPE:
        held = manifest.get(where) if key is None else (manifest.get(where) or {}).get(key)
        if not isinstance(held, kinds):
            found = f"{where}{f'.{key}' if key else ''} = {held!r}"[:200]
            raise UsageError(
                "not the manifest of this version", path=str(place), found=found, expected="classify again"
            )
    _check_parts(manifest["outputs"], place)
    return directory, manifest


def _check_parts(parts: list[Any], place: Path) -> None:
    """Each part once, beside its manifest."""
    names = [part.get("name") if isinstance(part, dict) else None for part in parts]
    odd = [name for name in names if not isinstance(name, str) or "/" in name or names.count(name) > 1]
    if odd:
        raise UsageError(
            "not a list of parts", path=str(place), found=f"outputs: {odd[0]!r}"[:200], expected="each once"
        )


def files_read(out: str) -> list[str]:
    """The files that the run of ``out`` read, as its manifest names them. Raises UsageError for what is no output."""
    _, manifest = read_manifest(out)
    said = manifest["verdicts"]
    names = [entry.get("name") for entry in manifest["inputs"] if isinstance(entry, dict)]
    return [name for name in (*names, said.get("tenant_file"), said.get("rules_file"), said["dns"]) if name]


class Piece(NamedTuple):
    """Rows of one part: a row group, some batches of an Arrow file, or a whole text file (``places`` is empty)."""

    path: Path
    to: str
    places: tuple[int, ...]


def pieces(directory: Path, manifest: dict[str, Any]) -> list[Piece]:
    """Every row of the output, in its order. Raises InputError for a part that is damaged or gone."""
    to = manifest["options"]["to"]
    found: list[Piece] = []
    for part in manifest["outputs"]:
        path = directory / part["name"]
        with _reading(path):
            found += [Piece(path, to, places) for places in _places(path, to)]
    return found


def _places(path: Path, to: str) -> list[tuple[int, ...]]:
    if to == "parquet":
        return [(group,) for group in range(pq.read_metadata(path).num_row_groups)]
    if to == "arrow":
        with pa.OSFile(str(path)) as file:
            count = pa.ipc.open_file(file).num_record_batches
        return [tuple(range(n, min(n + _ARROW_BATCHES, count))) for n in range(0, count, _ARROW_BATCHES)]
    return [()]


def read_piece(piece: Piece, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a piece in batches with these columns, in this order.

    Words are dictionaries or plain strings, as the file has them. Raises InputError where the file is damaged or
    lacks a column.
    """
    with _reading(piece.path):
        for batch in _READ[piece.to](piece, list(columns)):
            yield batch.select(list(columns))


def _read_parquet(piece: Piece, columns: list[str]) -> Iterator[pa.RecordBatch]:
    repeating = [name for name in _AS_DICTIONARIES if name in columns]
    with pq.ParquetFile(piece.path, page_checksum_verification=True, read_dictionary=repeating) as file:
        yield from file.iter_batches(BATCH_ROWS, row_groups=list(piece.places), columns=columns, use_threads=False)


def _read_arrow(piece: Piece, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(piece.path)) as file:
        schema = pa.ipc.open_file(file).schema
        wanted = [schema.get_field_index(name) for name in columns]
        options = pa.ipc.IpcReadOptions(included_fields=[place for place in wanted if place >= 0])
        reader = pa.ipc.open_file(file, options=options)
        yield from (reader.get_batch(place) for place in piece.places)


def _read_ndjson(piece: Piece, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with piece.path.open("rb") as file:
        while rows := [orjson.loads(line) for line in islice(file, _LINES)]:
            arrays = [_from_json([row[name] for row in rows], _TYPES[name]) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=columns)


def _from_json(values: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.string()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def _read_csv(piece: Piece, columns: list[str]) -> Iterator[pa.RecordBatch]:
    kinds = {name: pa.string() if pa.types.is_timestamp(_TYPES[name]) else _TYPES[name] for name in columns}
    how = pa.csv.ConvertOptions(
        include_columns=columns,
        column_types=kinds,
        null_values=[""],
        strings_can_be_null=True,
        true_values=["true"],
        false_values=["false"],
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    with pa.csv.open_csv(piece.path, convert_options=how, parse_options=parse) as reader:
        for batch in reader:
            arrays = [_from_csv(batch.column(name), _TYPES[name]) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=columns)


def _from_csv(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        return column.cast(kind)
    return formula_restored(column) if pa.types.is_string(kind) else column


_READ: Final = {"parquet": _read_parquet, "arrow": _read_arrow, "ndjson": _read_ndjson, "csv": _read_csv}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what a damaged file raises into an InputError that names it."""
    try:
        yield
    except (OSError, pa.ArrowException, orjson.JSONDecodeError, KeyError) as error:
        raise InputError("output_damaged", f"cannot be read: {error}", str(path)) from error


def stored_columns(manifest: dict[str, Any]) -> frozenset[str]:
    """Record and verdict columns that the output holds, by the set of columns that classify was asked for."""
    kept = {"key": KEY_COLUMNS, "all": CANONICAL_COLUMNS, "verdict": ()}[manifest["options"]["columns"]]
    return frozenset((*kept, *VERDICT_TYPES))
