"""What a run was asked to do, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from poolsift.errors import UsageError, nearest
from poolsift.readers import FORMATS, load_format
from poolsift.records import CANONICAL_COLUMNS
from poolsift.writers.columns import check_column_set

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poolsift.readers.base import Format

FOLD: Final = ("auto", "on", "off")

_LEAST_MEMORY: Final = 64 << 20


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Everything about a run but its inputs, its output and the classifier.

    ``fold``: ``auto`` folds the formats that write several rows a message. ``ignore``: record columns that
    count as not recorded. ``memory`` in bytes bounds what folding and writing hold. ``max_rejects`` None: any number.
    """

    columns: str = "key"
    fold: str = "auto"
    format: str | None = None
    max_rejects: int | None = None
    allow_rejects: bool = False
    allow_truncated: bool = False
    require_dns: bool = False
    ignore: frozenset[str] = frozenset()
    threads: int = 1
    memory: int = 1 << 30

    def __post_init__(self) -> None:
        check_column_set(self.columns)
        _check_word("fold", self.fold, FOLD)
        if self.format is not None:
            _check_word("format", self.format, FORMATS)
        for column in sorted(self.ignore):
            _check_word("ignore", column, CANONICAL_COLUMNS)
        if self.max_rejects is not None and self.max_rejects < 0:
            raise UsageError("out of range", key="max_rejects", found=str(self.max_rejects), expected="0 or more")
        if not 1 <= self.threads <= 256:
            raise UsageError("out of range", key="threads", found=str(self.threads), expected="1 to 256")
        if self.memory < _LEAST_MEMORY:
            raise UsageError("too little", key="memory", found=f"{self.memory} bytes", expected="64 MiB or more")

    @property
    def forced_format(self) -> Format | None:
        """The format asked for, loaded."""
        return None if self.format is None else load_format(self.format)

    def folds(self, found: Format) -> bool:
        """Whether rows of a format are folded."""
        return self.fold == "on" or (self.fold == "auto" and found.folds)


def _check_word(key: str, word: str, known: Iterable[str]) -> None:
    known = tuple(known)
    if word not in known:
        raise UsageError("unknown", key=key, found=word, expected=", ".join(known), nearest=nearest(word, known))
