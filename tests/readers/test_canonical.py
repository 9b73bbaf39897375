"""The canonical form in its four files: same records, strict types, nothing lost."""

import datetime as dt
import io

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.errors import InputError
from poolsift.readers.base import ReadOptions
from poolsift.readers.batches import batch_schema
from poolsift.readers.canonical_columns import CONVERSIONS
from poolsift.readers.conversions import BadValue, boolean, inner_json, int32, timestamp, word
from poolsift.readers.detect import detect
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source
from poolsift.records import RECORD_COLUMNS

UTC = dt.UTC
RECORDS = [
    {
        "time": "2024-05-02T08:00:00.5Z",
        "mail_from": "a@contoso.example",
        "recipient": "b@partner.example",
        "spf": "Pass",
        "sfp": 1501,
        "spam": False,
    },
    {
        "mail_from": "<>",
        "recipient": "ä@partner.example",
        "recipient_count": 3,
        "client_ip": "203.0.113.1",
        "kind": "ndr",
    },
    {"mail_from": "c@contoso.example", "status_text": "550 no\r\nreally", "accepted": True},
]


def csv_of(records):
    columns = sorted({name for record in records for name in record})
    cell = lambda value: "" if value is None else '"' + str(value).replace('"', '""') + '"'  # noqa: E731
    lines = [",".join(columns)] + [",".join(cell(record.get(name)) for name in columns) for record in records]
    return "\n".join(lines).encode() + b"\n"


def ndjson_of(records):
    return b"".join(orjson.dumps(record) + b"\n" for record in records)


def table_of(records):
    typed = [dict(record) for record in records]
    for record in typed:
        if "time" in record:
            record["time"] = dt.datetime.fromisoformat(record["time"].replace(".5Z", ".500Z"))
    names = sorted({name for record in typed for name in record})
    return pa.table({name: [record.get(name) for record in typed] for name in names})


def parquet_of(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def ipc_of(table, writer):
    out = io.BytesIO()
    with writer(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()


def read(data, **options):
    source = Source(data, name="in")
    report = FileReport("in")
    batches = list(detect(source.head(), "in").read(source, report, ReadOptions(**options)))
    rows = [row for batch in batches for row in batch.to_pylist()]
    assert report.rows == len(rows) + report.rejects
    return rows, report, batches


def recorded(row):
    return {name: value for name, value in row.items() if value is not None and name != "row"}


FORMS = {
    "csv": csv_of,
    "ndjson": ndjson_of,
    "parquet": lambda records: parquet_of(table_of(records)),
    "file": lambda records: ipc_of(table_of(records), pa.ipc.new_file),
    "stream": lambda records: ipc_of(table_of(records), pa.ipc.new_stream),
}


@pytest.mark.parametrize("form", FORMS)
def test_same_records(form):
    """The four forms give the same records in the same schema, in place."""
    rows, report, batches = read(FORMS[form](RECORDS), batch_rows=2)

    assert [1, 2, 3] == [row["row"] for row in rows]
    assert all(batch.schema == batch_schema() for batch in batches)
    first = recorded(rows[0])
    assert dt.datetime(2024, 5, 2, 8, 0, 0, 500_000, UTC) == first.pop("time")
    assert RECORDS[0]["spf"].lower() == first.pop("spf").lower()
    assert {"mail_from": "a@contoso.example", "recipient": "b@partner.example", "sfp": 1501, "spam": False} == first
    assert [RECORDS[1], RECORDS[2]] == [recorded(row) for row in rows[1:]]
    assert ({}, 0) == (report.field_errors, report.rejects)


@pytest.mark.parametrize("form", FORMS)
def test_field_errors_keep_the_row(form):
    """Odd addresses, IPs and words are counted by field; the row stays as it is."""
    odd = {
        "mail_from": "a@b@c",
        "client_ip": "040.95.1.1",
        "spf": "bestguess",
        "recipient": "x@y.example",
        "header_from": "Ann <a@b.example>",
    }
    rows, report, _batches = read(FORMS[form]([odd, {**odd, "mail_from": "a@b.example"}]))

    assert 2 == len(rows)
    assert {"mail_from": 1, "client_ip": 2, "spf": 2, "header_from": 2} == dict(report.field_errors)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("recipient", "a@b.example;c@d.example", "list"),
        ("mail_from", "a@b.example, c@d.example", "list"),
        ("recipient", "a@b.example\n", "control_character"),
        ("helo", "x" * 3000, "cell_limit"),
        ("message_id", "a\tb", "control_character"),
    ],
)
def test_rejects_by_value(form, field, value, code):
    """Lists, control characters and over-long values cost their row and no other."""
    good = {"mail_from": "a@b.example", field: "z"}
    rows, report, _batches = read(FORMS[form]([good, {**good, field: value}, good]), max_cell=2048)

    assert [1, 3] == [row["row"] for row in rows]
    assert [(2, field if form != "csv" or code != "cell_limit" else report.kept[0].field)] == [
        (r.row, r.field) for r in report.kept
    ]
    assert report.kept[0].code in {code, "unterminated_quote"}


