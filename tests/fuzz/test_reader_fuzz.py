"""Row scanners on any bytes: errors are ours, and every row is a record or a reject."""

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from poolsift.errors import InputError, LimitError
from poolsift.readers.base import ReadOptions
from poolsift.readers.csv_rows import CsvReader
from poolsift.readers.json_lines import JsonLines
from poolsift.readers.rejects import FileReport

OPTIONS = ReadOptions(max_cell=64, max_row=256)
JSON_LINES = [
    orjson.dumps({"mail_from": "a@contoso.example", "inner": {"spf": "pass", "n": [1, None, '\\"']}}) + b"\n"
    for _ in range(3)
]
CSV_LINES = [b"mail_from,spf\r\n", b'"a@contoso.example","pa""ss"\r\n', b"b@contoso.example,\n", b'"x\r\ny",z\n']


def fuzz_csv_rows(data: bytes) -> None:
    """Reads ``data`` as CSV; raises on anything but the errors that are allowed."""
    report = FileReport("fuzz")
    rows = []
    try:
        rows.extend(CsvReader([data[:9], data[9:]], report, OPTIONS))
    except (InputError, LimitError):
        pass
    assert report.rows == len(rows) + report.rejects
    assert all(data[row.offset : row.offset + len(row.raw)] == row.raw for row in rows)


def fuzz_json_lines(data: bytes) -> None:
    """Reads ``data`` as NDJSON; raises on anything but the errors that are allowed."""
    report = FileReport("fuzz")
    rows = []
    try:
        rows.extend(JsonLines([data[:9], data[9:]], report, OPTIONS, keys=("mail_from", "spf")))
    except (InputError, LimitError):
        pass
    assert report.rows == len(rows) + report.rejects
    assert all(isinstance(row.value, dict) for row in rows)


@st.composite
def mutated(draw, lines):
    """Valid lines with a few bytes replaced, inserted or cut."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(lines), max_size=6))))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(data)))
        data[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=2) | st.sampled_from([b'"', b",", b"\n", b"{", b"\x00"])
        )
    return bytes(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | mutated(CSV_LINES).map(lambda data: CSV_LINES[0] + data))
def test_csv_rows(data):
    fuzz_csv_rows(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | mutated(JSON_LINES))
@example(b"null")
@example(b'null\n{"a":1}')
def test_json_lines(data):
    fuzz_json_lines(data)
