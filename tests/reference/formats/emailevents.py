"""Twin of the EmailEvents reader: envelopes, Event Hubs wrappers and bare rows, one a line (contract, section 1)."""

import json
from typing import Any

from tests.reference.formats.canonical import Rejected, checked, strict
from tests.reference.formats.csv_table import has_controls
from tests.reference.formats.reports import has_srs, is_report
from tests.reference.formats.times import parse_time

PLAIN = {
    "NetworkMessageId": "network_message_id",
    "InternetMessageId": "message_id",
    "SenderMailFromAddress": "mail_from",
    "SenderFromAddress": "header_from",
    "RecipientEmailAddress": "recipient",
    "Connectors": "connector",
}
DIRECTIONS = {"inbound": "inbound", "outbound": "outbound", "intra-org": "internal"}
LOCATIONS = {
    "quarantine": "quarantined",
    "failed": "failed",
    "dropped": "dropped",
    **dict.fromkeys(("inbox/folder", "on-premises/external", "junk folder", "deleted items"), "delivered"),
}


def read(data: bytes) -> list[dict[str, Any]]:
    """The entries of a wrapper share the number of its line."""
    records = []
    lines = [line for line in data.decode().removeprefix("\ufeff").split("\n") if line.strip(" \t\r")]
    for number, line in enumerate(lines, 1):
        for tenant, row in unwrapped(line):
            record = None if row is None else row_record(row, tenant)
            if record is not None:
                records.append({"row": number, **record})
    return records


def unwrapped(line: str) -> list[tuple[str | None, dict[str, Any] | None]]:
    """(tenant, row) of a line; a row of None is rejected."""
    try:
        value = checked(json.loads(line, object_pairs_hook=unique, parse_constant=strict))
    except (Rejected, ValueError):
        return [(None, None)]
    if not isinstance(value, dict):
        return [(None, None)]
    if isinstance(value.get("records"), list):
        return [one(entry) for entry in value["records"]]
    return [one(value)]


def one(value: Any) -> tuple[str | None, dict[str, Any] | None]:
    """An envelope opened; a bare row as it stands."""
    if not isinstance(value, dict):
        return None, None
    tenant = value.get("tenantId") or value.get("TenantId")
    inner = value.get("properties", value)
    return tenant, inner if isinstance(inner, dict) else None


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs if name[:1].isupper()]
    if len(names) != len(set(names)):
        raise Rejected
    return dict(pairs)


def row_record(row: dict[str, Any], tenant: str | None) -> dict[str, Any] | None:
    """None where a value of a wrong type or a control character rejects the row."""
    texts = (*PLAIN, "Timestamp", "SenderIPv4", "SenderIPv6", "EmailDirection", "DeliveryAction", "DeliveryLocation")
    for name in texts:
        value = row.get(name)
        if value is not None and (not isinstance(value, str) or has_controls(value)):
            return None
    moment = parse_time(row["Timestamp"]) if row.get("Timestamp") else None
    if row.get("Timestamp") and moment is None:
        return None
    record: dict[str, Any] = {column: row[name] for name, column in PLAIN.items() if row.get(name)}
    if moment is not None:
        record["time"] = moment
    if tenant:
        record["tenant_id"] = tenant
    direction = DIRECTIONS.get((row.get("EmailDirection") or "").lower())
    if direction:
        record["direction"] = direction
    address = row.get("SenderIPv4") or row.get("SenderIPv6")
    if direction == "inbound" and address:
        record["client_ip"] = address
    return record | state(row) | spam(row) | authentication(row) | sender_signs(row)


def state(row: dict[str, Any]) -> dict[str, Any]:
    """Where it ended: the place decides, then the action."""
    place, action = (row.get("DeliveryLocation") or "").lower(), (row.get("DeliveryAction") or "").lower()
    if place in LOCATIONS:
        return {"status": LOCATIONS[place]}
    if action in {"delivered", "replaced", "junked"}:
        return {"status": "delivered"}
    return {}


def spam(row: dict[str, Any]) -> dict[str, Any]:
    """OriginalThreatTypes where present, else ThreatTypes; null is no threat, an absent column not recorded."""
    name = "OriginalThreatTypes" if row.get("OriginalThreatTypes") else "ThreatTypes"
    if name not in row or row.get("EmailDirection") in {"Inbound", "Intra-org"}:
        return {}
    threats = {threat.strip().lower() for threat in (row[name] or "").split(",")} - {""}
    if threats & {"spam", "phish"}:
        return {"spam": True}
    return {} if threats else {"spam": False}


def authentication(row: dict[str, Any]) -> dict[str, Any]:
    """AuthenticationDetails, an object written as text; what submission stamped on a mailbox's mail says nothing."""
    try:
        details = json.loads(row.get("AuthenticationDetails") or "null")
    except ValueError:
        return {}
    if not isinstance(details, dict):
        return {}
    words = {name.lower(): word for name, word in details.items()}
    found = {name: words[name].lower() for name in ("spf", "dkim", "dmarc") if words.get(name)}
    if row.get("SenderObjectId") and found.get("spf", "none") == found.get("dkim", "none") == "none":
        return {}
    return found


def sender_signs(row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    without_client = not row.get("SenderIPv4") and not row.get("SenderIPv6")
    senders = (row.get("SenderFromAddress"), row.get("SenderMailFromAddress"))
    if without_client and any(is_report(sender, row.get("Subject")) for sender in senders):
        found["kind"] = "ndr"
    if row.get("SenderObjectId"):
        found["submitted"] = True
    if row.get("ForwardingInformation") not in {None, "", "[]"} or has_srs(row.get("SenderMailFromAddress")):
        found["forwarded"] = True
    return found