@pytest.mark.parametrize("text", ['"a;b@x.example"@c.example', "a@b.example;", "<@r.example,@s.example:a@c.example>"])
def test_no_list(text):
    """Separators in quotes, at the end, or in a source route make no list."""
    rows, _report, _batches = read(ndjson_of([{"mail_from": text, "kind": "message"}]))

    assert 1 == len(rows)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [("time", 1714636800, "timestamp"), ("time", "02.05.2024", "timestamp"), ("sfp", "x", "number"), ("sfp", 1.5, "number"),
     ("sfp", 1 << 31, "number"), ("spam", "maybe", "boolean"), ("spam", 1, "boolean"), ("mail_from", 5, "type"), ("mail_from", ["a"], "type")],
)  # fmt: skip
def test_wrong_types_in_ndjson(field, value, code):
    """E21: the schema decides, row by row; the reject names field, found and expected."""
    rows, report, _batches = read(ndjson_of([{"kind": "ndr", "spf": "pass"}, {"kind": "ndr", field: value}]))

    assert 1 == len(rows)
    assert [(field, code)] == [(r.field, r.code) for r in report.kept]
    assert "expected" in report.kept[0].message
    assert "found" in report.kept[0].message


def test_null_path():
    """'' is the null reverse-path in NDJSON, a cell left empty is null in CSV."""
    rows, _report, _batches = read(b'{"mail_from":"","spf":"pass"}\n')
    assert "" == rows[0]["mail_from"]

    rows, _report, _batches = read(b"mail_from,spf\n,pass\n<>,pass\n")
    assert [None, "<>"] == [row["mail_from"] for row in rows]


@pytest.mark.parametrize("form", FORMS)
def test_extras(form):
    """Other columns are left out, or kept verbatim when asked."""
    records = [
        {"mail_from": "a@b.example", "spf": "pass", "subject": "007"},
        {"mail_from": "a@b.example", "spf": "pass"},
    ]
    rows, _report, _batches = read(FORMS[form](records))
    assert "subject" not in rows[0]

    rows, _report, batches = read(FORMS[form](records), extra=True)
    assert ["007", None] == [row["subject"] for row in rows]
    assert batch_schema(("subject",)) == batches[0].schema


