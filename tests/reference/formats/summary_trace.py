"""Twin of the enhanced summary reader: one row a message, its recipients in one cell (contract, section 1)."""

from typing import Any

from tests.reference.formats.csv_table import has_controls, rows
from tests.reference.formats.reports import EXCHANGE, has_srs, is_report
from tests.reference.formats.steps import recipients, status
from tests.reference.formats.times import parse_time

PLAIN = {
    "sender_address": "mail_from",
    "message_id": "message_id",
    "network_message_id": "network_message_id",
    "original_client_ip": "client_ip",
    "connector_id": "connector",
}
DIRECTIONS = {"1": "inbound", "2": "outbound", "inbound": "inbound", "outbound": "outbound"}


def read(data: bytes) -> list[dict[str, Any]]:
    records = []
    for number, cells in rows(data):
        for record in row_records(cells) if cells is not None else []:
            records.append({"row": number, **record})
    return records


def row_records(cells: dict[str, str]) -> list[dict[str, Any]]:
    """One record a recipient; nothing where the row is rejected."""
    time_cell = cells.get("origin_timestamp_utc") or cells.get("origin_timestamp") or ""
    moment = parse_time(time_cell) if time_cell else None
    used = [cells.get(name, "") for name in (*PLAIN, "recipient_status")]
    if (time_cell and moment is None) or any(map(has_controls, used)):
        return []
    shared: dict[str, Any] = {column: cells[name] for name, column in PLAIN.items() if cells.get(name)}
    if moment is not None:
        shared["time"] = moment
    if "mail_from" in shared:
        shared["sender_from_trace"] = True
    direction = DIRECTIONS.get(cells.get("directionality", "").lower())
    if direction:
        shared["direction"] = direction
    shared |= signs(cells, shared)
    return [shared | each for each in each_recipient(cells)]


def signs(cells: dict[str, str], shared: dict[str, Any]) -> dict[str, Any]:
    """What an empty FromIP tells: a report, or a mailbox that sent it."""
    sender = shared.get("mail_from")
    found: dict[str, Any] = {}
    if has_srs(sender):
        found["forwarded"] = True
    if cells.get("original_client_ip") != "":
        return found  # no such column, or an address in it
    if is_report(sender, cells.get("message_subject")):
        found["kind"] = "ndr"
    elif is_mailbox(sender) and not came_from_outside(cells) and "forwarded" not in found:
        found["submitted"] = True
    return found


def came_from_outside(cells: dict[str, str]) -> bool:
    """The client's address is kept for ten days only; a connector or the direction still tells."""
    return bool(cells.get("connector_id")) or cells.get("directionality") in {"1", "Incoming"}


def is_mailbox(sender: str | None) -> bool:
    local = (sender or "").rpartition("@")[0].lower()
    return bool(local) and local not in {"postmaster", "mailer-daemon", EXCHANGE}


def each_recipient(cells: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for address, steps in recipients(cells.get("recipient_status", "")):
        record = {"recipient": address} if address else {}
        ended = status(steps)
        found.append(record | ({"status": ended} if ended else {}))
    return found or [{}]
