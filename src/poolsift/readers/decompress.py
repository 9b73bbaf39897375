"""Streaming decompression of gzip and zstd with every kind of damage named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from poolsift.errors import InputError, LimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
#: RFC 8878 §3.1.2: skippable frames, 0x184D2A50 to 0x184D2A5F little-endian.
_SKIPPABLE_TAIL = b"\x2a\x4d\x18"

#: What is refused by its first bytes: containers and compressions that poolsift does not open.
_REFUSED_MAGICS = (
    (b"PK\x03\x04", "zip archive"),
    (b"PK\x05\x06", "zip archive"),
    (b"BZh", "bzip2 file"),
    (b"\xfd7zXZ\x00", "xz file"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"\x04\x22\x4d\x18", "LZ4 file"),
)

#: Decompressed bytes asked for at once, so that a bomb cannot fill the memory.
_OUTPUT_BYTES = 1 << 20
#: The same for zstd: what pyarrow decoded in the call that meets damage is lost, so it is less.
_ZSTD_OUTPUT_BYTES = 64 << 10
#: Compressed bytes offered to a gzip member: little at first, because what lies behind a short
#: member is copied; more while the member goes on.
_FIRST_INPUT = 4 << 10
_MOST_INPUT = 256 << 10
#: libzstd refuses frames with a window above 2^27 bytes (its ``ZSTD_WINDOWLOG_LIMIT_DEFAULT``).
ZSTD_WINDOW_LIMIT = 1 << 27


class RawStream(Protocol):
    """Bytes as stored: ``count`` of them were handed out so far."""

    path: str
    count: int

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end."""


def compression_of(head: bytes) -> str:
    """``gzip``, ``zstd`` or ``none``, by the first four bytes."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    skippable = head[1:4] == _SKIPPABLE_TAIL and 0x50 <= head[0] <= 0x5F
    return "zstd" if head.startswith(ZSTD_MAGIC) or skippable else "none"


def refused_container(head: bytes) -> str | None:
    """The name of a container that poolsift does not open, or None."""
    if head[257:262] == b"ustar":
        return "tar archive"
    return next((name for magic, name in _REFUSED_MAGICS if head.startswith(magic)), None)


class GzipStream:
    """The decompressed bytes of a gzip file of any number of members (RFC 1952 §2.2).

    A file cut exactly between two members cannot be told from a whole one: ``members`` is
    reported so that a manifest can tell.
    """

    def __init__(self, raw: RawStream, first: bytes) -> None:
        self._raw = raw
        self._pending = first
        self.members = 0
        self.padding = 0

    def __iter__(self) -> Iterator[bytes]:
        while self._at_member():
            yield from self._member()

    def _fill(self, size: int) -> bool:
        """Has at least ``size`` bytes pending, unless the file ends before."""
        while len(self._pending) < size:
            block = self._raw.read(_MOST_INPUT)
            if not block:
                return False
            self._pending += block
        return True

    def _offset(self) -> int:
        return self._raw.count - len(self._pending)

    def _at_member(self) -> bool:
        """Whether another member begins here. Zero padding ends a file; other bytes are damage."""
        self._fill(2)
        if not self._pending:
            return False
        if self._pending.startswith(GZIP_MAGIC):
            return True
        if self._pending == GZIP_MAGIC[:1]:
            raise self._error("truncated", "gzip file ends in a member's header")
        while self._fill(1):
            zeros = len(self._pending) - len(self._pending.lstrip(b"\0"))
            self.padding += zeros
            self._pending = self._pending[zeros:]
            if self._pending:
                raise self._error("garbage", "other bytes after the last gzip member")
        return False

    def _member(self) -> Iterator[bytes]:
        from isal import igzip_lib

        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        size = _FIRST_INPUT
        while not member.eof:
            piece = b""
            if member.needs_input:
                if not self._fill(1):
                    raise self._error("truncated", f"gzip file ends inside member {self.members + 1}")
                piece, self._pending = self._pending[:size], self._pending[size:]
                size = min(size * 2, _MOST_INPUT)
            try:
                block = member.decompress(piece, _OUTPUT_BYTES)
            except igzip_lib.IsalError as error:  # type: ignore[misc]  # the stub calls the class an instance
                # The text of the library names a wrong CRC or length apart from a broken stream.
                code = "checksum" if "checksum" in str(error).lower() else "damaged"
                raise self._error(code, f"gzip member {self.members + 1} is damaged ({error})") from None
            if block:
                yield block
        self.members += 1
        self._pending = member.unused_data + self._pending

    def _error(self, code: str, message: str) -> InputError:
        return InputError(code, message, self._raw.path, self._offset())


class _RawFile:
    """The file object that pyarrow asks for, over a raw stream and the bytes already taken."""

    closed = False

    def __init__(self, raw: RawStream, first: bytes) -> None:
        self._raw = raw
        self._first = first

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes."""
        size = _MOST_INPUT if size < 0 else size
        if self._first:
            block, self._first = self._first[:size], self._first[size:]
            return block
        return self._raw.read(size)

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
        """Leaves the raw stream to its owner."""


def unzstd(raw: RawStream, first: bytes) -> Iterator[bytes]:
    """The decompressed bytes of a zstd file of any number of frames, skippable ones left out."""
    import pyarrow as pa

    stream = pa.CompressedInputStream(pa.PythonFile(_RawFile(raw, first), mode="r"), "zstd")
    while True:
        try:
            block: bytes = stream.read(_ZSTD_OUTPUT_BYTES)
        except OSError as error:
            raise _zstd_error(str(error), raw) from None
        if not block:
            return
        yield block


def _zstd_error(text: str, raw: RawStream) -> InputError | LimitError:
    if "too much memory" in text:
        return LimitError("zstd window larger than is decoded", limit=ZSTD_WINDOW_LIMIT, path=raw.path)
    words = (
        ("Truncated", "truncated", "zstd file ends inside a frame"),
        ("Dictionary", "dictionary", "zstd frame needs a dictionary"),
        ("checksum", "checksum", "zstd frame has a wrong checksum"),
        ("Unknown frame", "garbage", "other bytes where a zstd frame is due"),
    )
    for word, code, message in words:
        if word in text:
            return InputError(code, message, raw.path, raw.count)
    return InputError("damaged", f"zstd file is damaged ({text})", raw.path, raw.count)
