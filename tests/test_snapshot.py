"""DNS snapshots: both forms, four file formats, strict checks, reproducible bytes."""

import json
import pickle
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.dns.answers import AnswerStatus
from poolsift.dns.snapshot import Snapshot, empty_snapshot
from poolsift.errors import SnapshotError

IMPORT_ROWS = [
    {"name": "contoso.com", "a": "present", "mx": "absent"},
    {"name": "Büro.example", "a": "unknown", "mx": None},
    {"name": "FABRIKAM.com.", "a": "invalid", "mx": "present"},
]
FULL_ROWS = [
    {"name": "b.example", "rdtype": "MX", "status": "present", "rdata": ["0 ."], "ttl": 300, "confirmed": False},
    {"name": "a.example", "rdtype": "A", "status": "absent", "confirmed": True, "reason": "NXDOMAIN"},
    {"name": "a.example", "rdtype": "MX", "status": "absent", "confirmed": True},
    {"name": "a.example", "rdtype": "AAAA", "status": "present", "rdata": ["2001:db8::1"]},
    {"name": "b.example", "rdtype": "TXT", "status": "present", "rdata": ["v=spf1 -all"]},
]


def write_import(path, rows=IMPORT_ROWS):
    table = pa.Table.from_pylist(rows, schema=pa.schema([(name, pa.string()) for name in ("name", "a", "mx")]))
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".arrow":
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".arrows":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".ndjson":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        lines = ["name,a,mx", *(",".join(value or "" for value in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


class TestImportForm:
    @pytest.mark.parametrize("suffix", ["parquet", "arrow", "arrows", "ndjson", "csv"])
    def test_is_read_from_every_format(self, tmp_path, suffix):
        """Names become canonical, an empty cell says nothing."""
        snapshot = Snapshot.open(write_import(tmp_path / f"dns.{suffix}"))

        assert snapshot.lookup("contoso.com", "MX").status == "absent"
        assert snapshot.lookup("xn--bro-hoa.example", "A").status == "unknown"
        assert snapshot.lookup("xn--bro-hoa.example", "MX").reason == "not_listed"
        assert snapshot.lookup("fabrikam.com", "A").status is AnswerStatus.INVALID
        assert len(snapshot) == 5

    @pytest.mark.parametrize("suffix", ["parquet", "arrow", "ndjson", "csv"])
    def test_unknown_status_names_its_row(self, tmp_path, suffix):
        path = write_import(
            tmp_path / f"dns.{suffix}", [*IMPORT_ROWS, {"name": "x.example", "a": "prsent", "mx": None}]
        )
        with pytest.raises(SnapshotError) as caught:
            Snapshot.open(path)

        assert (caught.value.row, caught.value.key, caught.value.nearest) == (4, "a", "present")
        assert caught.value.exit_code == 2

    @pytest.mark.parametrize("name", ["a b.example", "", "-a.example", "a..example"])
    def test_bad_name_names_its_row(self, tmp_path, name):
        path = write_import(tmp_path / "dns.parquet", [{"name": name, "a": "present", "mx": None}])
        with pytest.raises(SnapshotError) as caught:
            Snapshot.open(path)

        assert caught.value.row == 1

    def test_unknown_column(self, tmp_path):
        path = tmp_path / "dns.ndjson"
        path.write_text('{"name": "a.example", "aa": "present"}\n')
        with pytest.raises(SnapshotError) as caught:
            Snapshot.open(str(path))

        assert (caught.value.found, caught.value.nearest) == ("aa", "a")

    @pytest.mark.parametrize("text", ["null\n", '{"name": "a.example"}\n[1]\n', '{"name": \n', "{"])
    def test_broken_lines(self, tmp_path, text):
        """A line that is no object is an error with its number, never a crash."""
        path = tmp_path / "dns.ndjson"
        path.write_text(text)
        with pytest.raises(SnapshotError):
            Snapshot.open(str(path))

    def test_one_name_twice(self, tmp_path):
        path = write_import(tmp_path / "dns.csv", [IMPORT_ROWS[0], {**IMPORT_ROWS[0], "name": "CONTOSO.com"}])
        with pytest.raises(SnapshotError, match="twice"):
            Snapshot.open(path)


class TestFullForm:
    @pytest.mark.parametrize("suffix", ["arrow", "parquet"])
    def test_round_trip(self, tmp_path, suffix):
        """What was written is read back, with its manifest."""
        snapshot = Snapshot.from_rows(FULL_ROWS, {"resolvers": "192.0.2.53"})
        path = str(tmp_path / f"dns.{suffix}")
        sha256 = snapshot.write(path)
        again = Snapshot.open(path)

        assert again.rows.equals(snapshot.rows, check_metadata=True)
        assert again.manifest == {"resolvers": "192.0.2.53", "schema_version": "1"}
        assert again.sha256 == sha256
        assert again.lookup("b.example", "MX").is_null_mx
        assert again.lookup("a.example", "A").confirmed

    @pytest.mark.parametrize("suffix", ["arrow", "parquet"])
    def test_same_rows_same_bytes(self, tmp_path, suffix):
        """The order of rows does not reach the file."""
        first, second = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
        shuffled = random.Random(1).sample(FULL_ROWS, len(FULL_ROWS))
        Snapshot.from_rows(FULL_ROWS).write(str(first))
        Snapshot.from_rows(shuffled).write(str(second))

        assert first.read_bytes() == second.read_bytes()

    def test_is_sorted_by_name_and_rdtype(self):
        rows = Snapshot.from_rows(FULL_ROWS).rows

        assert list(zip(rows["name"].to_pylist(), rows["rdtype"].to_pylist(), strict=True)) == [
            ("a.example", "A"),
            ("a.example", "AAAA"),
            ("a.example", "MX"),
            ("b.example", "MX"),
            ("b.example", "TXT"),
        ]

    def write(self, path, rows, metadata=None):
        schema = Snapshot.from_rows(FULL_ROWS).rows.schema.with_metadata(metadata)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
        return str(path)

    @pytest.mark.parametrize(
        ("rows", "row"),
        [
            ([FULL_ROWS[0], FULL_ROWS[1]], 2),
            ([FULL_ROWS[1], FULL_ROWS[1]], 2),
            ([{**FULL_ROWS[1], "status": "maybe"}], 1),
            ([{**FULL_ROWS[1], "name": "A.example"}], 1),
            ([FULL_ROWS[1], {**FULL_ROWS[0], "rdtype": None}], 2),
        ],
        ids=["order", "twice", "status", "case", "null"],
    )
    def test_wrong_rows_are_refused(self, tmp_path, rows, row):
        with pytest.raises(SnapshotError) as caught:
            Snapshot.open(self.write(tmp_path / "dns.parquet", rows))

        assert caught.value.row == row

    def test_schema_version_of_another_poolsift(self, tmp_path):
        path = self.write(tmp_path / "dns.parquet", [FULL_ROWS[1]], {"schema_version": "9"})
        with pytest.raises(SnapshotError) as caught:
            Snapshot.open(path)

        assert caught.value.found == "9"

    def test_missing_and_unreadable_files(self, tmp_path):
        broken = tmp_path / "dns.parquet"
        broken.write_bytes(b"PAR1 but no more")
        for path in (tmp_path / "none.arrow", broken):
            with pytest.raises(SnapshotError):
                Snapshot.open(str(path))


class TestPickle:
    def test_file_pickles_as_path_and_hash(self, tmp_path):
        path = str(tmp_path / "dns.arrow")
        Snapshot.from_rows(FULL_ROWS).write(path)
        packed = pickle.dumps(Snapshot.open(path))

        assert len(packed) < 400
        assert pickle.loads(packed).lookup("a.example", "A").status == "absent"

    def test_changed_file_is_refused(self, tmp_path):
        path = str(tmp_path / "dns.arrow")
        Snapshot.from_rows(FULL_ROWS).write(path)
        packed = pickle.dumps(Snapshot.open(path))
        Snapshot.from_rows(FULL_ROWS[:1]).write(path)
        with pytest.raises(SnapshotError, match="has changed"):
            pickle.loads(packed)

    def test_table_without_file_pickles_whole(self):
        snapshot = Snapshot.from_dict({"a.example": {"A": "present"}})

        assert pickle.loads(pickle.dumps(snapshot)).lookup("a.example", "A").status == "present"


class TestNativeTable:
    def test_says_what_the_rows_say(self):
        table = Snapshot.from_rows(FULL_ROWS).table

        assert table.lookup("a.example") == ("absent", "absent", "present", False)
        assert table.lookup("b.example") == ("unlisted", "present", "unlisted", True)
        assert table.lookup("c.example") is None
        assert len(table) == 2

    def test_empty(self):
        assert len(empty_snapshot().table) == 0
        assert Snapshot.from_rows([FULL_ROWS[4]]).table.lookup("b.example") is None

    def test_many_names(self):
        names = {f"d{number}.example": {"A": "present", "MX": "absent"} for number in range(5_000)}
        table = Snapshot.from_dict(names).table

        assert len(table) == 5_000
        assert table.lookup("d4999.example") == ("present", "absent", "unlisted", False)
