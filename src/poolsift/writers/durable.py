"""Files that are on disk before anybody can see them under their name, and the lock on a place to write.

A file is written under a temporary name with mode 0600, hashed on the way, synced, renamed; then its
directory is synced. A failed sync is final: it is never tried again as if it had worked.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from poolsift.errors import LockedError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CODES = {errno.ENOSPC: "no_space", errno.EDQUOT: "no_space", errno.EFBIG: "too_large", errno.EROFS: "read_only"}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns a failure of the operating system into an OutputError that names the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        code = _CODES.get(error.errno or 0, "write_failed")
        raise OutputError(code, f"cannot write: {error.strerror or error}", str(path)) from error


def sync_directory(path: Path) -> None:
    """Make renames and removals inside a directory last."""
    with naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Part(NamedTuple):
    """One finished file of the output."""

    name: str
    rows: int
    bytes: int
    sha256: str


class HashedFile(io.RawIOBase):
    """A new file of mode 0600 that counts and hashes (SHA-256) what is written; never follows a link."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._discarding = False
        self._hash = hashlib.sha256()
        with naming(path):
            path.unlink(missing_ok=True)
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)

    @property
    def sha256(self) -> str:
        """The hash of everything written so far, in hex."""
        return self._hash.hexdigest()

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Bytes written."""
        return self.bytes

    def write(self, data: object) -> int:
        """Write all of it, however many calls the system needs."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        if self._discarding:
            return len(view)
        self._hash.update(view)
        done = 0
        with naming(self.path):
            while done < len(view):
                done += os.write(self._descriptor, view[done : done + (1 << 26)])
        self.bytes += done
        return done

    def discard(self) -> None:
        """Whatever is written from now on goes nowhere: the file is about to be removed."""
        self._discarding = True

    def sync_and_close(self) -> None:
        """Everything written is on the disk afterwards."""
        with naming(self.path):
            os.fsync(self._descriptor)
        self.close()

    def close(self) -> None:
        """Close without syncing."""
        if not self.closed:
            super().close()
            with naming(self.path):
                os.close(self._descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """A whole small file: temporary name, sync, rename, sync of the directory."""
    temporary = path.with_name(f".tmp-{path.name}")
    file = HashedFile(temporary)
    try:
        file.write(data)
        file.sync_and_close()
        with naming(path):
            os.replace(temporary, path)
    except BaseException:
        file.close()
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


class Lock:
    """An advisory lock (flock) on a file beside the output; raises LockedError when another run holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = self._taken()

    def release(self) -> None:
        """Remove the lock file while it is still held, then let go."""
        with suppress(FileNotFoundError):
            self.path.unlink()
        os.close(self._descriptor)

    def _taken(self) -> int:
        while True:
            with naming(self.path):
                descriptor = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise LockedError(str(self.path.parent), owner or None) from None
            # The file may have been removed by its last holder between open and lock.
            with suppress(FileNotFoundError):
                if os.stat(self.path).st_ino == os.fstat(descriptor).st_ino:
                    os.ftruncate(descriptor, 0)
                    # Who holds it is a courtesy: on a full disk the lock holds all the same.
                    with suppress(OSError):
                        os.pwrite(descriptor, f"pid {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
                    return descriptor
            os.close(descriptor)
