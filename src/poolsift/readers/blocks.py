"""Blocks of bytes: recut to one size, and recoded from UTF-16 to UTF-8."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from poolsift.errors import InputError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Bytes that are looked at for the pattern of UTF-16 without a byte order mark.
PATTERN_BYTES = 4 << 10
#: Fewer NULs are stray ones, whose rows are rejected; the shortest header has more letters.
LEAST_NULS = 4

#: Bytes of one read of a :class:`BlockFile`: an Arrow message above this is refused.
MAX_READ = 1 << 30

#: Files that begin so are binary and are never recoded: Parquet, Arrow file, Arrow stream.
BINARY_MAGICS = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")

_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def detect_encoding(head: bytes) -> tuple[str, int]:
    """The encoding of a text that begins with ``head``, and how many bytes its mark takes.

    Historical-search CSVs are UTF-16LE, often without a mark: then the upper bytes of ASCII
    characters show as NUL in every second place.
    """
    if head.startswith(BINARY_MAGICS):
        return "utf-8", 0
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    sample = head[:PATTERN_BYTES]
    pairs = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < LEAST_NULS:
        return "utf-8", 0
    # A quarter of the characters ASCII on one side (headers, times and commas alone are more), and few
    # NULs on the other (low halves such as those of U+1F600 are).
    if odd * 4 > pairs and even * 4 < odd:
        return "utf-16-le", 0
    if even * 4 > pairs and odd * 4 < even:
        return "utf-16-be", 0
    return "utf-8", 0


def recode(blocks: Iterable[bytes], encoding: str, path: str) -> Iterator[bytes]:
    """UTF-16 blocks as UTF-8; a lone surrogate becomes bytes that the row scanners reject."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    try:
        rest = decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        message = f"{encoding} text ends in half a character"
        raise InputError("truncated", message, path) from None
    if rest:
        yield rest.encode("utf-8", "surrogatepass")


def rechunk(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in blocks of exactly ``size``, the last one shorter.

    Bytes that came before an error are handed on before it.
    """
    pending = bytearray()
    source = iter(blocks)
    failure: InputError | None = None
    while True:
        try:
            block = next(source, None)
        except InputError as error:
            failure, block = error, None
        if block is None:
            break
        if len(block) == size and not pending:
            yield block
            continue
        pending += block
        start = 0
        while len(pending) - start >= size:
            yield bytes(pending[start : start + size])
            start += size
        del pending[:start]
    if pending:
        yield bytes(pending)
    if failure is not None:
        raise failure


class BlockFile:
    """What pyarrow needs of a file, over blocks: ``read`` gives all that was asked for, or the rest.

    Memory is given to bytes that exist, never to a size that a damaged file claims.
    """

    def __init__(self, blocks: Iterable[bytes], path: str) -> None:
        self._blocks = iter(blocks)
        self._path = path
        self._rest = b""
        self.closed = False

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end."""
        if size > MAX_READ:
            raise LimitError("one message asks for too many bytes", limit=MAX_READ, path=self._path)
        parts, missing = [self._rest], size - len(self._rest)
        while missing > 0 and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            missing -= len(block)
        found = b"".join(parts)
        self._rest = found[size:]
        return found[:size]

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Never."""
        return False

    def seekable(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Leaves the source to its owner."""
        self.closed = True
