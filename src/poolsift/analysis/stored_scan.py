"""One pass over the rows of a finished run: several counters watch the same batches, pieces go to several threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from poolsift.analysis.stored_rows import StoredRows
from poolsift.engines.finished import read_piece
from poolsift.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from concurrent.futures import Future

    from poolsift.analysis.stored_run import StoredRun
    from poolsift.engines.finished import Piece

#: Pieces in work or waiting to be merged, for each thread.
_AHEAD = 2


class PieceCounter(Protocol):
    """Counts the rows of one piece; used by one thread."""

    def add(self, rows: StoredRows) -> None:
        """Take one batch."""


class Watcher(Protocol):
    """Counts rows piece by piece; pieces are merged in the order of the output, by the caller's thread."""

    def piece(self) -> Any:
        """A fresh PieceCounter."""

    def merge(self, piece: Any) -> None:
        """Take a finished one."""


def scan(run: StoredRun, columns: Sequence[str], watchers: Sequence[Watcher], threads: int) -> None:
    """Show every row of the run to every watcher. ``columns`` beyond those that were kept are left out."""
    kept = [name for name in columns if name in run.columns]
    with closing(_counted(run.pieces, kept, watchers, threads)) as counted:
        for counters in counted:
            for watcher, counter in zip(watchers, counters, strict=True):
                watcher.merge(counter)


def _counted(
    pieces: Sequence[Piece], columns: Sequence[str], watchers: Sequence[Watcher], threads: int
) -> Generator[list[PieceCounter]]:
    def count(piece: Piece) -> list[PieceCounter]:
        counters: list[PieceCounter] = [watcher.piece() for watcher in watchers]
        for batch in read_piece(piece, columns):
            rows = StoredRows(batch)
            try:
                for counter in counters:
                    counter.add(rows)
            except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
                text = f"columns are not what classify writes: {error}"
                raise InputError("output_damaged", text, str(piece.path)) from error
        return counters

    if threads == 1:
        yield from map(count, pieces)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="whatif") as pool:
        waiting: deque[Future[list[PieceCounter]]] = deque()
        try:
            for piece in pieces:
                waiting.append(pool.submit(count, piece))
                if len(waiting) >= threads * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
