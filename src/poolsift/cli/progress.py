"""The progress bar of a run: compressed bytes read, on a terminal only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from poolsift.analysis.escaping import shown

if TYPE_CHECKING:
    from types import TracebackType


class ProgressBar:
    """A context manager that gives the callback of ``classify_files``."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("reading", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int | None, name: str) -> None:
        """``done`` of ``total`` bytes; ``name`` is being read."""
        self._bar.update(self._task, completed=done, total=total, description=shown(name, limit=40))
