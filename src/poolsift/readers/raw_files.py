"""Bytes as stored: local files, standard input, bytes in memory, object stores; counted and hashed."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from typing import TYPE_CHECKING

from poolsift.errors import InputError

if TYPE_CHECKING:
    import io

    import pyarrow as pa
    import pyarrow.fs

STDIN = "-"


def quoted(name: str) -> str:
    """A file name as it may stand in a message: control characters and bad UTF-8 escaped."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    if text.isprintable() and text == name:
        return name
    return '"' + "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text) + '"'


class RawFile:
    """Counts and hashes what subclasses read; ``finish`` says whether it stayed the same file."""

    seekable = True

    def __init__(self, path: str) -> None:
        self.path = quoted(path)
        self.count = 0
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; ``b""`` at the end. A failed read is an InputError."""
        try:
            block = self._read(size)
        except OSError as error:
            message = error.strerror or str(error)
            raise InputError("read", message, self.path, self.count) from None
        self.count += len(block)
        self._hash.update(block)
        return block

    def finish(self) -> str:
        """The sha256 of what was read; InputError ``changed`` when the file is not what it was."""
        self.check_unchanged()
        return self._hash.hexdigest()

    def check_unchanged(self) -> None:
        """InputError when size, time or identity differ from when it was opened."""

    def random_access(self) -> pa.NativeFile:
        """The same bytes as a seekable Arrow file."""
        raise InputError("not_seekable", "this format needs a file, not a stream", self.path)

    def close(self) -> None:
        """Closes what was opened."""

    def _read(self, size: int) -> bytes:
        raise NotImplementedError


class LocalFile(RawFile):
    """A regular file. FIFOs, devices and directories are refused without being waited for."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._target = path
        self._fd = -1
        try:
            self._refuse_special(os.stat(path).st_mode)
            # Should the file have become a FIFO meanwhile, O_NONBLOCK keeps us from hanging.
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self._opened = os.fstat(self._fd)
        except OSError as error:
            raise InputError("open", error.strerror or str(error), self.path) from None
        except ValueError as error:  # a NUL in the name
            raise InputError("open", str(error), self.path) from None
        self._refuse_special(self._opened.st_mode)

    def _refuse_special(self, mode: int) -> None:
        if stat.S_ISREG(mode):
            return
        kinds = ((stat.S_ISDIR, "directory"), (stat.S_ISFIFO, "FIFO (read one with -)"))
        kind = next((name for test, name in kinds if test(mode)), "device or socket")
        self.close()
        raise InputError("not_a_file", f"is a {kind}, not a regular file", self.path)

    def _read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def check_unchanged(self) -> None:
        """Compares size, time and inode with those at opening."""
        try:
            now = os.stat(self._target)
        except OSError as error:
            raise InputError("changed", f"gone while read: {error.strerror}", self.path) from None
        for held in (now, os.fstat(self._fd)):
            same = (held.st_dev, held.st_ino, held.st_size, held.st_mtime_ns) == (
                self._opened.st_dev, self._opened.st_ino, self._opened.st_size, self._opened.st_mtime_ns,
            )  # fmt: skip
            if not same:
                raise InputError("changed", "changed or was replaced while read", self.path, self.count)

    def random_access(self) -> pa.NativeFile:
        """Read with pread, never mapped: a map of a file that shrinks kills the process."""
        import pyarrow as pa

        return pa.OSFile(self._target, "rb")

    def close(self) -> None:
        """Closes the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class StandardInput(RawFile):
    """Standard input: read once, never sought."""

    seekable = False

    def __init__(self) -> None:
        super().__init__(STDIN)
        if sys.stdin is None:
            raise InputError("open", "standard input is closed", self.path)
        # A pipe delivers what it has; reading on to a full block would hold a slow producer's rows back.
        self._stream: io.BufferedReader = sys.stdin.buffer  # type: ignore[assignment]  # has read1

    def _read(self, size: int) -> bytes:
        return self._stream.read1(size)


class MemoryFile(RawFile):
    """Bytes that the caller holds."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(name)
        self._data = data

    def _read(self, size: int) -> bytes:
        return self._data[self.count : self.count + size]

    def random_access(self) -> pa.NativeFile:
        """The bytes themselves."""
        import pyarrow as pa

        return pa.BufferReader(self._data)


class StoredObject(RawFile):
    """An object of an object store, through pyarrow's file systems."""

    def __init__(self, url: str, filesystem: pyarrow.fs.FileSystem, path: str) -> None:
        super().__init__(url)
        self._filesystem = filesystem
        self._object = path
        try:
            self._opened = filesystem.get_file_info(path)
            self._stream = filesystem.open_input_stream(path, compression=None)
        except OSError as error:
            raise InputError("open", str(error), self.path) from None

    def _read(self, size: int) -> bytes:
        block: bytes = self._stream.read(size)
        return block

    def check_unchanged(self) -> None:
        """Compares size and time with those at opening; object stores have no inode."""
        try:
            now = self._filesystem.get_file_info(self._object)
        except OSError as error:
            raise InputError("changed", f"gone while read: {error}", self.path) from None
        if (now.size, now.mtime_ns) != (self._opened.size, self._opened.mtime_ns):
            raise InputError("changed", "changed or was replaced while read", self.path, self.count)

    def random_access(self) -> pa.NativeFile:
        """Read by range requests."""
        try:
            return self._filesystem.open_input_file(self._object)
        except OSError as error:
            raise InputError("open", str(error), self.path) from None

    def close(self) -> None:
        """Ends the download."""
        self._stream.close()
