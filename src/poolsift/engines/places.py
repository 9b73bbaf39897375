"""Refuses an output that would destroy an input: nobody means to lose an archive to its own verdicts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from poolsift.dns.cache_place import SIDE_FILES
from poolsift.errors import UsageError
from poolsift.readers.raw_files import STDIN, quoted
from poolsift.writers.publish import MANIFEST, REJECTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poolsift.readers.source import Source


def check_places(sources: Iterable[Source], out: str, rejects: str | None, others: Iterable[str | None] = ()) -> None:
    """Raises UsageError when writing ``out`` or ``rejects`` would replace or remove a file that is read.

    ``others`` are further files of the run, such as the tenant file. ``rejects`` is a regular file or a new one:
    it is renamed into place and removed when there are no rejects, which no device survives.
    """
    others = tuple(others)
    read = [(source.path or "").removeprefix("file://") for source in sources] + [*others]
    for path in filter(None, (*others, rejects)):
        if not _is_text(path):  # the manifest names them, in UTF-8
            raise UsageError("not a usable name", found=ascii(path), expected="a name in UTF-8")
    written = [] if out == STDIN else [out, f"{out}.{MANIFEST}", f"{out}.{REJECTS}"]
    for path in filter(None, read):
        if any(_same(path, place) for place in written):
            raise _refusal("the output would overwrite what is read", "-o", path)
        if os.path.isdir(out) and _same(os.path.dirname(os.path.realpath(path)), out):
            raise _refusal("the output directory holds what is read", "-o", path)
        if rejects is not None and _same(path, rejects):
            raise _refusal("the rejects would overwrite what is read", "--rejects", path)
    if rejects is None:
        return
    if rejects in {"", STDIN} or (os.path.lexists(rejects) and not os.path.isfile(rejects)):
        raise UsageError("not a regular file", key="--rejects", found=quoted(rejects), expected="a file name")
    if out != STDIN and os.path.realpath(rejects) in {os.path.realpath(place) for place in written[:2]}:
        raise UsageError("the verdicts go there", key="--rejects", found=quoted(rejects), expected="a file of its own")


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_cache(cache: str | None, read: Iterable[str | None], out: str, rejects: str | None = None) -> None:
    """Refuses a cache that meets a file of the run: it would be set aside, overwritten or removed. Raises UsageError.

    What SQLite keeps beside a database belongs to it.
    """
    if cache is None:
        return
    parts = {os.path.realpath(cache + suffix) for suffix in ("", *SIDE_FILES)}
    folder, name = os.path.split(os.path.abspath(out))
    written = [
        out,
        f"{out}.{MANIFEST}",
        f"{out}.{REJECTS}",
        *(os.path.join(folder, f".{kind}{name}") for kind in ("", "tmp-")),
    ]
    written.append(os.path.join(folder, f".{name}.lock"))
    for path in [*read, *(written if out != STDIN else ()), rejects]:
        if path and os.path.realpath(path.removeprefix("file://")) in parts:
            raise UsageError("is a file of this run", key="--cache", found=quoted(cache), expected="a file of its own")
    if os.path.isdir(out) and os.path.realpath(os.path.dirname(os.path.abspath(cache))) == os.path.realpath(out):
        raise UsageError("lies in the output directory", key="--cache", found=quoted(cache), expected="another place")


def _refusal(message: str, key: str, path: str) -> UsageError:
    return UsageError(message, key=key, found=quoted(path), expected="another place")


def _same(one: str, other: str) -> bool:
    """Whether both are one existing file, whatever links lead to it; URLs and standard input are never."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
