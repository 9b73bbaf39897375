"""CSV rows: RFC 4180 to the letter, every deviation rejected in its place, blocks irrelevant."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolsift.errors import InputError, LimitError
from poolsift.readers.base import ReadOptions
from poolsift.readers.csv_rows import CsvReader
from poolsift.readers.rejects import FileReport

BLOCK_SIZES = (1, 7, 64, 4096, 1 << 20)


def cut(data, size):
    return [data[i : i + size] for i in range(0, len(data), size)]


def read(data, size=1 << 20, **options):
    report = FileReport("in.csv")
    logged = options.pop("logged", False)
    reader = CsvReader(cut(data, size), report, ReadOptions(**options), logged=logged)
    return reader, list(reader), report


def codes(report):
    return [(reject.row, reject.line, reject.code) for reject in report.kept]


class TestWellFormed:
    """What RFC 4180 allows is read as it stands."""

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("size", BLOCK_SIZES)
    def test_places(self, end, size):
        """Row, line and byte offset point at each row, also after cells that span lines."""
        text = f'a,b{end}1,2{end}"x{end}y","q""q"{end}{end}3,{end}'
        data = text.encode()
        _reader, rows, report = read(data, size)

        assert [["1", "2"], [f"x{end}y", 'q"q'], ["3", ""]] == [row.value for row in rows]
        assert [(1, 2), (2, 3), (3, 6)] == [(row.row, row.line) for row in rows]
        assert all(data[row.offset :].startswith(row.raw) for row in rows)
        assert (3, 0) == (report.rows, report.rejects)
        assert report.skipped["blank_lines"] == 1

    def test_text_stays_text(self):
        """E11: nothing that looks like null or a number is changed."""
        _reader, rows, _report = read(b"a,b,c,d\nNULL,NA,007,1e5\n")

        assert [["NULL", "NA", "007", "1e5"]] == [row.value for row in rows]

    def test_no_final_newline(self):
        """A last line without newline is read, with a note: nobody can tell whether it was cut."""
        _reader, rows, report = read(b"a,b\n1,2")

        assert [["1", "2"]] == [row.value for row in rows]
        assert report.notes[0].startswith("no_final_newline")

    @pytest.mark.parametrize("data", [b"", b"\n\n\r\n", b"a,b\n", b"a,b"])
    def test_no_rows(self, data):
        """C10: empty, only newlines, header only."""
        _reader, rows, report = read(data)

        assert ([], 0) == (rows, report.rows)

    def test_header_repeats(self):
        """E9: the header of a concatenated export is counted, not read as a row."""
        _reader, rows, report = read('"a","b"\n1,2\n\ufeff"a","b"\n3,4\na,b\n5,6\n'.encode())

        # A mark before a quote makes that line's first cell a bare one with a quote inside.
        assert [row.value for row in rows] == [["1", "2"], ["3", "4"], ["5", "6"]]
        assert report.skipped["header_repeats"] + report.rejects == 2

    def test_header_noise(self):
        """Marks and NULs that exports leave in the header line are no part of the names."""
        reader, _rows, _report = read("\ufeff\x00date\u200b, sender\n".encode())

        assert ["date", "sender"] == reader.header

    def test_logged(self):
        """W3C logs name their columns in #Fields and repeat their preamble."""
        data = b"#Software: x\r\n#Fields: a,b\r\n1,2\r\n#Software: x\r\n#Fields: a,b\r\n3,4\r\n"
        _reader, rows, report = read(data, logged=True)

        assert [["1", "2"], ["3", "4"]] == [row.value for row in rows]
        assert {"comments": 2, "header_repeats": 1} == report.skipped

    def test_type_line(self):
        """PowerShell's #TYPE line stands before the header."""
        reader, rows, _report = read(b'#TYPE Deserialized.X\r\n"a","b"\r\n"1","2"\r\n')

        assert (["a", "b"], 1) == (reader.header, len(rows))


