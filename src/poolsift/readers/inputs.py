"""From what the user named (paths, globs, directories, ``-``, URLs) to a list of sources."""

from __future__ import annotations

import glob
import os
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from poolsift.errors import InputError, UsageError, nearest
from poolsift.readers.raw_files import STDIN, quoted
from poolsift.readers.source import Source, SourceLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow.fs

_URL: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCHEMES: Final = ("s3", "abfs", "abfss", "gs", "gcs", "hdfs", "file")
_GLOB_CHARACTERS: Final = frozenset("*?[")


def expand_inputs(
    arguments: Iterable[str], *, limits: SourceLimits | None = None, allow_duplicates: bool = False
) -> list[Source]:
    """One source a file, in the order named, directories and globs sorted.

    Inside directories, names that begin with ``.`` or ``_`` are left out: unfinished parts and
    marks of other tools. UsageError when an argument matches nothing or a file comes twice.
    """
    limits = limits or SourceLimits()
    found: list[Source] = []
    for argument in arguments:
        if argument == STDIN:
            found.append(Source(STDIN, limits=limits))
        elif match := _URL.match(argument):
            found += _stored(argument, match[1].lower(), limits)
        else:
            found += [Source(path, limits=limits) for path in _local(argument)]
    if not found:
        raise UsageError("no input", expected="a file, a directory, a glob, a URL or -")
    if not allow_duplicates:
        _refuse_duplicates(found)
    return found


def is_remote(argument: str) -> bool:
    """Whether an argument names a place that only the network reaches."""
    match = _URL.match(argument)
    return match is not None and match[1].lower() != "file"


def _local(argument: str) -> Sequence[str]:
    if os.path.isdir(argument):
        files = sorted(_files_below(argument))
        if not files:
            raise UsageError("the directory holds no files", path=quoted(argument))
        return files
    if os.path.lexists(argument) or not _GLOB_CHARACTERS & set(argument):
        # A file that does not exist is left to the source, which says why it cannot be opened.
        if not os.path.lexists(argument):
            raise UsageError("no such file", path=quoted(argument))
        return [argument]
    matches = sorted(glob.glob(argument, recursive=True))
    files = [path for match in matches for path in (_local(match) if os.path.isdir(match) else [match])]
    if not files:
        raise UsageError("the pattern matches no file", path=quoted(argument))
    return list(dict.fromkeys(files))


def _files_below(directory: str) -> Iterator[str]:
    """Files at any depth; linked directories are not entered, so a loop of links cannot hold us."""

    def refuse(error: OSError) -> None:
        raise InputError("open", error.strerror or str(error), quoted(error.filename or directory))

    for place, directories, files in os.walk(directory, onerror=refuse):
        directories[:] = [name for name in directories if _is_shown(name)]
        yield from (os.path.join(place, name) for name in files if _is_shown(name))


def _is_shown(name: str) -> bool:
    return not name.startswith((".", "_"))


def _stored(url: str, scheme: str, limits: SourceLimits) -> list[Source]:
    import pyarrow as pa
    import pyarrow.fs

    if scheme not in _SCHEMES:
        raise UsageError(
            "unknown kind of URL",
            found=quoted(url),
            expected=", ".join(f"{known}://" for known in _SCHEMES),
            nearest=nearest(scheme, _SCHEMES),
        )
    # A glob is cut off before the URL is parsed: `?` would begin a query.
    first = min((url.find(c) for c in _GLOB_CHARACTERS if c in url), default=len(url))
    base = url if first == len(url) else url[: url.rindex("/", 0, first)]
    try:
        filesystem, path = pyarrow.fs.FileSystem.from_uri(base)
        pattern = path + url[len(base) :] if base != url else None
        files = sorted(_objects(filesystem, path, pattern))
    except (OSError, pa.ArrowException) as error:
        raise UsageError(f"cannot be listed: {error}", path=quoted(url)) from None
    if not files:
        raise UsageError("the URL matches no file", path=quoted(url))
    prefix = url[: url.index("://") + 3]
    return [Source(prefix + name, limits=limits, filesystem=filesystem, object_path=name) for name in files]


def _objects(filesystem: pyarrow.fs.FileSystem, path: str, pattern: str | None) -> Iterator[str]:
    from pyarrow.fs import FileSelector, FileType

    info = filesystem.get_file_info(path)
    if info.type == FileType.File and pattern is None:
        yield path
    if info.type != FileType.Directory:
        return
    for entry in filesystem.get_file_info(FileSelector(path, recursive=True)):
        if entry.type != FileType.File:
            continue
        if pattern is None:
            below = entry.path[len(path) :].strip("/").split("/")
            if all(map(_is_shown, below)):
                yield entry.path
        elif _matches(entry.path.split("/"), pattern.split("/")):
            yield entry.path


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Part by part as in a shell; ``**`` stands for any number of parts."""
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[skip:], pattern[1:]) for skip in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _refuse_duplicates(sources: Iterable[Source]) -> None:
    seen: dict[object, Source] = {}
    for source in sources:
        key = _identity(source)
        first = seen.setdefault(key, source)
        if first is not source:
            raise UsageError(
                "is named twice and would be counted twice (--allow-duplicates)",
                path=source.name,
                found=f"the same file as {first.name}",
            )


def _identity(source: Source) -> object:
    """Device and inode, so that links of both kinds are seen; for objects the URL."""
    path = source.path or ""
    if path == STDIN or _URL.match(path):
        return path
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return status.st_dev, status.st_ino
