"""A CSV of message trace rows, columns found by name: from its cells to the records of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from poolsift.readers.conversions import BadValue, timestamp
from poolsift.records import PLACE_TYPES, RECORD_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from poolsift.readers.base import Row
    from poolsift.readers.csv_rows import CsvReader
    from poolsift.readers.rejects import FileReport

    Cells = dict[str, str | None]
    RowRecords = Callable[[Cells, Callable[[str], None]], list[dict[str, Any]]]


class TraceTable:
    """The rows of one CSV. ``required`` columns must be there, and one of each tuple of ``either``;
    of ``used``, those that are missing are not recorded. InputError names the columns that are missing.
    """

    def __init__(
        self, reader: CsvReader, required: Sequence[str], either: Sequence[Sequence[str]], used: Sequence[str]
    ) -> None:
        self._reader = reader
        missing = [names[0] for names in either if not set(names) & set(reader.header)]
        self._places = reader.columns([*required, *missing])
        self._used = [(name, self._places[name]) for name in used if name in self._places]
        self._blank: Cells = dict.fromkeys(used)

    @property
    def extra(self) -> tuple[str, ...]:
        """The input columns that can stand beside the record's own: those with another name."""
        return tuple(name for name in self._places if name not in RECORD_COLUMNS and name not in PLACE_TYPES)

    def records(
        self, row_records: RowRecords, report: FileReport, extra: Sequence[str] = ()
    ) -> Iterator[tuple[Row, Mapping[str, object]]]:
        """The records of each row in its place, with the ``extra`` columns as they stand.

        A row with a value that its column cannot have is rejected; one that gives several records counts as that
        many rows (docs/choices.md, 31).
        """
        for row in self._reader:
            values: list[str] = row.value
            cells = self._blank.copy()
            for name, place in self._used:
                cells[name] = values[place] or None
            try:
                records = row_records(cells, report.field_error)
            except BadValue as bad:
                report.reject(
                    row=row.row, line=row.line, byte_offset=row.offset,
                    field=bad.field, code=bad.code, message=str(bad), raw=row.raw,
                )  # fmt: skip
                continue
            report.rows += len(records) - 1
            others = {name: values[self._places[name]] for name in extra}
            for record in records:
                record.update(others)
                yield row, record


def cell_time(cells: Mapping[str, str | None], field: str) -> int | None:
    """Microseconds since 1970 of a cell; BadValue, which names the field, for what is no time."""
    try:
        return timestamp(cells[field])
    except BadValue as bad:
        bad.field = field
        raise
