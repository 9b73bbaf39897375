"""Where the cache's file lies: whether it may be used there, and the lock under which it is opened."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds that a run waits for another one's transaction or opening.
PATIENCE: Final = 30.0
_PAUSE: Final = 0.02
#: What SQLite keeps beside a database.
SIDE_FILES: Final = ("-wal", "-shm", "-journal")
#: File systems between machines: there SQLite's log does not work, also where it seems to.
_BETWEEN_MACHINES: Final = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs", "gpfs", "lustre", "ncpfs",
    "nfs", "nfs4", "smb3", "smbfs",
})  # fmt: skip


class UnusableError(Exception):
    """Why a file is left as it is; ``unshared`` where only the sharing of it is impossible."""

    def __init__(self, message: str, *, unshared: bool = False) -> None:
        self.unshared = unshared
        super().__init__(message)


def made_directory(path: str) -> str:
    """The directory of ``path``; what is missing of it is made for its owner alone."""
    directory = Path(path).absolute().parent
    for missing in reversed([place for place in (directory, *directory.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    return str(directory)


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """The directory for this run alone, where its file system can lock at all. Raises UnusableError in the end."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _lock(descriptor):
            if time.monotonic() >= deadline:
                raise UnusableError("is being opened by another run, which takes too long")
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks there
        return True
    return True


def usable_size(path: str, directory: str) -> int | None:
    """The file's size, None where there is none. Raises UnusableError for what is not ours to write."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISLNK(found.st_mode):
        raise UnusableError("is a link, and links are not followed")
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise UnusableError("is not a regular file")
    if found is not None and not os.access(path, os.W_OK, effective_ids=True):
        raise UnusableError("is read-only")
    if not os.access(directory, os.W_OK, effective_ids=True):
        raise UnusableError("lies in a directory that is read-only")
    return None if found is None else found.st_size


def restrict(path: str) -> None:
    """Mode 0600, also of a file that somebody had made wider."""
    for name in (path, *(path + suffix for suffix in SIDE_FILES)):
        with suppress(FileNotFoundError, PermissionError):
            if os.lstat(name).st_mode & 0o077:
                os.chmod(name, 0o600)


def network_filesystem(directory: str) -> str | None:
    """The type of the directory's file system if several machines may share it."""
    try:
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    kind = filesystem_type(mountinfo, os.stat(directory).st_dev)
    return kind if kind in _BETWEEN_MACHINES else None


def filesystem_type(mountinfo: str, device: int) -> str | None:
    """The type of the file system with this device number, by the text of /proc/self/mountinfo (proc(5))."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == number and "-" in fields[:-1]:
            return fields[fields.index("-") + 1]
    return None
