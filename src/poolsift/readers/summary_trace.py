"""The enhanced summary report of a historical search: one CSV row a message, its recipients in one cell.

``sender_address`` is MAIL FROM or From: which is not documented, so the sender is marked as of a trace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from poolsift.readers.base import Format
from poolsift.readers.batches import build_batches
from poolsift.readers.csv_rows import CsvReader, header_names
from poolsift.readers.directionality import read_directionality
from poolsift.readers.ndr_subject import is_ndr_subject, is_postmaster, is_report_sender
from poolsift.readers.recipient_status import recipient_statuses, status_of
from poolsift.readers.srs_mark import has_srs
from poolsift.readers.trace_table import TraceTable, cell_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa

    from poolsift.readers.base import ReadOptions
    from poolsift.readers.directionality import Directionality
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

REQUIRED: Final = ("sender_address", "recipient_status")
#: The time's column is named so in files, and without ``_utc`` in the documentation; both are UTC.
TIME_COLUMNS: Final = ("origin_timestamp_utc", "origin_timestamp")
ID_COLUMNS: Final = ("network_message_id", "message_id")
CLIENT_COLUMN: Final = "original_client_ip"
USED: Final = (
    *REQUIRED, *TIME_COLUMNS, *ID_COLUMNS, "message_subject", CLIENT_COLUMN, "directionality", "connector_id",
    "tenant_id",
)  # fmt: skip


def sniff(head: bytes) -> bool:
    """True for a CSV whose header names the columns of the enhanced summary."""
    names = set(header_names(head))
    return names.issuperset(REQUIRED) and not names.isdisjoint(TIME_COLUMNS) and not names.isdisjoint(ID_COLUMNS)


def read(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """One record for each recipient of each row."""
    reader = CsvReader(source.blocks(options.block_bytes), report, options, path=source.path)
    table = TraceTable(reader, REQUIRED, (TIME_COLUMNS, ID_COLUMNS), USED)
    shows_client = CLIENT_COLUMN in reader.header

    def rows(cells: dict[str, str | None], field_error: Callable[[str], None]) -> list[dict[str, Any]]:
        return row_records(cells, field_error, shows_client=shows_client)

    extra = table.extra if options.extra else ()
    return build_batches(table.records(rows, report, extra), report, options, extra)


def row_records(
    cells: Mapping[str, str | None], field_error: Callable[[str], None], *, shows_client: bool = True
) -> list[dict[str, Any]]:
    """The records of one row. BadValue for a bad time.

    ``shows_client``: the file has the client's column, so an empty cell says that no host handed the message in.
    """
    directionality = read_directionality(cells["directionality"], field_error)
    sender = cells["sender_address"]
    common: dict[str, Any] = {
        "time": cell_time(cells, "origin_timestamp_utc") or cell_time(cells, "origin_timestamp"),
        "tenant_id": cells["tenant_id"],
        "message_id": cells["message_id"],
        "network_message_id": cells["network_message_id"],
        "direction": directionality.direction,
        "mail_from": sender,
        "sender_from_trace": None if sender is None else True,
        "client_ip": cells[CLIENT_COLUMN],
        "connector": cells["connector_id"],
    }
    if sender is not None and has_srs(sender):
        common["forwarded"] = True
    if shows_client and cells[CLIENT_COLUMN] is None:
        common |= _without_client(cells, directionality)
    return [{**common, **end} for end in _ends(cells["recipient_status"], field_error)]


def _without_client(cells: Mapping[str, str | None], directionality: Directionality) -> dict[str, Any]:
    """What can be told of a message that no host handed in.

    The report keeps the client's address for ten days only, so mail that says it came from outside or by a connector
    was not submitted by the tenant, whatever is missing; nor was what a forwarder sent under an SRS address.
    """
    sender, subject = cells["sender_address"], cells["message_subject"]
    if sender is None or "@" not in sender:
        return {}
    if is_postmaster(sender) and subject is not None and is_ndr_subject(subject):
        return {"kind": "ndr"}
    if directionality.inbound or cells["connector_id"] is not None or is_report_sender(sender) or has_srs(sender):
        return {}
    return {"submitted": True}


def _ends(cell: str | None, field_error: Callable[[str], None]) -> list[dict[str, Any]]:
    """Recipient and status of each recipient; a row that names nobody gives one record without."""
    found: list[dict[str, Any]] = []
    for one in recipient_statuses(cell or ""):
        status = status_of(one.steps)
        if one.steps and status is None:
            field_error("recipient_status")
        found.append({"recipient": one.recipient, "status": status})
    return found or [{}]


FORMAT = Format(
    name="summary",
    title="Enhanced summary report of a historical search (CSV)",
    where="Start-HistoricalSearch -ReportType MessageTrace, or an enhanced summary report of Message trace in the "
    "Exchange admin center; role View-Only Recipients or Compliance Management",
    limits="the sender may be MAIL FROM or From; no authentication results, no spam verdict, no reason of a failure; "
    "nothing shows the pool that was used; original_client_ip for the last 10 days only; at most 100,000 rows a file",
    predict=True,
    observe=False,
    folds=True,
    sniff=sniff,
    read=read,
)