class TestArrow:
    def test_types(self):
        """Any string, integer and timestamp type is taken; missing and null columns are null."""
        table = pa.table(
            {
                "time": pa.array([1714636800], pa.timestamp("s")),
                "mail_from": pa.array(["a@b.example"]).dictionary_encode(),
                "recipient": pa.array(["a@b.example"], pa.large_string()),
                "helo": pa.array(["h"], pa.string_view()),
                "spf": pa.array([b"pass"], pa.binary()),
                "sfp": pa.array([1501], pa.uint64()),
                "dkim": pa.nulls(1),
            }
        )
        rows, _report, _batches = read(ipc_of(table, pa.ipc.new_file))

        assert dt.datetime(2024, 5, 2, 8, tzinfo=UTC) == rows[0].pop("time")
        assert {
            "mail_from": "a@b.example",
            "recipient": "a@b.example",
            "helo": "h",
            "spf": "pass",
            "sfp": 1501,
        } == recorded(rows[0])

    @pytest.mark.parametrize(
        "kind", [pa.timestamp("ns"), pa.timestamp("ms", tz="Europe/Berlin"), pa.timestamp("us"), pa.date32()]
    )
    def test_times(self, kind):
        table = pa.table(
            {"time": pa.array([dt.datetime(2024, 5, 2, tzinfo=UTC)], pa.timestamp("us", tz="UTC")).cast(kind)}
        )
        rows, _report, _batches = read(ipc_of(table, pa.ipc.new_stream))

        assert dt.datetime(2024, 5, 2, tzinfo=UTC) == rows[0]["time"]

    @pytest.mark.parametrize(
        ("name", "values"),
        [
            ("mail_from", pa.array([1])),
            ("mail_from", pa.array([["a"]])),
            ("mail_from", pa.array([{"a": 1}])),
            ("time", pa.array(["2024-01-01"])),
            ("spam", pa.array([1])),
        ],
    )
    def test_wrong_column_type(self, name, values):
        """C14: the column and its type are named."""
        with pytest.raises(InputError, match=name) as caught:
            read(parquet_of(pa.table({name: values})))

        assert "column_type" == caught.value.code
        assert f"is {str(values.type).split('<')[0]}" in str(caught.value)

    def test_values_beyond_the_type(self):
        """A value that has no place in the type costs its row."""
        table = pa.table({"sfp": pa.array([1, 1 << 40, 2]), "time": pa.array([None, None, 1 << 60], pa.timestamp("s"))})
        rows, report, _batches = read(ipc_of(table, pa.ipc.new_stream))

        assert [1] == [row["row"] for row in rows]
        assert [(2, "sfp", "number"), (3, "time", "timestamp")] == [(r.row, r.field, r.code) for r in report.kept]

    def test_bad_utf8(self):
        """Bytes that are not UTF-8 cost their row."""
        bad = pa.array([b"a@b.example", b"\xff", None], pa.binary())
        rows, report, _batches = read(parquet_of(pa.table({"mail_from": bad})))

        assert [1, 3] == [row["row"] for row in rows]
        assert [(2, "mail_from", "utf8")] == [(r.row, r.field, r.code) for r in report.kept]

    def test_malformed_arrow(self):
        """Offsets that decrease are found before anything looks at them."""
        offsets = pa.py_buffer(b"\x00\0\0\0\x05\0\0\0\x01\0\0\0")
        array = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcde")])
        with pytest.raises(InputError, match="damaged"):
            read(ipc_of(pa.table({"mail_from": array}), pa.ipc.new_file))

    @pytest.mark.parametrize("cut", [8, 20, 200])
    def test_truncated(self, cut):
        table = table_of(RECORDS * 50)
        for data in (parquet_of(table), ipc_of(table, pa.ipc.new_file)):
            with pytest.raises(InputError):
                read(data[:-cut])

    def test_page_checksum(self):
        """A flipped byte in a page that has a checksum is found."""
        table = pa.table({"mail_from": [f"user{i}@contoso.example" for i in range(1000)]})
        data = bytearray(parquet_of(table, write_page_checksum=True, compression="none", use_dictionary=False))
        data[data.index(b"user500")] ^= 1
        with pytest.raises(InputError, match="damaged"):
            read(bytes(data))

    def test_no_record_column(self):
        for data in (parquet_of(pa.table({"x": [1]})), ipc_of(pa.table({"x": [1]}), pa.ipc.new_stream)):
            with pytest.raises(InputError, match="'x'"):
                read(data)

    def test_no_rows(self):
        for data in (
            parquet_of(table_of(RECORDS).slice(0, 0)),
            ipc_of(table_of(RECORDS).slice(0, 0), pa.ipc.new_stream),
        ):
            assert [] == read(data)[0]

    def test_only_null_columns(self):
        """A known column of nothing but nulls is read; its rows count."""
        assert 3 == len(read(parquet_of(pa.table({"mail_from": pa.nulls(3)})))[0])


