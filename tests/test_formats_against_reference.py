"""Each reader gives what its slow twin gives, whatever the order, quoting, encoding, compression and block size."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolsift.readers import load_format
from poolsift.readers.base import ReadOptions
from poolsift.readers.detect import detect
from poolsift.readers.json_lines import JsonLines
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


PIECES = ("a", "b", '\\"', "\\\\", ":", " ", '\\":', "{", '\\" ')


def spaced(random: Random) -> str:
    return random.choice(("", "", "", " ", "  ", "\t", "\r"))


def json_text(random: Random) -> str:
    """A JSON string that looks like keys from the inside."""
    return '"' + "".join(random.choice(PIECES) for _ in range(random.randrange(3))) + '"'


def json_object(random: Random, depth: int = 0) -> str:
    """An object with few different keys, oddly spaced."""
    values = (lambda: json_text(random), lambda: "1", lambda: f"[{json_text(random)}]")
    deeper = (lambda: json_object(random, depth + 1),) if depth < 2 else ()
    pairs = []
    for _ in range(random.randrange(4)):
        key, value = random.choice(('"a"', '"b"', json_text(random))), random.choice((*values, *deeper))()
        pairs.append(spaced(random) + key + spaced(random) + ":" + spaced(random) + value + spaced(random))
    return "{" + ",".join(pairs) + "}"


@settings(max_examples=500)
@given(random=files.RANDOMS)
def test_a_used_key_never_stands_twice(random):
    """E16: at any depth, however keys are spaced and whatever texts look like."""
    line = json_object(random)
    doubles = []

    def look(pairs):
        names = [name for name, _ in pairs]
        doubles.extend(name for name in ("a", "b") if names.count(name) > 1)

    json.loads(line, object_pairs_hook=look)
    report = FileReport("test")
    rows = list(JsonLines([line.encode() + b"\n"], report, keys=("a", "b")))

    assert (len(rows), dict(report.reject_codes)) == ((0, {"duplicate_key": 1}) if doubles else (1, {}))
