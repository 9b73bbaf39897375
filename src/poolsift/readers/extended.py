"""The extended report of a historical search: message tracking rows as CSV, about sixteen a message.

Columns are found by name, in any order; unknown ones are ignored and others than the required ones may be missing.
A row that names several recipients counts as that many rows and gives that many records, each with what this row
says and nothing else; folding joins the rows of one message and recipient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from poolsift.readers.base import Format
from poolsift.readers.batches import build_batches
from poolsift.readers.csv_rows import CsvReader, header_names
from poolsift.readers.directionality import read_directionality
from poolsift.readers.trace_table import TraceTable, cell_time
from poolsift.readers.tracking_recipients import recipients
from poolsift.readers.tracking_row import failure, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from poolsift.readers.base import ReadOptions
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

#: Without these a file is not an extended report.
REQUIRED: Final = ("date_time_utc", "event_id")
#: Whom a row is about: one of these must be there.
RECIPIENT_COLUMNS: Final = ("recipient_address", "recipient_status")
#: What joins the rows of a message: one of these must be there.
ID_COLUMNS: Final = ("network_message_id", "message_id")

#: The columns that are read.
USED: Final = (
    *REQUIRED, *RECIPIENT_COLUMNS, *ID_COLUMNS, "client_ip", "client_hostname", "source_context", "connector_id",
    "source", "related_recipient_address", "message_subject", "sender_address", "return_path", "directionality",
    "tenant_id", "original_client_ip", "custom_data",
)  # fmt: skip


def sniff(head: bytes) -> bool:
    """True for a CSV whose header names the columns of the extended report."""
    names = set(header_names(head))
    return names.issuperset(REQUIRED) and not names.isdisjoint(RECIPIENT_COLUMNS) and not names.isdisjoint(ID_COLUMNS)


def read(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """One record for each recipient of each row; see the module for what a record holds."""
    reader = CsvReader(source.blocks(options.block_bytes), report, options, path=source.path)
    table = TraceTable(reader, REQUIRED, (RECIPIENT_COLUMNS, ID_COLUMNS), USED)
    extra = table.extra if options.extra else ()
    return build_batches(table.records(row_records, report, extra), report, options, extra)


def row_records(cells: dict[str, str | None], field_error: Callable[[str], None]) -> list[dict[str, Any]]:
    """The records of one row: all that ``USED`` names, None where a cell is empty. BadValue for a bad time."""
    source, event = (cells["source"] or "").strip().upper(), (cells["event_id"] or "").strip().upper()
    directionality = read_directionality(cells["directionality"], field_error)
    common = message(cells, source, event, directionality)
    common["time"] = cell_time(cells, "date_time_utc")
    found = []
    for recipient in recipients(cells, event, field_error):
        record = {**common, "recipient": recipient.address, "status": recipient.status}
        if recipient.status == "failed":
            record |= failure(cells, recipient.text)
        elif recipient.status == "expanded":
            record.pop("forwarded", None)  # it is the group's members that the message was passed on to
        found.append(record)
    return found


FORMAT = Format(
    name="extended",
    title="Extended report of a historical search (message tracking rows, CSV)",
    where="Start-HistoricalSearch -ReportType MessageTraceDetail, or an extended report of Message trace in the "
    "Exchange admin center; role View-Only Recipients or Compliance Management",
    limits="no SPF, DKIM or DMARC results and no outbound address; the pool name only where Exchange recorded it; "
    "original_client_ip for the last 10 days only; at most 100,000 rows a file",
    predict=True,
    observe=True,
    folds=True,
    sniff=sniff,
    read=read,
)
