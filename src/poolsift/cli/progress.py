"""The progress bars of runs, on a terminal only: compressed bytes read, names asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from poolsift.analysis.escaping import shown

if TYPE_CHECKING:
    from types import TracebackType


class _Bar:
    """A bar that stands on standard error while its context lasts."""

    def __init__(self, doing: str, *columns: Any) -> None:
        shown_columns = (TextColumn("{task.description}", markup=False), BarColumn(), *columns, TimeRemainingColumn())
        self._bar = Progress(*shown_columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(doing, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


class ProgressBar(_Bar):
    """A context manager that gives the callback of ``classify_files``."""

    def __init__(self) -> None:
        super().__init__("reading", DownloadColumn(), TransferSpeedColumn())

    def __call__(self, done: int, total: int | None, name: str) -> None:
        """``done`` of ``total`` bytes; ``name`` is being read."""
        self._bar.update(self._task, completed=done, total=total, description=shown(name, limit=40))


class NamesBar(_Bar):
    """A context manager that gives the callback of ``resolve_names``."""

    def __init__(self) -> None:
        super().__init__("asking", MofNCompleteColumn())

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` names have their answers."""
        self._bar.update(self._task, completed=done, total=total)
