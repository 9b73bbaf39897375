"""One input opened: its compression and encoding sniffed, its bytes counted, hashed and bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from poolsift.errors import InputError, LimitError, UsageError
from poolsift.readers.base import HEAD_BYTES
from poolsift.readers.blocks import BlockFile, detect_encoding, rechunk, recode
from poolsift.readers.decompress import GzipStream, compression_of, refused_container, unzstd
from poolsift.readers.raw_files import STDIN, LocalFile, MemoryFile, RawFile, StandardInput, StoredObject, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import pyarrow as pa
    import pyarrow.fs

#: Bytes read at once, and the least that the first look at a file needs (tar's mark is at 257).
_READ_BYTES = 256 << 10
_MAGIC_BYTES = 512
_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How far a compressed file may expand. Logs compress 5 to 50 times; bombs 1,000 and more."""

    ratio: int = 500
    #: The ratio is looked at only beyond so many decompressed bytes.
    ratio_from: int = 64 << 20
    plain_bytes: int = 1 << 40


class Source:
    """An input: a path, ``-`` for standard input, bytes, or an object of a store.

    Each call of :meth:`blocks` begins anew, except on standard input, which is read once.
    ``compressed_bytes`` grows as it is read; ``sha256`` (of the bytes as stored) is known at the end.
    """

    def __init__(
        self,
        target: str | bytes,
        *,
        name: str | None = None,
        limits: SourceLimits | None = None,
        filesystem: pyarrow.fs.FileSystem | None = None,
        object_path: str | None = None,
    ) -> None:
        self._target = target
        self._filesystem = filesystem
        self._object_path = object_path
        #: None for bytes in memory.
        self.path = target if isinstance(target, str) else None
        #: For messages and the ``input`` column; escaped where the path is not printable.
        self.name = name or (quoted(target) if isinstance(target, str) else "<bytes>")
        self.limits = limits or SourceLimits()
        self.notes: list[str] = []
        self.sha256: str | None = None
        self._raw: RawFile | None = None
        self.compression = "none"
        self.encoding = "utf-8"
        self.members = 0
        self.plain_bytes = 0
        self._rewind()

    def _rewind(self) -> None:
        self._peeked = b""
        self._stream: Iterator[bytes] | None = None
        self._failure: InputError | LimitError | None = None
        self._taken = False

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def compressed_bytes(self) -> int:
        """Bytes as stored, read so far."""
        return 0 if self._raw is None else self._raw.count

    def head(self, size: int = HEAD_BYTES) -> bytes:
        """The first bytes, decompressed, as UTF-8. Damage behind them is left to :meth:`blocks`.

        Asked for before the blocks; asked for after, it begins the file anew.
        """
        if self._taken and self._target != STDIN:
            self.close()
        self._fill_head(size)
        if not self._peeked and self._failure is not None:
            raise self._failure
        return self._peeked[:size]

    def _fill_head(self, size: int) -> None:
        stream = self._opened()
        while len(self._peeked) < size and self._failure is None:
            try:
                block = next(stream, None)
            except (InputError, LimitError) as error:
                self._failure = error
                return
            if block is None:
                return
            self._peeked += block

    def blocks(self, size: int = 1 << 20) -> Iterator[bytes]:
        """Decompressed UTF-8 in blocks of ``size``; an error comes after the bytes before it."""
        if self._taken:
            if self._target == STDIN:
                raise InputError("not_seekable", "standard input can be read only once", STDIN)
            self.close()
        self._opened()
        self._taken = True
        return rechunk(self._rest(), size)

    def _rest(self) -> Iterator[bytes]:
        if self._peeked:
            head, self._peeked = self._peeked, b""
            yield head
        if self._failure is not None:
            raise self._failure
        yield from self._opened()

    def file(self) -> BlockFile:
        """The decompressed bytes as one sequential file object."""
        return BlockFile(self.blocks(), self.name)

    def random_access(self) -> pa.NativeFile:
        """A seekable file, for formats that begin reading at the end; hashed in a pass before."""
        self._opened()
        if self.compression != "none":
            message = f"this format cannot be read inside {self.compression}; decompress it first"
            raise InputError("compressed", message, self.name)
        raw = self._fresh_raw()
        if not raw.seekable:
            return raw.random_access()
        while raw.read(_READ_BYTES):
            pass
        self.sha256 = raw.finish()
        return raw.random_access()

    def check_unchanged(self) -> None:
        """InputError ``changed`` when the file is no longer the one that was opened."""
        if self._raw is not None:
            self._raw.check_unchanged()

    def close(self) -> None:
        """Closes the input; counts stay until it is read again."""
        if self._raw is not None:
            self._raw.close()
        if self._target != STDIN:
            self._rewind()

    def _fresh_raw(self) -> RawFile:
        if self._target == STDIN and self._raw is not None:
            return self._raw
        if self._raw is not None:
            self._raw.close()
        self._raw = self._open()
        return self._raw

    def _open(self) -> RawFile:
        if isinstance(self._target, bytes):
            return MemoryFile(self._target, self.name)
        if self._target == STDIN:
            return StandardInput()
        if self._filesystem is not None and self._object_path is not None:
            return StoredObject(self._target, self._filesystem, self._object_path)
        return LocalFile(self._target)

    def _opened(self) -> Iterator[bytes]:
        if self._stream is None:
            raw = self._fresh_raw()
            first = b""
            while len(first) < _MAGIC_BYTES:
                block = raw.read(_READ_BYTES)
                if not block:
                    break
                first += block
            self.compression = compression_of(first)
            self.members = self.plain_bytes = 0
            self.sha256 = None
            self._check_name(first)
            self._stream = self._text(self._plain(raw, first))
        return self._stream

    def _check_name(self, first: bytes) -> None:
        """An empty file named .gz was cut; any other disagreement with the name is a note."""
        lower = self.name.lower()
        due = next((kind for suffix, kind in _SUFFIXES.items() if lower.endswith(suffix)), None)
        if due is not None and not first:
            raise InputError("truncated", f"empty file where {due} is due", self.name, 0)
        if due is not None and due != self.compression:
            self._note(f"named as {due} but holds {self.compression if first else 'nothing'}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _plain(self, raw: RawFile, first: bytes) -> Iterator[bytes]:
        """Decompressed blocks, bounded; at the end the file is compared with what was opened."""
        gzip: GzipStream | None = None
        if self.compression == "gzip":
            gzip = GzipStream(raw, first)
            stream = iter(gzip)
        elif self.compression == "zstd":
            stream = unzstd(raw, first)
        else:
            stream = _stored(raw, first)
        for block in stream:
            self.plain_bytes += len(block)
            self._check_limits(raw.count)
            if gzip is not None:
                self.members = gzip.members + 1
            yield block
        if gzip is not None:
            self.members = gzip.members
            if gzip.padding:
                self._note(f"{gzip.padding} zero bytes after the last gzip member")
        self.sha256 = raw.finish()

    def _check_limits(self, stored: int) -> None:
        if self.compression == "none":
            return
        limits = self.limits
        if self.plain_bytes > limits.plain_bytes:
            message = "decompresses to more bytes than allowed"
            raise LimitError(message, limit=limits.plain_bytes, option="--max-plain-bytes", path=self.name)
        if self.plain_bytes > max(limits.ratio_from, limits.ratio * stored):
            message = f"{stored} bytes decompress to more than {self.plain_bytes}"
            raise LimitError(message, limit=limits.ratio, option="--max-ratio", path=self.name)

    def _text(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The blocks as UTF-8 without a byte order mark; nested containers are refused."""
        first = b""
        failure: InputError | LimitError | None = None
        try:
            while len(first) < 4 << 10 and (block := next(blocks, None)) is not None:
                first += block
        except (InputError, LimitError) as error:
            failure = error
        self._refuse_containers(first)
        self.encoding, mark = detect_encoding(first)
        rest = _chain(first[mark:], blocks, failure)
        yield from rest if self.encoding == "utf-8" else recode(rest, self.encoding, self.name)

    def _refuse_containers(self, first: bytes) -> None:
        container = refused_container(first)
        if container is not None:
            raise UsageError(
                f"is a {container}",
                path=self.name,
                found=container,
                expected="a plain, .gz or .zst file; unpack it first",
            )
        if self.compression != "none" and compression_of(first) != "none":
            raise LimitError("compressed twice", limit=1, path=self.name)


def _stored(raw: RawFile, first: bytes) -> Iterator[bytes]:
    if first:
        yield first
    while block := raw.read(_READ_BYTES):
        yield block


def _chain(first: bytes, blocks: Iterator[bytes], failure: InputError | LimitError | None) -> Iterator[bytes]:
    if first:
        yield first
    if failure is not None:
        raise failure
    yield from blocks
