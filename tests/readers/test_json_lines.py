"""NDJSON rows: strict in structure and in the fields that are used."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolsift.errors import InputError
from poolsift.readers.base import ReadOptions
from poolsift.readers.json_lines import JsonLines
from poolsift.readers.rejects import FileReport

BLOCK_SIZES = (1, 7, 64, 4096, 1 << 20)


def read(data, size=1 << 20, keys=("a", "b"), **options):
    report = FileReport("in.ndjson")
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    rows = list(JsonLines(blocks, report, ReadOptions(**options), keys=keys))
    return rows, report


@pytest.mark.parametrize("size", BLOCK_SIZES)
def test_places(size):
    """Row, line and offset; blank lines and CRLF are no rows."""
    data = b'{"a":1}\r\n\r\n  \n{"a":"\xc3\xa9"}\n'
    rows, report = read(data, size)

    assert [{"a": 1}, {"a": "é"}] == [row.value for row in rows]
    assert [(1, 1, 0), (2, 4, 14)] == [(row.row, row.line, row.offset) for row in rows]
    assert (2, 2) == (report.rows, report.skipped["blank_lines"])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"null", "not_object"),
        (b"1", "not_object"),
        (b'"x"', "not_object"),
        (b"[]", "not_object"),
        (b'{"a":1}{"a":2}', "json_syntax"),
        (b'{"a":NaN}', "json_syntax"),
        (b'{"a":1,}', "json_syntax"),
        (b"{'a':1}", "json_syntax"),
        (b'{"a":1} // x', "json_syntax"),
        (b'{"a":"\\ud800"}', "json_syntax"),
        (b'{"a":"\xff"}', "utf8"),
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a" :1, "a" : 2}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'{"x":{"b":1,"b":2}}', "duplicate_key"),
        (b'{"x":"\\\\","b":"\\"","b":2}', "duplicate_key"),
        (b'{"a":' + b"[" * 1100 + b"]" * 1100 + b"}", "json_depth"),
        (b'{"a":' + b"[" * 80 + b"]" * 80 + b"}", "json_depth"),
        (b'{"a":"' + b"x" * 9000 + b'"}', "row_limit"),
        (b'{"a":', "json_syntax"),
    ],
)
@pytest.mark.parametrize("size", BLOCK_SIZES)
def test_one_bad_line(line, code, size):
    """E15 to E19: one reject in its place; the lines around it are read."""
    rows, report = read(b'{"a":1}\n' + line + b'\n{"a":3}\n', size, max_row=8192)

    assert [1, 3] == [row.value["a"] for row in rows]
    assert [(2, 2, 8, code)] == [(r.row, r.line, r.byte_offset, r.code) for r in report.kept]
    assert 3 == report.rows


def test_lone_null():
    """A file that holds only ``null`` is one rejected row."""
    rows, report = read(b"null")

    assert ([], 1, "not_object") == (rows, report.rows, report.kept[0].code)


def test_torn_last_line():
    """E20: the last line, cut, is a reject and marks the file as truncated."""
    rows, report = read(b'{"a":1}\n{"a":2,"b":"x')

    assert 1 == len(rows)
    assert ("truncated", True, 2) == (report.kept[0].code, report.truncated, report.rows)


def test_whole_last_line_without_newline():
    rows, report = read(b'{"a":1}')

    assert (1, False, 1) == (len(rows), report.truncated, len(report.notes))


@pytest.mark.parametrize("data", [b'[\n {"a":1}\n]\n', b'[{"a":1},\n{"a":2}]', b'[{"a":1}]'])
def test_array(data):
    """E18: a JSON array is refused as a file, with a hint."""
    with pytest.raises(InputError, match="not NDJSON"):
        read(data)


def test_unused_keys_may_repeat():
    """Only fields that are used are checked."""
    rows, _report = read(b'{"a":1,"z":1,"z":2}\n')

    assert 1 == len(rows)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a":\\ {}[],b'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from('ab:"'), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", 'c"', "d:"]), JSON, max_size=4), max_size=5))
def test_valid_objects_are_never_rejected(objects):
    """No string, however it looks, is taken for a repeated key."""
    data = b"".join(orjson.dumps(entry) + b"\n" for entry in objects)
    rows, report = read(data)

    assert (objects, 0) == ([row.value for row in rows], report.rejects)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [b'{"a":1}', b"\n", b"\r\n", b"null", b'"', b"{", b"}", b"\\", b"\xff", b'{"a":1,"a":2}', b" "]
        ),
        max_size=30,
    )
)
def test_blocks_do_not_matter(parts):
    """E22."""
    data = b'{"a":0}\n' + b"".join(parts)
    seen = []
    for size in BLOCK_SIZES:
        rows, report = read(data, size, max_row=25)
        assert report.rows == len(rows) + report.rejects
        seen.append((rows, report.kept, report.skipped, report.truncated))

    assert all(entry == seen[0] for entry in seen)
