"""Refuses an output that would destroy an input: nobody means to lose an archive to its own verdicts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
    read = [(source.path or "").removeprefix("file://") for source in sources] + list(others)
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


def _refusal(message: str, key: str, path: str) -> UsageError:
    return UsageError(message, key=key, found=quoted(path), expected="another place")


def _same(one: str, other: str) -> bool:
    """Whether both are one existing file, whatever links lead to it; URLs and standard input are never."""
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
