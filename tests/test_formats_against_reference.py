"""Each reader gives what its slow twin gives, whatever the order, quoting, encoding, compression and block size."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers import load_format
from poolsift.readers.base import ReadOptions
from poolsift.readers.detect import detect
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source
from tests import strategies_formats as files
from tests.reference.formats import canonical, emailevents, extended, headers, summary_trace

BLOCKS = (1, 7, 64, 4096, 1 << 20)
Records = list[dict[str, Any]]


class Twin(NamedTuple):
    """A format, how its files are made, and its slow reading."""

    format: str
    make: Callable[[Random], str]
    read: Callable[[bytes], Records]


TWINS = (
    Twin("extended", files.extended_file, extended.read),
    Twin("summary", files.summary_file, summary_trace.read),
    Twin("emailevents", files.emailevents_file, emailevents.read),
    Twin("headers", files.headers_file, headers.read),
    Twin("csv", files.canonical_csv_file, canonical.read_csv),
    Twin("ndjson", files.canonical_ndjson_file, canonical.read_ndjson),
)
EVERY = pytest.mark.parametrize("twin", TWINS, ids=[twin.format for twin in TWINS])


def read(name: str, data: bytes, block: int = 1 << 20) -> tuple[Records, FileReport]:
    """What the reader delivers, without what was not recorded; the account must hold."""
    report = FileReport("test")
    batches = load_format(name).read(Source(data, name="test"), report, ReadOptions(block_bytes=block))
    found = [row for batch in batches for row in batch.to_pylist()]

    assert report.rows == len(found) + report.rejects
    return [{name: value for name, value in row.items() if value is not None} for row in found], report


def account(report: FileReport) -> tuple[Any, ...]:
    """All that a report says about a file."""
    return (
        report.rows,
        report.rejects,
        report.reject_codes,
        report.field_errors,
        report.skipped,
        report.notes,
        report.truncated,
        [reject._replace(input="") for reject in report.kept],
    )


@EVERY
@given(data=st.data())
def test_reader_is_its_twin(twin, data):
    """On the plain text, and in any encoding."""
    text = twin.make(data.draw(files.RANDOMS))
    encoding = data.draw(st.sampled_from(files.ENCODINGS))
    found, _report = read(twin.format, files.encoded(text, encoding))

    assert found == twin.read(text.encode())


@EVERY
@given(data=st.data())
def test_blocks_and_compression_do_not_matter(twin, data):
    """E22: the same records, rejects, places and notes for every block size and compression."""
    plain = files.encoded(twin.make(data.draw(files.RANDOMS)), data.draw(st.sampled_from(files.ENCODINGS)))
    expected = read(twin.format, plain)
    cut = data.draw(st.integers(0, len(plain)))
    packed = files.compressed(plain, data.draw(st.sampled_from(files.COMPRESSIONS)), cut)
    for block in BLOCKS:
        found, report = read(twin.format, packed, block)

        assert found == expected[0]
        assert account(report) == account(expected[1])


@EVERY
@given(random=files.RANDOMS)
def test_the_format_is_recognised(twin, random):
    """A file with rows is recognised by its content; the first line of NDJSON must be an object."""
    data = twin.make(random).encode()
    begins = data.lstrip().startswith(b"{") or twin.format not in {"emailevents", "ndjson"}
    if begins and twin.read(data):
        assert detect(data[: 64 << 10], "test").name == twin.format
