"""The file forms of a DNS snapshot: full (one row a name and type) and import (``name, a, mx``), checked strictly."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, Final

from poolsift.dns.answers import AnswerStatus
from poolsift.domain_facts import canonical_domain
from poolsift.errors import SnapshotError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

SCHEMA_VERSION: Final = "1"
VERSION_KEY: Final = "schema_version"
_IMPORT_COLUMNS: Final = ("name", "a", "mx")
_REQUIRED: Final = ("name", "rdtype", "status")
_STATUSES: Final = tuple(AnswerStatus)
_CHUNK: Final = 1 << 20
#: Rows of one batch or row group: what is held in Python's own objects while a snapshot is written.
BATCH_ROWS: Final = 1 << 16


def snapshot_schema(manifest: Mapping[str, str] | None = None) -> pa.Schema:
    """The full form's schema with its manifest; the schema version is always part of it."""
    import pyarrow as pa

    fields = [
        ("name", pa.string()),
        ("rdtype", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("ttl", pa.int32()),
        ("asked_at", pa.timestamp("us", tz="UTC")),
        ("confirmed", pa.bool_()),
        ("rdata", pa.list_(pa.string())),
    ]
    return pa.schema(fields, metadata=dict(sorted({**(manifest or {}), VERSION_KEY: SCHEMA_VERSION}.items())))


def read_table(path: str) -> tuple[pa.Table, str]:
    """The full form of the file at ``path``, checked, and the file's sha256. Raises SnapshotError."""
    import pyarrow as pa

    sha256 = _hash(path)
    try:
        rows = _reader(path)(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowSerializationError, OSError) as problem:
        raise SnapshotError(f"cannot be read: {problem}", path=path) from problem
    if "rdtype" in rows.column_names:
        return _checked(_full_columns(rows, path), path), sha256
    return _checked(_expanded(rows, path), path), sha256


def _hash(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_CHUNK):
                digest.update(block)
    except OSError as problem:
        raise SnapshotError(problem.strerror or str(problem), path=path) from problem
    return digest.hexdigest()


def _reader(path: str) -> Callable[[str], pa.Table]:
    """The reading function for the file's first bytes."""
    with open(path, "rb") as file:
        head = file.read(64)
    if head.startswith(b"PAR1"):
        return _read_parquet
    if head.startswith(b"ARROW1"):
        return _read_ipc_file
    if head.startswith(b"\xff\xff\xff\xff"):
        return _read_ipc_stream
    return _read_ndjson if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else _read_csv


def _read_parquet(path: str) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path)


def _read_ipc_file(path: str) -> pa.Table:
    import pyarrow as pa

    with pa.memory_map(path) as source, pa.ipc.open_file(source) as reader:
        return reader.read_all()


def _read_ipc_stream(path: str) -> pa.Table:
    import pyarrow as pa

    with pa.memory_map(path) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


def _read_ndjson(path: str) -> pa.Table:
    """One object a line; through orjson, because pyarrow's JSON reader crashes on some null values."""
    import orjson
    import pyarrow as pa

    rows: list[dict[str, Any]] = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if not text.strip():
                continue
            try:
                row = orjson.loads(text)
            except orjson.JSONDecodeError as problem:
                raise SnapshotError(f"not JSON: {problem}", path=path, line=number) from problem
            if not isinstance(row, dict):
                raise SnapshotError("not a JSON object", path=path, line=number, found=type(row).__name__)
            rows.append(row)
    columns = list(dict.fromkeys(key for row in rows for key in row)) or list(_IMPORT_COLUMNS)
    return pa.table({name: _column(name, [row.get(name) for row in rows], path) for name in columns})


def _column(name: str, values: list[Any], path: str) -> pa.Array:
    import pyarrow as pa

    schema = snapshot_schema()
    kind = schema.field(name).type if name in schema.names else pa.string()
    if name == "rdata":
        _check_rdata(values, path)
    if name == "asked_at" and any(isinstance(value, str) for value in values):
        return pa.array(values, pa.string())
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as problem:
        raise SnapshotError(f"wrong type: {problem}", path=path, key=name, expected=str(kind)) from problem


