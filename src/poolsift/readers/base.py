"""What a reader is: a format with a name, a way to recognise it, and a way to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

#: How many decompressed bytes a format may look at to recognise itself.
HEAD_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read: what to keep, how large a batch may grow, and the caps on one row."""

    #: Keep the input's other columns, verbatim, as strings after ``row``.
    extra: bool = False
    #: A batch ends at this many records or at this many bytes of input, whichever comes first.
    batch_rows: int = 65_536
    batch_bytes: int = 8 << 20
    #: Bytes of one cell and of one row; a row beyond either is rejected.
    max_cell: int = 1 << 20
    max_row: int = 16 << 20
    #: Bytes asked from the source at once. The result never depends on it.
    block_bytes: int = 1 << 20
    #: What separates CSV cells. Never guessed: a wrong guess shifts columns silently.
    delimiter: str = ","


class Row(NamedTuple):
    """One input row in its place: ``value`` is a list of str (CSV cells) or a dict (an NDJSON object)."""

    row: int  #: 1-based data row of its file; headers and blank lines do not count
    line: int  #: 1-based physical line on which it begins
    offset: int  #: byte offset of its first byte in the decompressed UTF-8 text
    value: Any
    raw: bytes  #: the row as it stands in the file, without its line end


Sniffer: TypeAlias = "Callable[[bytes], bool]"
ReadFunction: TypeAlias = "Callable[[Source, FileReport, ReadOptions], Iterator[pa.RecordBatch]]"


class Format(NamedTuple):
    """A format that poolsift reads; each lives in one module as ``FORMAT``."""

    name: str  #: what ``--format`` takes
    title: str  #: one line for people
    where: str  #: where such a file comes from
    limits: str  #: what it does not tell
    predict: bool  #: enough columns to predict a pool
    observe: bool  #: shows the pool that was used
    folds: bool  #: several rows may describe one message
    sniff: Sniffer  #: looks at the first ``HEAD_BYTES``, decompressed, UTF-8
    read: ReadFunction
