"""What one row of a message tracking log says about a message: only what is true of this row.

Rows of one message are folded later, so a row records nothing that belongs to another hop: the ``client_ip`` of a
SEND row is Microsoft's own, its ``server_ip`` is the destination; neither is a fact of ours.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from poolsift.readers import custom_data
from poolsift.readers.antispam_report import parse_filter_summary
from poolsift.readers.directionality import UNRECORDED
from poolsift.readers.failure_text import enhanced_code, is_failure_text
from poolsift.readers.ndr_subject import is_ndr_subject, is_report_sender, other_report
from poolsift.readers.srs_mark import has_srs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from poolsift.readers.antispam_report import AntispamReport
    from poolsift.readers.directionality import Directionality

#: event_id → status of the recipients that the row names. Events that are steps on the way say nothing.
EVENT_STATUS = MappingProxyType(
    {
        "SEND": "delivered",
        "SENDEXTERNAL": "delivered",
        "DELIVER": "delivered",
        "FAIL": "failed",
        "SUBMITFAIL": "failed",
        "BADMAIL": "failed",
        "EXPAND": "expanded",
        "DROP": "dropped",
        "QUARANTINE": "quarantined",
        "DEFER": "pending",
        "SUBMITDEFER": "pending",
        "RESUBMITDEFER": "pending",
    }
)

#: Events that give the message a new recipient outside its own list. HAREDIRECT is none: it copies for safety.
REDIRECT_EVENTS = frozenset({"REDIRECT", "DUPLICATEREDIRECT"})
#: The transport rule action that does the same.
REDIRECT_ACTION = "redirectmessage"

#: Hosts between which Microsoft 365 hands a message on; a RECEIVE row that names one as client is an inner hop.
INNER_HOSTS = (
    ".prod.outlook.com",
    ".prod.exchangelabs.com",
    ".prod.protection.outlook.com",
    ".mail.protection.outlook.com",
    ".prod.partner.outlook.cn",
    ".prod.office365.us",
)
#: Receive connectors of the servers themselves, ``SERVER\Default …``; the tenant's have a name without server.
INNER_CONNECTORS = ("default", "client ", "outbound proxy")

#: In source_context of a mailbox submission: what kind of item it was (lower case).
MESSAGE_CLASS = "messageclass:"
#: Message class (lower case) begins or ends with … → kind. Ordinary notes say nothing about automatic mail.
CLASS_BEGINS = (
    ("ipm.note.rules.ooftemplate", "auto_reply"),
    ("ipm.note.rules.replytemplate", "auto_reply"),
    ("ipm.note.rules.externalooftemplate", "auto_reply"),
)
CLASS_ENDS = ((".ndr", "ndr"), (".delayed", "delay"), (".ipnrn", "receipt"), (".ipnnrn", "receipt"), (".dr", "receipt"))

#: DI values of the spam filter that speak of sending: routed to the normal or to the high-risk pool.
SENDING_DISPOSITIONS = frozenset({"SN", "SO"})


def connection(cells: Mapping[str, str | None], source: str, event: str) -> dict[str, object]:
    """The columns client_ip, helo and connector: who handed the message to Microsoft 365.

    original_client_ip is about the message and counts on every row; the row's own client counts where SMTP received
    the message from outside.
    """
    original, client, host = cells["original_client_ip"], cells["client_ip"], cells["client_hostname"]
    found: dict[str, object] = {}
    if original is not None:
        found["client_ip"] = original
    if event != "RECEIVE" or source != "SMTP":
        return found
    if host is not None and host.lower().rstrip(".").endswith(INNER_HOSTS):
        return found
    if client is not None and original in {None, client}:
        found["client_ip"] = client
        if host is not None:
            found["helo"] = host
    connector = cells["connector_id"]
    if connector is not None and not _is_inner_connector(connector):
        found["connector"] = connector
    return found


def _is_inner_connector(name: str) -> bool:
    server, separator, own = name.rpartition("\\")
    return bool(server and separator) and own.lower().startswith(INNER_CONNECTORS)


def filter_verdict(data: str, directionality: Directionality) -> dict[str, object]:
    """The columns sfp and spam of the spam filter's entry in custom_data.

    The filter names a pool number (SFP) when it judges mail on its way out, so a report with one is an outbound
    verdict whatever the message's origin. Without one it is outbound only where the message did not come from
    outside, or, where the origin is not recorded, where its disposition is a sending one.
    """
    reports = [parse_filter_summary(value) for value in custom_data.values(data, custom_data.SPAM_FILTER_KEY)]
    reports = [report for report in reports if report.direction in {None, "OUT"}]
    if not reports:
        return {}
    report = next((each for each in reports if each.sfp is not None), reports[0])
    found: dict[str, object] = {}
    if report.sfp is not None:
        found["sfp"] = report.sfp
    if _is_outbound(report, directionality) and report.spam is not None:
        found["spam"] = report.spam
    return found


def _is_outbound(report: AntispamReport, directionality: Directionality) -> bool:
    if report.sfp is not None or directionality.inbound is False:
        return True
    return directionality.inbound is None and report.disposition in SENDING_DISPOSITIONS


def kind(cells: Mapping[str, str | None], source: str, event: str) -> str | None:
    """The kind of message where the row tells it.

    A DSN row is about the report or about the mail that caused it; it is the report that has the null reverse-path
    or, where that is not recorded, the sender of Exchange's reports.
    """
    context = (cells["source_context"] or "").lower()
    if source == "AGENT" and event == "RECEIVE" and "journal" in context:
        return "journal"
    if MESSAGE_CLASS in context:
        found = _kind_of_class(context)
        if found is not None:
            return found
    path = cells["return_path"]
    sender = cells["sender_address"] if path is None else path
    if path != "<>" and (sender is None or not is_report_sender(sender)):
        return None
    subject, author = cells["message_subject"], cells["sender_address"]
    if "DSN" in {source, event}:
        return (None if subject is None else other_report(subject)) or "ndr"
    if subject is not None and author is not None and is_report_sender(author) and is_ndr_subject(subject):
        return "ndr"
    return None


def _kind_of_class(context: str) -> str | None:
    item = context.partition(MESSAGE_CLASS)[2].partition(",")[0].strip()
    for beginning, word in CLASS_BEGINS:
        if item.startswith(beginning):
            return word
    if item.startswith("report."):
        for ending, word in CLASS_ENDS:
            if item.endswith(ending):
                return word
    return None


def is_forwarded(cells: Mapping[str, str | None], source: str, event: str) -> bool:
    """Whether the row is evidence that the message was forwarded to the recipients that it names.

    A message made by an inbox rule with a null reverse-path is an automatic reply, not a forward.
    """
    if event in REDIRECT_EVENTS:
        return True
    path = cells["return_path"]
    if source == "MAILBOXRULE" and path != "<>":
        return True
    if event == "EXPAND" and cells["related_recipient_address"] is not None:
        return True
    if path is not None and has_srs(path):
        return True
    data = cells["custom_data"]
    return data is not None and any(
        REDIRECT_ACTION in value.lower() for value in custom_data.values(data, custom_data.TRANSPORT_RULE_KEY)
    )


def failure(cells: Mapping[str, str | None], text: str | None) -> dict[str, object]:
    """The columns status_text and status_code of failed recipients; ``text`` is what recipient_status says."""
    context = cells["source_context"]
    if text is None and context is not None and is_failure_text(context):
        text = context
    code = None if text is None else enhanced_code(text)
    data = cells["custom_data"]
    if code is None and data is not None:
        code = custom_data.first_value(data, custom_data.STATUS_CODE_KEY)
    return {"status_text": text, "status_code": code}


def message(
    cells: Mapping[str, str | None], source: str, event: str, directionality: Directionality = UNRECORDED
) -> dict[str, object]:
    """What the row says about the message, the same for each of its recipients; a missing key is not recorded."""
    author = cells["sender_address"]
    found: dict[str, object] = {
        "tenant_id": cells["tenant_id"],
        "message_id": cells["message_id"],
        "network_message_id": cells["network_message_id"],
        "mail_from": cells["return_path"],
        "header_from": None if author == "<>" else author,
        "direction": directionality.direction,
        "kind": kind(cells, source, event),
    }
    found.update(connection(cells, source, event))
    data = cells["custom_data"]
    if data is not None:
        found.update(filter_verdict(data, directionality))
        found["outbound_ip_pool_name"] = custom_data.first_value(data, custom_data.POOL_NAME_KEY)
    if is_forwarded(cells, source, event):
        found["forwarded"] = True
    elif event == "CLIENTSUBMISSION" or (source == "STOREDRIVER" and event in {"SUBMIT", "RECEIVE"}):
        found["submitted"] = True
    return found
