"""What one row of EmailEvents says. An empty text counts as not recorded in every column, as null does."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from poolsift.readers.conversions import BadValue, inner_json, recorded_text, timestamp
from poolsift.readers.ndr_subject import is_ndr_subject, is_postmaster
from poolsift.readers.rejects import RejectCode
from poolsift.readers.srs_mark import has_srs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Column → field, for the texts that are taken as they stand.
TEXTS: Final = (
    ("message_id", "InternetMessageId"),
    ("network_message_id", "NetworkMessageId"),
    ("mail_from", "SenderMailFromAddress"),
    ("header_from", "SenderFromAddress"),
    ("recipient", "RecipientEmailAddress"),
)
#: Time of the row; workspaces of Log Analytics have the second one only.
TIMES: Final = ("Timestamp", "TimeGenerated")
#: Every field that is read.
USED: Final = (
    *(field for _, field in TEXTS), *TIMES, "SenderIPv4", "SenderIPv6", "SenderObjectId", "Subject", "EmailDirection",
    "DeliveryAction", "DeliveryLocation", "ThreatTypes", "OriginalThreatTypes", "AuthenticationDetails", "Connectors",
    "ForwardingInformation", "ExchangeTransportRule",
)  # fmt: skip

DIRECTIONS: Final = MappingProxyType(
    {"inbound": "inbound", "outbound": "outbound", "intra-org": "internal", "intraorg": "internal"}
)

#: Where the message ended, lower case → status. The junk folder is a delivery.
LOCATIONS: Final = MappingProxyType(
    {
        "inbox/folder": "delivered",
        "inbox": "delivered",
        "on-premises/external": "delivered",
        "junk folder": "delivered",
        "junk": "delivered",
        "deleted items": "delivered",
        "deleted items folder": "delivered",
        "quarantine": "quarantined",
        "failed": "failed",
        "dropped": "dropped",
    }
)
#: What was done with it, where the location is not known. Blocked may be quarantined, failed or dropped.
ACTIONS: Final = MappingProxyType({"delivered": "delivered", "junked": "delivered", "replaced": "delivered"})

#: Verdicts for which outbound mail is spam, and one that says nothing about it.
SPAM_THREATS: Final = frozenset({"spam", "phish"})
OTHER_THREATS: Final = frozenset({"malware"})

#: Result columns → key of AuthenticationDetails, lower case.
RESULTS: Final = ("spf", "dkim", "dmarc")
#: The transport rule action that is evidence of forwarding, wherever the rule's description names it.
REDIRECT_ACTION: Final = "redirectmessage"


def event_record(row: Mapping[str, Any], tenant: object, field_error: Callable[[str], None]) -> dict[str, Any]:
    """The record of one row. BadValue, which names the field, for a value of a type that the field cannot have."""
    record: dict[str, Any] = {column: _text(row, field) for column, field in TEXTS}
    record["tenant_id"] = _checked(recorded_text, tenant, "tenantId")
    stamp = row.get("Timestamp")
    record["time"] = _checked(timestamp, row.get("TimeGenerated") if stamp is None else stamp, "Timestamp")
    direction = _direction(row, field_error)
    record["direction"] = direction
    client = _text(row, "SenderIPv4") or _text(row, "SenderIPv6")
    if direction == "inbound":
        record["client_ip"] = client
    record["connector"] = _joined(row, "Connectors")
    record["status"] = _status(row, field_error)
    if direction in {None, "outbound"}:
        record["spam"] = _spam(row, field_error)
    if _text(row, "SenderObjectId") is not None:
        record["submitted"] = True
    record |= _authentication(row, field_error, submitted="submitted" in record)
    if client is None and _is_ndr(row, record):
        record["kind"] = "ndr"
    if _is_forwarded(row, record["mail_from"]):
        record["forwarded"] = True
    return record


def _checked(convert: Callable[[object], Any], value: object, field: str) -> Any:
    try:
        return convert(value)
    except BadValue as bad:
        bad.field = field
        raise


def _text(row: Mapping[str, Any], field: str) -> str | None:
    value = row.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    bad = BadValue(RejectCode.TYPE, "a text", value)
    bad.field = field
    raise bad


def _joined(row: Mapping[str, Any], field: str) -> str | None:
    """A text, or a list of texts joined by ``,``."""
    value = row.get(field)
    if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
        return ",".join(value) or None
    return _text(row, field)


def _direction(row: Mapping[str, Any], field_error: Callable[[str], None]) -> str | None:
    word = _text(row, "EmailDirection")
    if word is None:
        return None
    direction = DIRECTIONS.get(word.lower())
    if direction is None:
        field_error("direction")
    return direction


def _status(row: Mapping[str, Any], field_error: Callable[[str], None]) -> str | None:
    """Where the message ended, else what was done with it.

    Not LatestDeliveryLocation: what was done to a mailbox afterwards is no matter of sending.
    """
    location, action = _text(row, "DeliveryLocation"), _text(row, "DeliveryAction")
    status = None if location is None else LOCATIONS.get(location.lower())
    if status is None and location is not None and location.lower() not in {"unknown", "none"}:
        field_error("status")
    return status or (None if action is None else ACTIONS.get(action.lower()))


def _spam(row: Mapping[str, Any], field_error: Callable[[str], None]) -> bool | None:
    """The outbound verdict; rows of inbound and internal mail hold another filter's and are not asked.

    The original verdict, where one is recorded, stands before a later one; an empty one says only that there was none.
    ThreatTypes recorded as nothing means that nothing was found; a row without that column says nothing.
    """
    threats = _joined(row, "OriginalThreatTypes") or _joined(row, "ThreatTypes")
    if threats is None:
        return False if "ThreatTypes" in row else None
    words = {word.strip().lower() for word in threats.split(",")} - {""}
    if words & SPAM_THREATS:
        return True
    if words - OTHER_THREATS:
        field_error("spam")
    return None


def _authentication(
    row: Mapping[str, Any], field_error: Callable[[str], None], *, submitted: bool
) -> dict[str, str | None]:
    """The columns spf, dkim and dmarc of AuthenticationDetails, a JSON text (an object is taken too).

    Mail that a mailbox of the tenant submitted is stamped at submission, where ``none`` means that nothing was
    checked: if SPF and DKIM are both ``none`` there, nothing is recorded.
    """
    value = row.get("AuthenticationDetails")
    if value is None or value == "":
        return {}
    if not isinstance(value, str | dict):
        bad = BadValue(RejectCode.TYPE, "a JSON text", value)
        bad.field = "AuthenticationDetails"
        raise bad
    details = inner_json(value)
    if not isinstance(details, dict):
        field_error("AuthenticationDetails")
        return {}
    words = {key.lower(): word.lower() for key, word in details.items() if isinstance(word, str)}
    found = {column: words.get(column) or None for column in RESULTS}
    if submitted and found["spf"] in {None, "none"} and found["dkim"] in {None, "none"}:
        return {}
    return found


def _is_ndr(row: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether a row without client address is a non-delivery report, as in message traces."""
    subject = _text(row, "Subject")
    if subject is None or not is_ndr_subject(subject):
        return False
    senders = (record["mail_from"], record["header_from"])
    return any(sender is not None and is_postmaster(sender) for sender in senders)


def _is_forwarded(row: Mapping[str, Any], mail_from: str | None) -> bool:
    """Whether the row names who forwarded the message, a rule that redirected it, or an SRS reverse-path."""
    forwarding = row.get("ForwardingInformation")
    if forwarding is not None and forwarding not in ("", "[]", "{}", "null", [], {}):
        return True
    rule = row.get("ExchangeTransportRule")
    if rule is not None and REDIRECT_ACTION in str(rule).replace(" ", "").lower():
        return True
    return mail_from is not None and has_srs(mail_from)
