"""The output formats: what is written comes back, and nothing in it can hurt its reader."""

import csv
import io
from datetime import UTC, datetime

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.errors import UsageError
from poolsift.records import KEY_COLUMNS, record_schema
from poolsift.verdicts import VERDICT_COLUMNS, verdict_schema
from poolsift.writers import open_writer, output_format
from poolsift.writers.columns import METADATA, conform, output_batch, widened
from poolsift.writers.csv import formula_safe
from poolsift.writers.parquet import ROW_GROUP_ROWS

NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)


def records(rows, extra=()):
    schema = pa.schema(
        [
            *record_schema(),
            pa.field("row", pa.int64()),
            *(pa.field(name, pa.string()) for name in extra),
            pa.field("input", pa.string()),
            pa.field("rows", pa.int32()),
        ]
    )
    numbered = [{"input": "a.csv", "row": n, "rows": 1, **row} for n, row in enumerate(rows, start=1)]
    return pa.RecordBatch.from_pylist(numbered, schema=schema)


def verdicts(count, **columns):
    fields = {"pool": ["normal"], "rule": ["normal"], "evidence": [1], "candidates": [1], "agreement": ["unobserved"]}
    values = {name: (fields.get(name, [None]) * count) for name in VERDICT_COLUMNS} | columns
    return pa.RecordBatch.from_pydict(values, schema=verdict_schema())


def written(to, batch, **options):
    sink = io.BytesIO()
    writer = open_writer(to, sink, batch.schema, **options)
    writer.write(batch)
    writer.close()
    return sink.getvalue()


class TestColumns:
    def test_key_is_the_key_columns_then_the_verdict(self):
        out = output_batch(records([{}], ["Subject"]), verdicts(1), "key")

        assert out.schema.names == [*KEY_COLUMNS, *VERDICT_COLUMNS]
        assert out.schema.metadata == METADATA

    def test_verdict_is_the_verdict_alone(self):
        assert output_batch(records([{}]), verdicts(1), "verdict").schema.names == list(VERDICT_COLUMNS)

    def test_all_keeps_every_input_column_also_one_named_like_ours(self):
        out = output_batch(records([{"pool": "theirs", "Subject": "s"}], ["pool", "Subject"]), verdicts(1), "all")
        (row,) = out.to_pylist()

        assert (row["input_pool"], row["pool"], row["Subject"]) == ("theirs", "normal", "s")
        assert "status_text" in row
        assert "joined" not in row

    def test_a_batch_with_fewer_columns_fits_and_one_with_more_widens(self):
        wide = output_batch(records([{"b": "x"}], ["b"]), verdicts(1), "all")
        narrow = output_batch(records([{}]), verdicts(1), "all")

        assert conform(narrow, wide.schema).to_pylist()[0]["b"] is None
        assert conform(wide, narrow.schema) is None
        assert widened(narrow.schema, wide).names == wide.schema.names


class TestCsv:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\0", "＝", "＋", "－", "＠"])
    def test_no_cell_begins_a_formula(self, start):
        cells = [f"{start}HYPERLINK(1)", f"a;{start}1", f"a\n{start}1", f"'{start}1"]

        assert formula_safe(pa.array(cells)).to_pylist() == [
            f"'{start}HYPERLINK(1)",
            f"a;'{start}1",
            f"a\n'{start}1",
            f"''{start}1",
        ]

    @pytest.mark.parametrize("cell", ["ann@contoso.com", "a-b", "1=1", "it's", "", None])
    def test_other_cells_stay(self, cell):
        assert formula_safe(pa.array([cell], pa.string())).to_pylist() == [cell]

    def test_a_formula_in_a_header_is_disarmed_too(self):
        batch = output_batch(records([{"=1": "x"}], ["=1"]), verdicts(1), "all")

        assert "'=1" in next(csv.reader(io.StringIO(written("csv", batch).decode())))

    def test_null_is_empty_the_null_reverse_path_is_written_out_and_quoting_holds(self):
        rows = [{"mail_from": ""}, {"mail_from": None}, {"mail_from": "<>"}, {"mail_from": 'a,"b\n@x'}]
        text = written("csv", output_batch(records(rows), verdicts(4), "key"), raw_csv=True).decode()
        cells = [row["mail_from"] for row in csv.DictReader(io.StringIO(text))]

        assert cells == ["<>", "", "<>", 'a,"b\n@x']

    def test_times_have_a_zone_and_the_header_comes_without_rows_too(self):
        batch = output_batch(records([{"time": NOON}]), verdicts(1), "key")

        assert b'"2024-05-02T12:00:00.000000Z"' in written("csv", batch)
        assert written("csv", batch.slice(0, 0)).startswith(b'"input","row"')

    def test_raw_is_raw(self):
        batch = output_batch(records([{"connector": "=1"}]), verdicts(1), "key")

        assert b'"=1"' in written("csv", batch, raw_csv=True)
        assert b'"\'=1"' in written("csv", batch)


