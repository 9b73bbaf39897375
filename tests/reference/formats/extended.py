"""Twin of the extended report's reader: each row gives one record a recipient (contract, section 1)."""

import re
from typing import Any

from tests.reference.formats import custom_data
from tests.reference.formats.csv_table import has_controls, rows
from tests.reference.formats.reports import EXCHANGE, has_srs, is_exchange, is_postmaster, is_report
from tests.reference.formats.steps import recipients, status
from tests.reference.formats.times import parse_time

PLAIN = {
    "return_path": "mail_from",
    "sender_address": "header_from",
    "message_id": "message_id",
    "network_message_id": "network_message_id",
    "tenant_id": "tenant_id",
    "original_client_ip": "client_ip",
}
EVENTS = {
    "SEND": "delivered",
    "SENDEXTERNAL": "delivered",
    "DELIVER": "delivered",
    "FAIL": "failed",
    "BADMAIL": "failed",
    "DELIVERFAIL": "failed",
    "SUBMITFAIL": "failed",
    "DEFER": "pending",
    "SUBMITDEFER": "pending",
    "EXPAND": "expanded",
    "DROP": "dropped",
}
DIRECTIONS = {"1": "inbound", "2": "outbound", "inbound": "inbound", "outbound": "outbound"}
CODE = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)


def read(data: bytes) -> list[dict[str, Any]]:
    return [
        {"row": number, **record} for number, cells in rows(data) if cells is not None for record in row_records(cells)
    ]


def row_records(cells: dict[str, str]) -> list[dict[str, Any]]:
    """Nothing where the row is rejected."""
    time_cell = cells.get("date_time_utc", "")
    moment = parse_time(time_cell) if time_cell else None
    used = [cells.get(name, "") for name in (*PLAIN, "recipient_address")]
    if (time_cell and moment is None) or any(map(has_controls, used)):
        return []
    shared: dict[str, Any] = {column: cells[name] for name, column in PLAIN.items() if cells.get(name)}
    if moment is not None:
        shared["time"] = moment
    direction = DIRECTIONS.get(cells.get("directionality", "").lower())
    if direction:
        shared["direction"] = direction
    shared |= client(cells)
    shared |= verdict(cells, direction)
    shared |= evidence(cells)
    found = [shared | each for each in each_recipient(cells)]
    for record in found:
        if record.get("status") == "expanded":
            record.pop("forwarded", None)  # the group keeps the mail, its members are sent on
    return found


def client(cells: dict[str, str]) -> dict[str, Any]:
    """The RECEIVE row knows the connector, and the client where no original address is logged."""
    if cells.get("event_id") != "RECEIVE" or cells.get("source") != "SMTP":
        return {}
    names = {"connector_id": "connector"}
    if cells.get("client_ip") and cells.get("original_client_ip", "") in {"", cells["client_ip"]}:
        names |= {"client_ip": "client_ip", "client_hostname": "helo"}
    return {column: cells[name] for name, column in names.items() if cells.get(name)}


def verdict(cells: dict[str, str], direction: str | None) -> dict[str, Any]:
    """Pool name, pool number and the outbound spam verdict of custom_data."""
    text = cells.get("custom_data", "")
    found: dict[str, Any] = {}
    names = [name for name in custom_data.values(text, "OutboundIpPoolName") if name]
    if names:
        found["outbound_ip_pool_name"] = names[0]
    report = custom_data.filter_report(text)
    if report.get("SFP", "").isdecimal():
        found["sfp"] = int(report["SFP"])
    outbound = "sfp" in found or (direction != "inbound" and cells.get("directionality") != "Incoming")
    if outbound and (report.get("SFV") or report.get("CAT")):
        found["spam"] = report.get("SFV") == "SPM" or report.get("CAT") == "OSPM"
    return found


def evidence(cells: dict[str, str]) -> dict[str, Any]:
    """What the row's source and event prove about the message."""
    found: dict[str, Any] = {}
    is_reply = cells.get("source") == "MAILBOXRULE" and cells.get("return_path") == "<>"
    ruled = cells.get("source") == "MAILBOXRULE" and not is_reply
    rules = " ".join(custom_data.values(cells.get("custom_data", ""), "TRA")).lower()
    redirected = cells.get("event_id") == "REDIRECT" or "action=redirectmessage" in rules
    expanded = cells.get("event_id") == "EXPAND" and bool(cells.get("related_recipient_address"))
    if ruled or redirected or expanded or has_srs(cells.get("return_path")):
        found["forwarded"] = True
    elif cells.get("source") == "STOREDRIVER" and cells.get("event_id") in {"SUBMIT", "RECEIVE"}:
        found["submitted"] = True
    return found | kind(cells)


def kind(cells: dict[str, str]) -> dict[str, Any]:
    """A report has the null reverse-path, or Exchange's sender where the path is not recorded."""
    sender, path = cells.get("sender_address"), cells.get("return_path", "")
    told = path or sender
    if path == "<>" or is_postmaster(told) or is_exchange(told):
        if cells.get("source") == "DSN" or cells.get("event_id") == "DSN":
            return {"kind": "ndr"}
        if is_report(sender, cells.get("message_subject"), ("postmaster", EXCHANGE)):
            return {"kind": "ndr"}
    return {}


def each_recipient(cells: dict[str, str]) -> list[dict[str, Any]]:
    """recipient_address, joined by `;`; where it is empty, the recipients of recipient_status.

    An expanded group that the row names is a recipient too; its members end on rows of their own.
    """
    addresses = [part.strip() for part in cells.get("recipient_address", "").split(";") if part.strip()]
    states = recipients(cells.get("recipient_status", ""))
    if not addresses:
        addresses = [address for address, _ in states if address]
    group = cells.get("related_recipient_address") if cells.get("event_id") == "EXPAND" else None
    inner = cells | {"event_id": ""} if group else cells
    found = [{"recipient": address, **outcome(inner, address, states)} for address in addresses]
    if group:
        found.append({"recipient": group, "status": "expanded"})
    return found or [outcome(cells, None, states)]


def outcome(cells: dict[str, str], address: str | None, states: list[tuple[str, list[str]]]) -> dict[str, Any]:
    """Status, and the text and code where the row tells of a failure."""
    steps = next((steps for who, steps in states if address is None or who in {"", address}), [])
    ended = EVENTS.get(cells.get("event_id", "")) or status(steps)
    found: dict[str, Any] = {"status": ended} if ended else {}
    cell = cells.get("recipient_status", "")
    if ended == "failed" and cell and "##" not in cell:
        found["status_text"] = own_text(cells, address, cell)
        code = CODE.search(found["status_text"])
        if code:
            found["status_code"] = code[0]
    return found


def own_text(cells: dict[str, str], address: str | None, cell: str) -> str:
    """One text each where there are as many as recipients, else the whole cell for all."""
    addresses = [part.strip() for part in cells.get("recipient_address", "").split(";") if part.strip()]
    texts = [part.strip() for part in custom_data.split(cell)]
    if address is not None and len(texts) == len(addresses):
        return texts[addresses.index(address)]
    return texts[0] if len(texts) == 1 else cell
