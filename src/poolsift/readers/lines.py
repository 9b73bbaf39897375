"""Physical lines over blocks, with their place; damage of the file comes after its whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolsift.errors import InputError, LimitError
from poolsift.readers.rejects import RAW_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable


class LineBuffer:
    """A window over the text. ``start`` is the current line in ``data``, ``next`` what follows it."""

    def __init__(self, blocks: Iterable[bytes], max_row: int) -> None:
        self._blocks = iter(blocks)
        self._max_row = max_row
        self._base = 0
        self._following = 1
        self.data = b""
        self.start = 0
        self.next = 0
        self.at_end = False
        self.failure: InputError | LimitError | None = None
        self.number = 0  #: of the current line, from 1
        self.offset = 0  #: of the current line, in bytes
        self.ended = True  #: the current line has its line end
        self.too_long = False  #: the current line is longer than a row may be; only its beginning is given

    def line(self) -> bytes | None:
        """The next line without its newline (a CR stays), or None at the end or at damage."""
        self.start = self.next
        self.number = self._following
        self.offset = self._base + self.start
        self.too_long = False
        while True:
            end = self.data.find(b"\n", self.start, self.start + self._max_row + 1)
            if end >= 0:
                self.next = end + 1
                self._following += 1
                self.ended = True
                return self.data[self.start : end]
            if len(self.data) - self.start > self._max_row:
                return self._overlong()
            if not self.more():
                break
        if self.failure is not None or self.start == len(self.data):
            return None
        self.next = len(self.data)
        self.ended = False
        return self.data[self.start :]

    def more(self) -> bool:
        """Doubles what is held from ``start`` on, so that long rows cost linear time; False at the end."""
        if self.at_end or self.failure is not None:
            return False
        parts = [self.data[self.start :]]
        wanted = max(len(parts[0]), 1)
        while wanted > 0 and (block := self._block()) is not None:
            parts.append(block)
            wanted -= len(block)
        self._base += self.start
        self.next -= self.start
        self.start = 0
        self.data = b"".join(parts)
        # Nothing new and not the end: the blocks broke off.
        return self.at_end or len(parts) > 1

    def advance(self, after: int) -> None:
        """Makes the current row end before ``after``, which may be lines further on."""
        self._following = self.number + self.data.count(b"\n", self.start, after)
        self.ended = self.data[after - 1 : after] == b"\n"
        self.next = after

    def _block(self) -> bytes | None:
        try:
            block = next(self._blocks, None)
        except (InputError, LimitError) as error:
            self.failure = error
            return None
        self.at_end = block is None
        return block

    def _overlong(self) -> bytes:
        """Gives the beginning of an over-long line and drops the rest unseen."""
        self.too_long = True
        beginning = self.data[self.start : self.start + min(RAW_BYTES, self._max_row)]
        end = self.data.find(b"\n", self.start)
        while end < 0:
            self._base += len(self.data)
            self.start = self.next = 0
            self.data = b""
            block = self._block()
            if block is None:
                break
            self.data = block
            end = block.find(b"\n")
        self.ended = end >= 0
        self.next = end + 1 if self.ended else len(self.data)
        self._following += self.ended
        return beginning