def test_ndjson_is_one_object_a_line_verbatim():
    batch = output_batch(records([{"time": NOON, "mail_from": "", "connector": "=1"}, {}]), verdicts(2), "key")
    first, second = map(orjson.loads, written("ndjson", batch).splitlines())

    assert (first["time"], first["mail_from"], first["connector"], first["evidence"]) == (
        "2024-05-02T12:00:00Z",
        "",
        "=1",
        1,
    )
    assert set(first) == {*KEY_COLUMNS, *VERDICT_COLUMNS}
    assert second["mail_from"] is None


@pytest.mark.parametrize("stream", [False, True])
def test_arrow_comes_back(stream):
    batch = output_batch(records([{"time": NOON}]), verdicts(1), "all")
    data = written("arrow", batch, stream=stream)
    reader = (pa.ipc.open_stream if stream else pa.ipc.open_file)(data)

    assert reader.read_all().to_pylist() == batch.to_pylist()
    assert reader.schema.metadata == METADATA


class TestParquet:
    def test_comes_back_with_checksums_and_schema_version(self):
        batch = output_batch(records([{"time": NOON}]), verdicts(1), "all")
        data = written("parquet", batch)
        table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)

        assert table.to_pylist() == batch.to_pylist()
        assert table.schema.metadata[b"poolsift.schema_version"] == b"1"

    def test_a_flipped_bit_is_found(self):
        data = bytearray(written("parquet", output_batch(records([{"helo": "x" * 99}]), verdicts(1), "all")))
        data[30] ^= 1
        with pytest.raises(OSError):
            pq.read_table(io.BytesIO(bytes(data)), page_checksum_verification=True)

    def test_row_groups_depend_on_the_rows_not_on_the_batches(self):
        batch = verdicts(1000)
        table = pa.Table.from_batches([batch] * 1100).combine_chunks()
        files = []
        for size in (1000, 300_000, 1 << 21):
            sink = io.BytesIO()
            writer = open_writer("parquet", sink, batch.schema)
            for piece in table.to_batches(max_chunksize=size):
                writer.write(piece)
            writer.close()
            files.append(pq.read_metadata(sink))
        sizes = [[file.row_group(n).num_rows for n in range(file.num_row_groups)] for file in files]

        assert sizes == [[ROW_GROUP_ROWS, 1_100_000 - ROW_GROUP_ROWS]] * 3


class TestOutputFormat:
    @pytest.mark.parametrize(("to", "name", "expected"), [
        (None, "x.csv", "csv"), (None, "x.jsonl", "ndjson"), ("arrow", None, "arrow"), (None, None, "parquet"),
        ("csv", "x.csv", "csv"), (None, "x.feather", "arrow"),
    ])  # fmt: skip
    def test_asked_for_or_by_the_ending(self, to, name, expected):
        assert output_format(to, name, "parquet") == expected

    def test_two_that_differ_are_refused(self):
        with pytest.raises(UsageError, match="says csv"):
            output_format("parquet", "x.csv", "parquet")

    def test_an_unknown_one_names_the_nearest(self):
        with pytest.raises(UsageError, match="did you mean parquet"):
            output_format("parket", None, "parquet")