class TestRejects:
    """What deviates is rejected in its place and the rows around it are read."""

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            (b'1,x"y', "quote"),
            (b'1,"x"y', "quote"),
            (b'1,"x\\"y"', "quote"),
            (b'"1"x,2', "quote"),
            (b"1", "too_few_fields"),
            (b"1,2,3", "too_many_fields"),
            (b'"1","2","3"', "too_many_fields"),
            (b"1,\x002", "control_character"),
            (b'1,"\x0b"', "control_character"),
            (b"1,2\r3", "control_character"),
            (b"1,2\x7f", "control_character"),
            (b"1,\xff", "utf8"),
            (b"1,\xed\xa0\x80", "utf8"),
            (b"1," + b"x" * 1025, "cell_limit"),
            (b'1,"' + b"x" * 1030 + b'"', "unterminated_quote"),
            (b"1," + b"x" * 5000, "row_limit"),
        ],
    )
    @pytest.mark.parametrize("size", BLOCK_SIZES)
    def test_one_bad_row(self, line, code, size):
        data = b"a,b\n1,2\n" + line + b"\n3,4\n"
        _reader, rows, report = read(data, size, max_cell=1024, max_row=4096)

        assert [["1", "2"], ["3", "4"]] == [row.value for row in rows]
        assert [(2, 3, code)] == codes(report)
        assert 3 == report.rows
        assert report.kept[0].byte_offset == 8
        assert line.startswith(report.kept[0].raw[:100])

    @pytest.mark.parametrize("size", BLOCK_SIZES)
    def test_unterminated_quote_resyncs(self, size):
        """E4: a quote that is not closed within 1,000 lines costs its own line only."""
        data = b'a,b\n1,"open\n' + b"5,6\n" * 1_100
        _reader, rows, report = read(data, size)

        assert 1_100 == len(rows)
        assert [(1, 2, "unterminated_quote")] == codes(report)

    @pytest.mark.parametrize("size", BLOCK_SIZES)
    def test_unterminated_quote_at_the_end(self, size):
        """At the end of the file too: the lines inside are rows of their own."""
        _reader, rows, report = read(b'a,b\n1,"open\n5,6\n', size)

        assert [["5", "6"]] == [row.value for row in rows]
        assert [(1, 2, "unterminated_quote")] == codes(report)

    def test_quote_over_many_lines_is_allowed(self):
        """1,000 line ends inside one cell are within the cap."""
        _reader, rows, report = read(b'a,b\n1,"' + b"x\n" * 1_000 + b'"\n')

        assert (1, 0) == (len(rows), report.rejects)

    def test_row_limit_over_lines(self):
        """A row of many lines beyond the cap costs its first line only."""
        cell = b'"' + b"x" * 99 + b"\n" + b"x" * 900 + b'"'
        _reader, rows, report = read(b"a,b,c,d\n" + b",".join([cell] * 6) + b"\n1,2,3,4\n", max_cell=1024, max_row=4096)

        assert "row_limit" == report.kept[0].code
        assert ["1", "2", "3", "4"] == rows[-1].value
        assert report.rows == len(rows) + report.rejects


class TestHeader:
    """A header that cannot be used stops the file, naming the columns."""

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"a,b,a\n", "'a'"),
            (b"a;b\n1;2\n", "commas are due"),
            (b"a,b\r1,2\r", "CR alone"),
            (b'a,"b\n', "not closed"),
            (b"a,\xff\n", "UTF-8"),
        ],
    )
    def test_refused(self, data, words):
        with pytest.raises(InputError, match=words):
            read(data)

    def test_missing_columns(self):
        """Missing columns are named, with the nearest that is there."""
        reader, _rows, _report = read(b"Sender,b\n")

        with pytest.raises(InputError, match="sender .found Sender"):
            reader.columns(["sender", "b"])

    def test_too_many_columns(self):
        """E13."""
        with pytest.raises(LimitError, match="columns"):
            read(b",".join(b"c%d" % i for i in range(20_000)) + b"\n")

    def test_other_delimiter_when_asked(self):
        _reader, rows, _report = read(b'a;b\n1;"2;3"\n', delimiter=";")

        assert [["1", "2;3"]] == [row.value for row in rows]


def test_damage_comes_after_the_rows_before_it():
    """Rows before damage are read; then the damage is raised."""

    def blocks():
        yield b"a,b\n1,2\n3,4\n5,"
        raise InputError("truncated", "cut", "x", 3)

    report = FileReport("x")
    rows = []
    with pytest.raises(InputError, match="cut"):
        rows.extend(row.value for row in CsvReader(blocks(), report))

    assert 2 == report.rows


CELLS = st.text(st.sampled_from('ab",\n\r é'), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])
)
def test_agrees_with_a_writer(table, quoting):
    """What the stdlib writes is read back cell by cell, whatever the cells hold."""
    table = [row for row in table if any(row)]
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator="\r\n").writerows([["h1", "h2"], *table])
    for size in (1, 5, 1000):
        _reader, rows, report = read(out.getvalue().encode(), size)
        assert 0 == report.rejects
        assert table == [row.value for row in rows]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r\n", b"\r", b"x", b'""', b"\x00", b"\xc3\xa9", b"\xff", b"1,2\n"]),
        max_size=40,
    )
)
def test_blocks_do_not_matter(parts):
    """E22: rows, rejects and places are the same for every block size, however broken the text."""
    data = b"a,b\n" + b"".join(parts)
    seen = []
    for size in BLOCK_SIZES:
        _reader, rows, report = read(data, size, max_cell=12, max_row=30)
        assert report.rows == len(rows) + report.rejects
        seen.append((rows, report.kept, report.skipped, report.notes))

    assert all(entry == seen[0] for entry in seen)
