"""Messages are found in every kind of mbox file and in single messages, whatever the block size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.header_blocks import HeaderBlock, header_blocks

FIRST = b"From ann@example.com Thu Jan  1 00:00:00 2026\n"
SECOND = b"From bob@example.com Fri Jan  2 00:00:00 2026\n"


def blocks(data, size=None, **caps):
    size = size or max(len(data), 1)
    return list(header_blocks((data[at : at + size] for at in range(0, len(data), size)), **caps))


def headers(data, size=None):
    return [block.data for block in blocks(data, size)]


class TestMbox:
    def test_places(self):
        """A block knows the byte and the line of its From line; the body is left out."""
        data = FIRST + b"A: 1\n\nbody\n\n" + SECOND + b"B: 2\n\n"

        assert blocks(data) == [
            HeaderBlock(0, 1, b"A: 1\n", False),
            HeaderBlock(len(FIRST) + 12, 6, b"B: 2\n", False),
        ]

    def test_no_blank_line_before(self):
        """A dated From line begins a message also right after a body line or a header."""
        assert headers(FIRST + b"A: 1\n\nbody\n" + SECOND + b"B: 2\n") == [b"A: 1\n", b"B: 2\n"]
        assert headers(FIRST + b"A: 1\n" + SECOND + b"B: 2\n") == [b"A: 1\n", b"B: 2\n"]

    def test_crlf(self):
        """Line ends of Windows."""
        data = (FIRST + b"A: 1\n x\n\nbody\n\n" + SECOND + b"B: 2\n\n").replace(b"\n", b"\r\n")

        assert headers(data) == [b"A: 1\r\n x\r\n", b"B: 2\r\n"]

    def test_quoted_and_prose_from_lines(self):
        """Quoted lines, prose and lines of a diff in a body begin no message."""
        body = b"\n>From bob Fri Jan  2 00:00:00 2026\n\nFrom what I see, it works.\nFrom 1 to 10\n\nFrom here on\n"

        assert headers(FIRST + b"A: 1\n\n" + body + b"\n" + SECOND + b"B: 2\n\n") == [b"A: 1\n", b"B: 2\n"]

    def test_a_lone_address_after_a_blank_line(self):
        """Some writers leave out the date."""
        data = (
            b"From ann@example.com\nA: 1\n\nbody\n\nFrom MAILER-DAEMON\nB: 2\n\nno blank\nFrom bob@example.com\nC: 3\n"
        )

        assert headers(data) == [b"A: 1\n", b"B: 2\n"]

    def test_empty_headers_and_the_end_of_the_file(self):
        """A message may have nothing, not even a line end."""
        assert headers(FIRST + b"\nbody\n\n" + SECOND) == [b"", b""]
        assert headers(FIRST.rstrip()) == [b""]
        assert headers(FIRST + b"A: 1") == [b"A: 1"]

    def test_a_long_body_is_not_held(self):
        """A body of any length passes through in blocks."""
        body = (b"x" * 99 + b"\n" for _ in range(50_000))
        stream = (block for part in ([FIRST + b"A: 1\n\n"], body, [b"\n" + SECOND + b"B: 2\n\n"]) for block in part)

        assert [block.data for block in header_blocks(stream)] == [b"A: 1\n", b"B: 2\n"]

    def test_a_block_that_is_too_long(self):
        """Too many header bytes: the block is cut and marked, the next message is read."""
        data = FIRST + b"A: 1\n" * 100 + b"\n\n" + SECOND + b"B: 2\n\n"
        found = blocks(data, max_block=64)

        assert [(len(block.data), block.too_long) for block in found] == [(64, True), (5, False)]

    def test_a_line_without_end(self):
        """One endless line is cut at the cap too."""
        found = blocks(FIRST + b"A: " + b"x" * 5_000, 100, max_block=64)

        assert [(len(block.data), block.too_long) for block in found] == [(64, True)]


class TestSingleMessage:
    @pytest.mark.parametrize("before", [b"", b"\n\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
    def test_one_message(self, before):
        """A file without a From line is one message; what is before its first line is skipped."""
        assert headers(before + b"A: 1\n b\nB: 2\n\n" + FIRST + b"C: 3\n") == [b"A: 1\n b\nB: 2\n"]

    @pytest.mark.parametrize("data", [b"", b"\n\r\n\n", b"\xef\xbb\xbf"])
    def test_nothing(self, data):
        """An empty file has no message."""
        assert headers(data) == []

    def test_the_stream_is_read_to_its_end(self):
        """The rest is read, so that a damaged container shows."""
        stream = iter([b"A: 1\n\n", b"body", b"body"])
        list(header_blocks(stream))

        assert list(stream) == []


PIECES = st.sampled_from(
    [
        FIRST,
        SECOND,
        b"From ",
        b"From x\n",
        b"From a@b\n",
        b"\n",
        b"\r\n",
        b"A: 1\n",
        b" fold\n",
        b">From x 1:00 2020\n",
        b"text",
        b"\r",
    ]
)


@given(st.lists(PIECES, max_size=30).map(b"".join), st.integers(1, 70))
def test_the_block_size_does_not_matter(data, size):
    """The result is the same for any cut of the stream, and places are those in the file."""
    found = blocks(data)

    assert blocks(data, size) == found
    for block in found:
        assert data[block.byte_offset :].startswith((b"From ", block.data))
        assert block.line == data[: block.byte_offset].count(b"\n") + 1
