"""Splits a stream of bytes into the header blocks of its messages; bodies are never held.

An mbox file (RFC 4155 and its variants) begins with a ``From `` line; any other file is one
message. A later ``From `` line begins a message when it looks like one that a mailbox writes: with
a date, or, after a blank line, with a lone address. Quoted ``>From `` lines are body text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: The most bytes that a header block may have; a longer one is rejected, its rest skipped.
MAX_BLOCK = 1 << 20
#: The longest ``From `` line that counts as one.
_MAX_SEPARATOR = 1 << 10
#: How many bytes before a ``From `` line tell whether a blank line stands there (LF CR LF).
_CONTEXT = 3

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DATED = re.compile(rb"From [^\n]*\b\d{1,2}:\d{2}\b[^\n]*\b\d{4}\b")
_LONE_ADDRESS = re.compile(rb"From (?:[^\s@]+@[^\s@]+|MAILER-DAEMON|-)[ \t]*\r?\Z")
_SEPARATOR_START = b"From "


class HeaderBlock(NamedTuple):
    """The header lines of one message, without the blank line after them.

    ``byte_offset`` counts from 0 and ``line`` from 1; both say where the message begins (in an
    mbox file its ``From `` line). ``too_long`` marks a block whose end was cut off at the cap.
    """

    byte_offset: int
    line: int
    data: bytes
    too_long: bool


class _Window:
    """The part of the stream that is held; positions count from ``start``, which only moves on."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._held = b""
        self._start = 0
        self.byte_offset = 0
        self.line = 1

    def __len__(self) -> int:
        return len(self._held) - self._start

    def more(self) -> bool:
        """Hold one block more; False at the end of the stream."""
        block = next(self._blocks, None)
        if block is None:
            return False
        kept = max(self._start - _CONTEXT, 0)
        self._held = self._held[kept:] + block
        self._start -= kept
        return True

    def advance(self, size: int) -> None:
        """Move ``start`` on by ``size`` bytes."""
        end = self._start + size
        self.line += self._held.count(b"\n", self._start, end)
        self.byte_offset += size
        self._start = end

    def find(self, what: bytes, position: int) -> int:
        """Where ``what`` stands at or after ``position``, -1 where it does not."""
        found = self._held.find(what, self._start + position)
        return found - self._start if found >= 0 else -1

    def starts_with(self, what: bytes, position: int = 0) -> bool:
        """True if ``what`` stands at ``position``."""
        return self._held.startswith(what, self._start + position)

    def slice(self, position: int, end: int) -> bytes:
        """The bytes from ``position`` to ``end``."""
        return self._held[self._start + position : self._start + end]

    def line_end(self, position: int, longest: int) -> int:
        """Where the line at ``position`` ends, its line end included, reading on if need be.

        -1 when it is longer than ``longest`` bytes; the last line of the stream needs no line end.
        """
        searched = position
        while (found := self.find(b"\n", searched)) < 0:
            searched = len(self)
            if searched - position > longest:
                return -1
            if not self.more():
                return searched
        return found + 1 if found + 1 - position <= longest else -1

    def is_line_start(self, position: int) -> bool:
        """True if a line begins at ``position``."""
        before = self._start + position
        return before == 0 or self._held.startswith(b"\n", before - 1)

    def follows_blank_line(self, position: int) -> bool:
        """True if the line before ``position`` is blank, or there is none."""
        end = self._start + position
        before = self._held[max(end - _CONTEXT, 0) : end]
        return not before or before.endswith((b"\n\n", b"\n\r\n"))


def header_blocks(blocks: Iterable[bytes], max_block: int = MAX_BLOCK) -> Iterator[HeaderBlock]:
    """The header block of each message in the stream, in order; the stream is read to its end.

    The result does not depend on how the stream is cut into blocks. A stream of nothing but line
    ends has no message.
    """
    window = _Window(blocks)
    _skip_to_content(window)
    if len(window) == 0:
        return
    if window.starts_with(_SEPARATOR_START):
        yield _read_block(window, max_block, in_mbox=True)
        while _skip_body(window):
            yield _read_block(window, max_block, in_mbox=True)
        return
    yield _read_block(window, max_block, in_mbox=False)
    while window.more():  # so that a damaged container shows
        window.advance(len(window))


def _skip_to_content(window: _Window) -> None:
    """Skip a byte order mark and blank lines, and hold enough to tell what comes."""
    while len(window) < len(_BYTE_ORDER_MARK) and window.more():
        pass
    if window.starts_with(_BYTE_ORDER_MARK):
        window.advance(len(_BYTE_ORDER_MARK))
    while True:
        while window.starts_with(b"\n") or window.starts_with(b"\r\n"):
            window.advance(2 if window.starts_with(b"\r") else 1)
        if len(window) >= len(_SEPARATOR_START) or not window.more():
            return


def _read_block(window: _Window, max_block: int, *, in_mbox: bool) -> HeaderBlock:
    """The block that begins at the window's start, which is left after it (and its blank line)."""
    byte_offset, line = window.byte_offset, window.line
    if in_mbox:
        _skip_line(window)
    end = 0
    while True:
        line_end = window.line_end(end, max_block)
        if line_end < 0 or line_end > max_block:
            block = HeaderBlock(byte_offset, line, window.slice(0, max_block), too_long=True)
            window.advance(end)
            return block
        if line_end == end or _ends_block(window.slice(end, line_end), in_mbox=in_mbox):
            block = HeaderBlock(byte_offset, line, window.slice(0, end), too_long=False)
            window.advance(end)
            return block
        end = line_end


def _ends_block(line: bytes, *, in_mbox: bool) -> bool:
    """True for a blank line, and for a ``From `` line with a date although no blank line came."""
    if line in {b"\n", b"\r\n"}:
        return True
    may_separate = in_mbox and line.startswith(_SEPARATOR_START) and len(line) <= _MAX_SEPARATOR
    return may_separate and _DATED.match(line) is not None


def _skip_line(window: _Window) -> None:
    while (found := window.find(b"\n", 0)) < 0:
        window.advance(len(window))
        if not window.more():
            return
    window.advance(found + 1)


def _skip_body(window: _Window) -> bool:
    """Move the window on to the next ``From `` line that begins a message; False when none does."""
    position = 0
    while True:
        found = _separator_candidate(window, position)
        if found < 0:
            # The line end before a ``From `` line that the next block completes must stay.
            window.advance(max(len(window) - len(_SEPARATOR_START), 0))
            position = 0
            if not window.more():
                return False
            continue
        end = window.line_end(found, _MAX_SEPARATOR)
        if end >= 0 and _is_separator(window, found, end):
            window.advance(found)
            return True
        position = found + 1


def _separator_candidate(window: _Window, position: int) -> int:
    if position == 0 and window.is_line_start(0) and window.starts_with(_SEPARATOR_START):
        return 0
    found = window.find(b"\n" + _SEPARATOR_START, max(position - 1, 0))
    return found + 1 if found >= 0 else -1


def _is_separator(window: _Window, position: int, end: int) -> bool:
    line = window.slice(position, end).rstrip(b"\r\n")
    if _DATED.match(line) is not None:
        return True
    return _LONE_ADDRESS.match(line) is not None and window.follows_blank_line(position)
