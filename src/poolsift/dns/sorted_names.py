"""Finds a name in a sorted Arrow column by its bytes, without making an object of every name on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class SortedNames:
    """A column of ASCII names in the order of their bytes, some of them several times in a row."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        import pyarrow as pa

        names = column.cast(pa.large_string()).combine_chunks()
        if isinstance(names, pa.ChunkedArray):  # without any chunk there is nothing to combine
            names = pa.array([], pa.large_string())
        _, offsets, data = names.buffers()
        first = names.offset
        self._count = len(names)
        self._offsets = memoryview(offsets or bytes(8)).cast("B").cast("q")[first:]
        self._data = memoryview(data or b"").cast("B")

    def row_of(self, name: str) -> int:
        """The first row whose name is not before this one; the number of rows where all are."""
        wanted = name.encode()
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._bytes(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def __getitem__(self, row: int) -> str:
        return self._bytes(row).decode()

    def _bytes(self, row: int) -> bytes:
        return bytes(self._data[self._offsets[row] : self._offsets[row + 1]])