def test_damage_keeps_the_rows_before_it():
    """What was read before damage is delivered, then the damage is raised."""
    import gzip

    data = gzip.compress(ndjson_of(RECORDS * 2000))[:-4]
    source, report, rows = Source(data, name="x"), FileReport("x"), 0
    with pytest.raises(InputError, match="truncated"):
        for batch in detect(source.head(), "x").read(source, report, ReadOptions()):
            rows += batch.num_rows

    assert report.rows == rows == 6000


def test_batches_are_bounded():
    """A batch ends at its rows or its bytes."""
    data = ndjson_of([{"mail_from": "a@b.example", "spf": "pass"}] * 100)

    assert [30, 30, 30, 10] == [batch.num_rows for batch in read(data, batch_rows=30)[2]]
    assert all(batch.num_rows < 15 for batch in read(data, batch_bytes=500)[2])


class TestConversions:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2024-05-02T08:00:00Z", "2024-05-02T08:00:00"),
            ("2024-05-02 08:00:00", "2024-05-02T08:00:00"),
            ("2024-05-02T08:00:00.1234567Z", "2024-05-02T08:00:00.123456"),
            ("2024-05-02T08:00:00.999999999", "2024-05-02T08:00:00.999999"),
            ("2024-05-02T08:00:00+02:00", "2024-05-02T06:00:00"),
            ("2024-05-02T08:00:00.5-0530", "2024-05-02T13:30:00.500000"),
            ("2024-05-02T08:00", "2024-05-02T08:00:00"),
            ("5/2/2024 8:00:01 AM", "2024-05-02T08:00:01"),
            ("12/31/2024 12:00:01 AM", "2024-12-31T00:00:01"),
            ("12/31/2024 12:30:01 PM", "2024-12-31T12:30:01"),
        ],
    )
    def test_times(self, text, expected):
        due = dt.datetime.fromisoformat(expected + "+00:00")

        assert (due - dt.datetime(1970, 1, 1, tzinfo=UTC)) // dt.timedelta(microseconds=1) == timestamp(text)

    @pytest.mark.parametrize(
        "value",
        ["2024-02-30T00:00:00Z", "2024-05-02T24:00:00Z", "2024-05-02T23:59:60Z", "1601-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00",
         "2024-05-02", "1714636800", 1714636800, True, "13/2/2024 8:00:00 AM", "2/5/2024 8:00:00", "5/2/2024 13:00:00 PM", "2024-W18-4T08:00:00",
         "2024-05-02T08:00:00Z\n", "２０２４-05-02T08:00:00Z", "2024-05-02T08:00:00+25:00"],
    )  # fmt: skip
    def test_no_times(self, value):
        """E14: nothing is guessed, no locale is asked."""
        with pytest.raises(BadValue):
            timestamp(value)

    def test_words(self):
        assert ["pass", "\u212aelvin", None] == [word("PASS"), word("\u212aelvin"), word(None)]

    def test_numbers(self):
        assert [7, -1, None, 0] == [int32("007"), int32(-1), int32(""), int32("0")]
        for value in (True, 1.0, "1e3", "٣", 1 << 31, "9999999999"):
            with pytest.raises(BadValue):
                int32(value)

    def test_booleans(self):
        assert [True, False, None, True] == [boolean("True"), boolean("0"), boolean(""), boolean(True)]

    def test_inner_json(self):
        assert {"SPF": "pass"} == inner_json('{"SPF":"pass"}')
        assert [None, None, None] == [inner_json(""), inner_json("{"), inner_json(5)]


def test_a_field_for_every_column():
    assert RECORD_COLUMNS == tuple(CONVERSIONS)


class TestMisspeltColumns:
    """A column that is almost a record column is not read in silence."""

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("a.csv", b"mailfrom,header_from,recipient\na@b.example,c@d.example,e@f.example\n"),
            ("a.ndjson", b'{"mailfrom": "a@b.example", "header_from": "c@d.example", "recipient": "e@f.example"}\n'),
        ],
    )
    def test_the_note_names_the_record_column(self, tmp_path, name, data):
        """The run goes on; its summary says which name was meant."""
        from poolsift import classify_files

        (tmp_path / name).write_bytes(data)
        result = classify_files([tmp_path / name], tmp_path / "out")

        assert {"column 'mailfrom' is not read; the record column is 'mail_from'": 1} == result.summary["notes"]