def _check_rdata(values: list[Any], path: str) -> None:
    """A text alone would pass for the list of its letters."""
    for row, value in enumerate(values, 1):
        texts = value if isinstance(value, list | tuple) else [None]
        if value is not None and not all(isinstance(text, str) for text in texts):
            expected = 'a list of texts such as ["192.0.2.1"]'
            raise SnapshotError(
                "wrong type", path=path, row=row, key="rdata", found=repr(value)[:80], expected=expected
            )


def _read_csv(path: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    options = csv.ConvertOptions(
        column_types=dict.fromkeys((*_IMPORT_COLUMNS, "rdtype", "status", "reason"), pa.string()),
        null_values=[""],
        strings_can_be_null=True,
    )
    return csv.read_csv(path, convert_options=options)


def _full_columns(rows: pa.Table, path: str) -> pa.Table:
    """The full form's columns in order and type; missing optional ones are null, unknown ones refused."""
    import pyarrow as pa

    schema = snapshot_schema(_text_metadata(rows))
    version = _text_metadata(rows).get(VERSION_KEY, SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise SnapshotError("schema version of another poolsift", path=path, found=version, expected=SCHEMA_VERSION)
    _refuse_columns(rows, path, _REQUIRED, schema.names)
    columns = []
    for field in schema:
        if field.name not in rows.column_names:
            columns.append(pa.nulls(rows.num_rows, field.type))
            continue
        try:
            columns.append(rows[field.name].cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
            found = str(rows[field.name].type)
            raise SnapshotError(
                "wrong type of column", path=path, key=field.name, found=found, expected=str(field.type)
            ) from problem
    return pa.table(columns, schema=schema)


def _text_metadata(rows: pa.Table) -> dict[str, str]:
    metadata: dict[bytes, bytes] = rows.schema.metadata or {}
    skipped = (b"ARROW:schema", b"pandas")
    return {key.decode(): value.decode() for key, value in metadata.items() if key not in skipped}


def _refuse_columns(rows: pa.Table, path: str, required: Sequence[str], known: Sequence[str]) -> None:
    for name in rows.column_names:
        if rows.column_names.count(name) > 1:
            raise SnapshotError("column named twice", path=path, found=name, expected=", ".join(known))
        if name not in known:
            near = nearest(name, known)
            raise SnapshotError("unknown column", path=path, found=name, expected=", ".join(known), nearest=near)
    for name in required:
        if name not in rows.column_names:
            raise SnapshotError("missing column", path=path, found=", ".join(rows.column_names), expected=name)


def _expanded(rows: pa.Table, path: str) -> pa.Table:
    """The full form of the import form: one row for A and one for MX; null says nothing."""
    _refuse_columns(rows, path, ("name",), _IMPORT_COLUMNS)
    columns = {column: rows[column].to_pylist() for column in _IMPORT_COLUMNS if column in rows.column_names}
    expanded = []
    for index, name in enumerate(columns["name"]):
        for column in ("a", "mx"):
            status = columns[column][index] if column in columns else None
            if status not in {None, *_STATUSES}:
                _bad_status(path, index + 1, column, status)
            if status is not None:
                expanded.append({"name": _canonical(name, path, index), "rdtype": column.upper(), "status": status})
    return full_table(expanded, path)


def _canonical(name: Any, path: str, index: int) -> str:
    canonical = canonical_domain(name) if isinstance(name, str) else None
    if canonical is None:
        raise SnapshotError("not a domain name", path=path, row=index + 1, key="name", found=repr(name))
    return canonical


def _bad_status(path: str, row: int, column: str, status: Any) -> None:
    near = nearest(status, _STATUSES) if isinstance(status, str) else None
    raise SnapshotError(
        "unknown status",
        path=path,
        row=row,
        key=column,
        found=repr(status),
        expected=", ".join(_STATUSES),
        nearest=near,
    )


def full_table(rows: Sequence[Mapping[str, Any]], path: str, manifest: Mapping[str, str] | None = None) -> pa.Table:
    """Rows of the full form in any order as a sorted, checked table."""
    import pyarrow as pa

    schema = snapshot_schema(manifest)
    for index, row in enumerate(rows, 1):
        for key in row:
            if key not in schema.names:
                near = nearest(key, schema.names)
                raise SnapshotError("unknown column", path=path, row=index, found=key, nearest=near)
    ordered = sorted(rows, key=lambda row: (row["name"], row["rdtype"]))
    columns = [_column(name, [row.get(name) for row in ordered], path) for name in schema.names]
    return _checked(pa.table(columns, schema=schema), path)


def _checked(rows: pa.Table, path: str) -> pa.Table:
    """The table in one chunk a column, once status words, names, order and uniqueness are right."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = rows.combine_chunks()
    for column in _REQUIRED:
        if rows[column].null_count:
            row = pc.index(pc.is_null(rows[column]), True).as_py() + 1
            raise SnapshotError("empty cell", path=path, row=row, key=column, expected="a value")
    known = pc.is_in(rows["status"], value_set=pa.array(_STATUSES, pa.string()))
    if not pc.all(known, min_count=0).as_py():
        row = pc.index(known, False).as_py()
        _bad_status(path, row + 1, "status", rows["status"][row].as_py())
    plain = pc.match_substring_regex(rows["name"], r"^[a-z0-9_-]+(\.[a-z0-9_-]+)*$")
    if not pc.all(plain, min_count=0).as_py():
        row = pc.index(plain, False).as_py()
        raise SnapshotError(
            "name is not canonical",
            path=path,
            row=row + 1,
            key="name",
            found=repr(rows["name"][row].as_py()),
            expected="A-labels, lower case, no trailing dot",
        )
    filled = pc.and_(
        pc.equal(rows["status"], "absent"), pc.greater(pc.fill_null(pc.list_value_length(rows["rdata"]), 0), 0)
    )
    if pc.any(filled, min_count=0).as_py():
        row = pc.index(filled, True).as_py()
        found = repr(rows["rdata"][row].as_py())[:80]
        raise SnapshotError("absent, with records", path=path, row=row + 1, key="rdata", found=found, expected="none")
    _check_order(rows, path)
    return rows


def _check_order(rows: pa.Table, path: str) -> None:
    import pyarrow.compute as pc

    if rows.num_rows < 2:
        return
    name, rdtype = rows["name"], rows["rdtype"]
    rises = pc.less(name[:-1], name[1:])
    ties = pc.and_(pc.equal(name[:-1], name[1:]), pc.less(rdtype[:-1], rdtype[1:]))
    ordered = pc.or_(rises, ties)
    if not pc.all(ordered).as_py():
        row = pc.index(ordered, False).as_py() + 1
        found = f"{name[row].as_py()} {rdtype[row].as_py()} after {name[row - 1].as_py()} {rdtype[row - 1].as_py()}"
        raise SnapshotError(
            "not sorted, or one question twice", path=path, row=row + 1, found=found, expected="order by name, rdtype"
        )


def open_table_writer(path: str, sink: Any, schema: pa.Schema) -> Any:
    """A writer of record batches in the form that the name asks for: Parquet or Arrow IPC."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if str(path).endswith(".parquet"):
        return pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True)
    return pa.ipc.new_file(sink, schema)


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in buffers of their own: a slice and a batch made anew are then written as the same bytes."""
    import pyarrow as pa

    arrays = [pa.concat_arrays([column, column.slice(0, 0)]) for column in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def write_table(rows: pa.Table, path: str) -> str:
    """Writes the full form through a temporary file beside ``path``; gives its sha256."""
    partial = f"{path}.partial"
    with open(partial, "wb") as sink, open_table_writer(path, sink, rows.schema) as writer:
        for batch in rows.to_batches(max_chunksize=BATCH_ROWS):
            writer.write(compact(batch))
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    sha256 = _hash(partial)
    os.replace(partial, path)
    return sha256
