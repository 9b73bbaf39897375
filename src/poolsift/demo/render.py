"""Writes drawn messages as rows of an extended message trace, as EmailEvents lines and as canonical records."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from poolsift.demo.messages import Message

EXTENDED_COLUMNS = [
    "date_time_utc",
    "client_ip",
    "client_hostname",
    "server_ip",
    "server_hostname",
    "source_context",
    "connector_id",
    "source",
    "event_id",
    "internal_message_id",
    "message_id",
    "network_message_id",
    "recipient_address",
    "recipient_status",
    "total_bytes",
    "recipient_count",
    "related_recipient_address",
    "reference",
    "message_subject",
    "sender_address",
    "return_path",
    "message_info",
    "directionality",
    "tenant_id",
    "original_client_ip",
    "original_server_ip",
    "custom_data",
]


def extended_rows(message: Message, dice: random.Random) -> Iterator[dict[str, str]]:
    """The rows one mail leaves: received, looked at by the agents, forwarded perhaps, sent or failed; one send row a recipient."""
    arrived_for = [message.inbound_for] if message.inbound_for else message.recipients
    yield _receive(message, arrived_for)
    yield _agent(message, arrived_for)
    for filler in range(dice.randrange(1, 4)):
        yield _row(message, 2 + filler, "ROUTING", "HAREDIRECT" if filler else "RESOLVE", arrived_for)
    if message.kind == "ndr":
        yield _row(message, 5, "DSN", "DSN", message.recipients)
    if message.inbound_for:
        related = {"related_recipient_address": message.inbound_for}
        yield _row(message, 5, "MAILBOXRULE", "REDIRECT", message.recipients, **related)
    for recipient in message.recipients:
        yield _leaves(message, recipient)


def _row(message: Message, second: int, source: str, event: str, recipients: list[str], **cells: str) -> dict[str, str]:
    when = message.time + timedelta(seconds=second)
    return {
        **dict.fromkeys(EXTENDED_COLUMNS, ""),
        "date_time_utc": when.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z",
        "source": source,
        "event_id": event,
        "internal_message_id": str(int(message.network_message_id[:8], 16)),
        "message_id": message.message_id,
        "network_message_id": message.network_message_id.replace("-", ""),
        "recipient_address": ";".join(recipients),
        "total_bytes": str(message.size),
        "recipient_count": str(len(recipients)),
        "message_subject": message.subject,
        "sender_address": message.header_from,
        "return_path": message.reverse_path(recipients),
        "directionality": "Incoming" if message.direction == "Inbound" or message.inbound_for else "Originating",
        "tenant_id": message.tenant_id,
        "original_client_ip": message.client_ip or "",
        **cells,
    }


def _receive(message: Message, recipients: list[str]) -> dict[str, str]:
    source = "STOREDRIVER" if message.submitted else "SMTP"
    return _row(
        message, 0, source, "RECEIVE", recipients,
        client_ip=message.client_ip or "", client_hostname=message.helo or "", connector_id=message.connector or "",
        server_hostname="AM0PR01MB0001.eurprd01.prod.example",
    )  # fmt: skip


def _agent(message: Message, recipients: list[str]) -> dict[str, str]:
    verdict = "SPM" if message.spam else "NSPM"
    # the filter names a pool number only where it judged mail on its way out
    sfp = f"DI=SN|SFP={message.sfp}" if message.direction == "Outbound" else "DI="
    agent = f"SUM|SFV={verdict}|IPV=NLI|SRV=|SFS=13230040|SCL={9 if message.spam else 1}|SCORE=-1|LIST=0|{sfp}"
    data = f"S:AMA=SUM|v=1|action=|error=|atch=0;S:SFA={agent}|LANG=en;S:CompCost=|ETR=0;S:DeliveryPriority=Normal"
    return _row(message, 1, "AGENT", "AGENTINFO", recipients, custom_data=data)


def _leaves(message: Message, recipient: str) -> dict[str, str]:
    if message.status == "failed":
        text = (
            f"[{{LED={message.reply}}};{{MSG=}};{{FQDN=mx.{recipient.rpartition('@')[2]}}};{{IP=192.0.2.25}};{{LRT=}}]"
        )
        return _row(message, 9, "SMTP", "FAIL", [recipient], recipient_status=text)
    if message.pool_name is None:
        return _row(message, 9, "STOREDRIVER", "DELIVER", [recipient], recipient_status="250 2.0.0 OK")
    data = f"S:OutboundIpPoolName={message.pool_name};S:DeliveryPriority=Normal;S:tlsversion=SP_PROT_TLS1_3_CLIENT"
    cells = {"server_ip": "192.0.2.25", "server_hostname": f"mx.{recipient.rpartition('@')[2]}", "custom_data": data}
    return _row(message, 9, "SMTP", "SEND", [recipient], recipient_status="250 2.0.0 OK", **cells)


def emailevents_lines(message: Message) -> Iterator[bytes]:
    """The rows of one mail as a diagnostic setting streams them; a forward has its inbound row and its outbound one."""
    if message.inbound_for:
        yield _event(message, message.inbound_for, "Inbound")
    for recipient in message.recipients:
        yield _event(message, recipient, message.direction)


def _event(message: Message, recipient: str, direction: str) -> bytes:
    inbound = direction == "Inbound"
    path = message.reverse_path([recipient])
    # outbound rows of forwarded mail carry no authentication: it stands on the inbound row
    stamped = message.dkim is not None and (inbound or not message.inbound_for)
    details = {"SPF": message.spf, "DKIM": message.dkim, "DMARC": message.dmarc, "CompAuth": "none"}
    details = {name: word for name, word in details.items() if word is not None}
    stamp = message.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    failed = message.status == "failed"
    properties: dict[str, Any] = {
        "Timestamp": stamp,
        "NetworkMessageId": message.network_message_id,
        "InternetMessageId": message.message_id,
        "SenderMailFromAddress": path,
        "SenderFromAddress": message.header_from,
        "SenderDisplayName": message.header_from.partition("@")[0],
        "SenderObjectId": message.tenant_id if message.submitted else None,
        "SenderMailFromDomain": path.rpartition("@")[2],
        "SenderFromDomain": message.header_from.rpartition("@")[2],
        "SenderIPv4": message.client_ip,
        "SenderIPv6": None,
        "RecipientEmailAddress": recipient,
        "Subject": message.subject,
        "EmailDirection": direction,
        "DeliveryAction": "Blocked" if failed else "Delivered",
        "DeliveryLocation": "Failed" if failed else "Inbox/folder" if inbound else "On-premises/external",
        "ThreatTypes": "Spam" if message.spam else None,
        "AuthenticationDetails": orjson.dumps(details).decode() if stamped else None,
        "AttachmentCount": 0,
        "UrlCount": len(message.subject),
        "EmailLanguage": "en",
        "Connectors": message.connector,
        "To": [recipient],
        "Cc": [],
        "EmailSize": message.size,
        "ForwardingInformation": None,
        "ReportId": f"{message.network_message_id}-1",
    }
    envelope = {
        "time": stamp, "tenantId": message.tenant_id, "operationName": "Publish", "category": "AdvancedHunting-EmailEvents",
        "properties": properties, "Tenant": "DefaultTenant",
    }  # fmt: skip
    return orjson.dumps(envelope) + b"\r\n"


def canonical_rows(message: Message) -> Iterator[dict[str, Any]]:
    """The mail as finished records, one a recipient: what an ETL job hands over."""
    for recipient in message.recipients:
        yield {
            "time": message.time,
            "tenant_id": message.tenant_id,
            "message_id": message.message_id,
            "network_message_id": message.network_message_id,
            "kind": message.kind,
            "direction": {"Outbound": "outbound", "Inbound": "inbound", "Intra-org": "internal"}[message.direction],
            "mail_from": message.mail_from,
            "header_from": message.header_from,
            "recipient": recipient,
            "client_ip": message.client_ip,
            "helo": message.helo,
            "source_ip": message.source_ip,
            "outbound_ip_pool_name": message.pool_name,
            "sfp": message.sfp if message.pool_name else None,
            "spf": message.spf,
            "dkim": message.dkim,
            "dmarc": message.dmarc,
            "dkim_domain": message.header_from.rpartition("@")[2] if message.dkim == "pass" else None,
            "spam": message.spam,
            "forwarded": bool(message.inbound_for),
            "submitted": message.submitted,
            "status": message.status,
            "status_code": message.reply.split()[1] if message.reply else None,
            "status_text": message.reply,
            "connector": message.connector,
        }
