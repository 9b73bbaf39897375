"""A DNS snapshot: every answer that was found out beforehand, in one sorted table that opens no socket."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from poolsift.dns.answers import NOT_LISTED, Answer, AnswerStatus
from poolsift.dns.snapshot_form import full_table, read_table, snapshot_schema, write_table
from poolsift.dns.sorted_names import SortedNames
from poolsift.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    import pyarrow as pa

    from poolsift._native.nouns import DnsTable
    from poolsift.spf.sources import SnapshotSpf

#: The types that decide ``domain_resolves``, and the byte that stands for each in the core.
_KINDS: Final = {"A": ord("A"), "AAAA": ord("4"), "MX": ord("M")}


class Snapshot:
    """Answers by name and type, sorted, read-only. Pickles as path and hash where it has a file.

    A name that the snapshot lacks is unknown, never a query.
    """

    def __init__(self, rows: pa.Table, *, path: str | None = None, sha256: str | None = None) -> None:
        self.rows = rows
        self.path = path
        self._sha256 = sha256

    @classmethod
    def open(cls, path: str) -> Snapshot:
        """The snapshot file at ``path``: the full form, or the import form (``name, a, mx``).

        Arrow IPC, Parquet, NDJSON or CSV, told by content. Raises SnapshotError with the row at fault.
        """
        rows, sha256 = read_table(str(path))
        return cls(rows, path=str(path), sha256=sha256)

    @classmethod
    def from_dict(cls, answers: Mapping[str, Mapping[str, str]]) -> Snapshot:
        """A snapshot of ``{name: {"A": "present", "MX": "absent"}}``."""
        rows = [
            {"name": name, "rdtype": rdtype, "status": status}
            for name, types in answers.items()
            for rdtype, status in types.items()
        ]
        return cls(full_table(rows, "<dict>"))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], manifest: Mapping[str, str] | None = None) -> Snapshot:
        """A snapshot of rows in the full form, in any order; missing columns are null."""
        return cls(full_table(list(rows), "<rows>", manifest))

    def write(self, path: str) -> str:
        """Writes the full form (Parquet for ``.parquet``, else Arrow IPC) and gives its sha256.

        Same rows and manifest, same bytes.
        """
        return write_table(self.rows, path)

    def __len__(self) -> int:
        rows: int = self.rows.num_rows
        return rows

    @property
    def manifest(self) -> dict[str, str]:
        """What the file says of itself: schema version, resolvers, times, library versions."""
        metadata: dict[bytes, bytes] = self.rows.schema.metadata or {}
        return {key.decode(): value.decode() for key, value in metadata.items()}

    @cached_property
    def sha256(self) -> str:
        """The hash of the file, or of the full form's bytes where there is no file."""
        if self._sha256 is not None:
            return self._sha256
        import pyarrow as pa

        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, self.rows.schema) as writer:
            writer.write_table(self.rows)
        return hashlib.sha256(sink.getvalue()).hexdigest()

    def lookup(self, name: str, rdtype: str) -> Answer:
        """The answer for a canonical name and type; unknown (``not_listed``) where the table has none."""
        row = self._names.row_of(name)
        while row < len(self) and self._names[row] == name:
            found = self.rows["rdtype"][row].as_py()
            if found == rdtype:
                return self._answer(row)
            if found > rdtype:
                break
            row += 1
        return NOT_LISTED

    @cached_property
    def _names(self) -> SortedNames:
        return SortedNames(self.rows["name"])

    def _answer(self, row: int) -> Answer:
        value = {name: self.rows[name][row].as_py() for name in self.rows.column_names}
        asked_at: datetime | None = value["asked_at"]
        return Answer(
            status=AnswerStatus(value["status"]),
            rdata=tuple(value["rdata"] or ()),
            ttl=value["ttl"],
            reason=value["reason"],
            asked_at=asked_at,
            confirmed=bool(value["confirmed"]),
        )

    @cached_property
    def table(self) -> DnsTable:
        """The A, AAAA and MX answers in the native core's form."""
        import pyarrow as pa
        import pyarrow.compute as pc

        from poolsift._native.nouns import STATUSES, DnsTable

        rows = self.rows.filter(pc.is_in(self.rows["rdtype"], value_set=_strings(_KINDS)))
        if rows.num_rows == 0:
            return DnsTable()
        names = rows["name"].cast(pa.large_string()).combine_chunks()
        kinds = pc.take(
            pa.array(list(_KINDS.values()), pa.uint8()), pc.index_in(rows["rdtype"], value_set=_strings(_KINDS))
        )
        statuses = pc.index_in(rows["status"], value_set=_strings(STATUSES))
        null_mx = pc.and_(pc.equal(rows["rdtype"], "MX"), _is_null_mx(rows["rdata"]))
        _, offsets, data = names.buffers()
        return DnsTable.build_buffers(
            memoryview(data).cast("B"),
            memoryview(offsets).cast("B")[: 8 * (rows.num_rows + 1)],
            *(_bytes(column) for column in (kinds, statuses, null_mx)),
        )

    @cached_property
    def spf(self) -> SnapshotSpf | None:
        """SPF by the records of this snapshot; None where it holds no TXT at all, so that SPF is not evaluated."""
        import pyarrow.compute as pc

        if not pc.any(pc.equal(self.rows["rdtype"], "TXT"), min_count=0).as_py():
            return None
        from poolsift.spf.sources import SnapshotSpf

        return SnapshotSpf(self)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        if self.path is None:
            return _from_table, (self.rows,)
        return _reopen, (self.path, self.sha256)


def _strings(words: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.array(list(words), pa.string())


def _bytes(column: Any) -> memoryview:
    """A chunked column of small numbers or truths, one byte a row."""
    import pyarrow as pa

    return memoryview(column.cast(pa.uint8()).combine_chunks().buffers()[1]).cast("B")[: len(column)]


def _is_null_mx(rdata: Any) -> Any:
    """Whether each list holds exactly one MX, of the root (``0 .``, any preference)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    single = pc.equal(pc.fill_null(pc.list_value_length(rdata), 0), 1)
    joined = pc.binary_join(rdata.cast(pa.list_(pa.string())), "\n")
    return pc.and_(single, pc.fill_null(pc.match_substring_regex(joined, r"^\s*\d+\s+\.\s*$"), False))


def _from_table(rows: pa.Table) -> Snapshot:
    return Snapshot(rows)


def _reopen(path: str, sha256: str) -> Snapshot:
    snapshot = Snapshot.open(path)
    if snapshot.sha256 != sha256:
        raise SnapshotError("the snapshot has changed", path=path, found=snapshot.sha256, expected=sha256)
    return snapshot


def empty_snapshot() -> Snapshot:
    """A snapshot without answers: every name is unknown."""
    return Snapshot(snapshot_schema().empty_table())
