"""Every failure that poolsift reports on purpose, and the exit code that goes with it.

::

    PoolsiftError                  70  (base; never raised itself)
    ├── UsageError                  2  an option, argument or file that was refused before any work
    │   ├── TenantFileError         2
    │   ├── RulesError              2
    │   ├── OverlayError            2
    │   └── SnapshotError           2
    ├── RejectLimitError            4  more rejected rows than allowed; nothing published
    ├── InputError                  5  an input that cannot be read to its end
    ├── OutputError                 6  an output that cannot be written
    ├── DnsIncompleteError          7  unknown names where all were required, or nothing but unknown names
    ├── LockedError                 8  another run holds the lock
    └── LimitError                  9  a resource limit, with the option that raises it
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known spelling closest to ``word``, or None when nothing is close."""
    words = {entry.casefold(): entry for entry in known}
    close = get_close_matches(word.casefold(), words, n=1, cutoff=0.6)
    return words[close[0]] if close else None


def _rebuild(kind: type[PoolsiftError], args: tuple[object, ...], facts: dict[str, object]) -> PoolsiftError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(facts)
    return error


class PoolsiftError(Exception):
    """The base of all errors of this package; facts are attributes and survive pickling."""

    exit_code: ClassVar[int] = 70

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))


class UsageError(PoolsiftError):
    """Something the user wrote was refused: what was found, what was expected, what is nearest.

    ``line`` counts from 1, ``row`` is a 1-based data row.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        row: int | None = None,
        key: str | None = None,
        found: str | None = None,
        expected: str | None = None,
        nearest: str | None = None,
    ) -> None:
        self.message = message
        self.path = path
        self.line = line
        self.row = row
        self.key = key
        self.found = found
        self.expected = expected
        self.nearest = nearest
        super().__init__(self._text())

    def _text(self) -> str:
        numbers = (("line", self.line), ("row", self.row))
        places = [self.path] if self.path is not None else []
        places += [f"{word} {number}" for word, number in numbers if number is not None]
        text = ": ".join(part for part in (", ".join(places), self.key, self.message) if part)
        if self.found is not None:
            text += f"; found {self.found}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.nearest is not None:
            text += f"; did you mean {self.nearest}?"
        return text


class TenantFileError(UsageError):
    """A tenant file that cannot be used."""


class RulesError(UsageError):
    """A rule profile or an assumption that cannot be used."""


class OverlayError(UsageError):
    """An overlay file that cannot be used, or a change in it that does not fit the tenant file."""


class SnapshotError(UsageError):
    """A DNS snapshot that cannot be used."""


class RejectLimitError(PoolsiftError):
    """More rows were rejected than the run allows; nothing was published."""

    exit_code = 4

    def __init__(self, rejects: int, limit: int, last: str = "") -> None:
        self.rejects = rejects
        self.limit = limit
        self.last = last
        counted = f"{rejects:,} row{'s' if rejects != 1 else ''} rejected, {limit:,} allowed (--max-rejects)"
        super().__init__(f"{counted}; the last: {last}" if last else counted)


class _FileError(PoolsiftError):
    """A failure of one file: a stable code, what happened, where (``offset`` in bytes)."""

    def __init__(self, code: str, message: str, path: str | None = None, offset: int | None = None) -> None:
        self.code = code
        self.message = message
        self.path = path
        self.offset = offset
        where = "" if path is None else f"{path}: "
        place = "" if offset is None else f" at byte {offset}"
        super().__init__(f"{where}{message}{place} [{code}]")


class InputError(_FileError):
    """An input file that is damaged, truncated or of no known format."""

    exit_code = 5


class OutputError(_FileError):
    """An output that could not be written in full."""

    exit_code = 6


class DnsIncompleteError(PoolsiftError):
    """Names without a definite answer: some where all were required (``--require-dns``), or all of them.

    ``reasons`` counts them by reason where that is known.
    """

    exit_code = 7

    def __init__(self, unknown: int, asked: int, reasons: Mapping[str, int] | None = None) -> None:
        self.unknown = unknown
        self.asked = asked
        self.reasons = dict(reasons or {})
        #: What people should know of resolvers and cache, a line each.
        self.warnings: tuple[str, ...] = ()
        why = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items())
        super().__init__(
            f"{unknown:,} of {asked:,} names have no definite DNS answer"
            + (f" ({why})" if why else "")
            + "; nothing was written"
        )


class LockedError(PoolsiftError):
    """Another run holds the lock on ``path``."""

    exit_code = 8

    def __init__(self, path: str, owner: str | None = None) -> None:
        self.path = path
        self.owner = owner
        super().__init__(f"{path} is in use" + (f" by {owner}" if owner else " by another run"))


class LimitError(PoolsiftError):
    """A resource limit was reached; ``option`` raises it."""

    exit_code = 9

    def __init__(self, message: str, *, limit: int, option: str | None = None, path: str | None = None) -> None:
        self.message = message
        self.limit = limit
        self.option = option
        self.path = path
        where = "" if path is None else f"{path}: "
        advice = "" if option is None else f"; {option} raises it"
        super().__init__(f"{where}{message} (limit {limit}{advice})")
