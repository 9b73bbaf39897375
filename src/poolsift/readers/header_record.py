"""One message's headers as one record: which header speaks for which column.

Columns without a header that speaks for them stay None (not recorded): ``status`` and its code
among them, since a header does not say what became of the message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from poolsift.readers.antispam_report import AntispamReport, parse_antispam_report
from poolsift.readers.header_dates import header_date
from poolsift.readers.header_kind import message_kind
from poolsift.readers.header_route import counting_stamp, find_route
from poolsift.readers.header_sender import find_sender
from poolsift.readers.header_source import source_address
from poolsift.readers.srs_mark import has_srs
from poolsift.records import DKIM_WORDS, SPF_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from poolsift.readers.authentication_results import AuthenticationResults
    from poolsift.readers.header_fields import HeaderFields
    from poolsift.readers.header_route import Route

#: Fields that a forwarding rule, a forwarding mailbox or the relay filter leaves behind.
_FORWARD_FIELDS: Final = (
    "x-ms-exchange-forwardingloop",
    "x-ms-exchange-inbox-rules-loop",
    "x-externalrecipientoutboundconnectors",
    "resent-from",
)
_NETWORK_ID_FIELDS: Final = (
    "x-ms-exchange-crosstenant-network-message-id",
    "x-ms-exchange-organization-network-message-id",
    "x-ms-office365-filtering-correlation-id",
)
_CONNECTING_IP: Final = "x-ms-exchange-crosstenant-originalattributedtenantconnectingip"
_SENDER_AD_CHECK: Final = {"1": True, "0": False, "2": False}
_AUTH_AS: Final = {"internal": True, "anonymous": False}
_DIRECTIONS: Final = {"OUT": "outbound", "INB": "inbound", "INT": "internal"}
_PAIR: Final = re.compile(r"\b(ip|helo)=\[(\[?[^\[\]\s]*\]?)\]", re.IGNORECASE)
_TENANT: Final = re.compile(r"\btenantid=([0-9a-f-]{36})\b", re.IGNORECASE)


def header_record(fields: HeaderFields, suffixes: Sequence[str], field_error: Callable[[str], None]) -> dict[str, Any]:
    """The columns that the fields of one message record, the others left out.

    ``suffixes`` are those of Microsoft 365's outbound hosts; ``field_error`` is told the column
    of each value that was found and not understood.
    """
    route = find_route(fields, suffixes)
    stamp = counting_stamp(fields, route)
    sender = find_sender(fields, route, stamp)
    if sender.rewritten:
        field_error("header_from")
    record: dict[str, Any] = {
        "time": _time(fields, route),
        "tenant_id": _tenant_id(fields, route.position),
        "message_id": fields.first("message-id", route.position),
        "network_message_id": _first_of(fields, _NETWORK_ID_FIELDS, route.position),
        "kind": message_kind(fields, route.position, sender.mail_from),
        "mail_from": sender.mail_from,
        "header_from": sender.header_from,
        "accepted": _word(
            fields, route.position, "x-ms-exchange-senderadcheck", _SENDER_AD_CHECK, "accepted", field_error
        ),
        "submitted": _word(
            fields, route.position, "x-ms-exchange-crosstenant-authas", _AUTH_AS, "submitted", field_error
        ),
        "connector": fields.first("x-externalrecipientoutboundconnectors", route.position),
    }
    if route.outbound is not None:
        hop = route.outbound.hop
        record["outbound_host"] = hop.host_under(suffixes)
        record["outbound_ip"] = hop.address
        record["recipient"] = hop.recipient
    report = _antispam_report(fields, route)
    record |= _filter_columns(report)
    record |= _client_columns(fields, route, stamp, report)
    record |= _authentication_columns(stamp, field_error)
    record["forwarded"] = True if _is_forwarded(fields, route.position, sender.mail_from) else None
    return {column: value for column, value in record.items() if value is not None and value != ""}


def _tenant_id(fields: HeaderFields, after: int) -> str | None:
    """The tenant that Microsoft 365 held responsible; both fields name the same one."""
    if named := fields.first("x-ms-exchange-crosstenant-id", after):
        return named
    match = _TENANT.search(fields.first(_CONNECTING_IP, after) or "")
    return match.group(1) if match else None


def _first_of(fields: HeaderFields, names: Sequence[str], after: int) -> str | None:
    return next((value for name in names if (value := fields.first(name, after))), None)


def _word(
    fields: HeaderFields,
    after: int,
    name: str,
    words: dict[str, bool],
    column: str,
    field_error: Callable[[str], None],
) -> bool | None:
    value = fields.first(name, after)
    if not value:
        return None
    if value.lower() not in words:
        field_error(column)
    return words.get(value.lower())


def _time(fields: HeaderFields, route: Route) -> datetime | None:
    """When the outbound hop took it, else when it came to Microsoft 365, else when it was written."""
    if route.outbound is not None and route.outbound.hop.time is not None:
        return route.outbound.hop.time
    arrival = _date(fields, "x-ms-exchange-crosstenant-originalarrivaltime", route.position)
    if arrival is None and route.entry is not None:
        arrival = route.entry.hop.time
    return arrival or _date(fields, "date", route.position)


def _date(fields: HeaderFields, name: str, position: int) -> datetime | None:
    value = fields.first(name, position)
    return None if value is None else header_date(value)


def _antispam_report(fields: HeaderFields, route: Route) -> AntispamReport | None:
    """The report of outbound mail below the hop, else, without a hop, the topmost report."""
    reports = [
        parse_antispam_report(field.value) for field in fields.all("x-forefront-antispam-report", route.position)
    ]
    outbound = next((report for report in reports if report.direction == "OUT"), None)
    if outbound is not None or route.outbound is not None:
        # Of a message that was seen to leave, another direction is that of a different passage.
        return outbound
    return reports[0] if reports else None


def _filter_columns(report: AntispamReport | None) -> dict[str, Any]:
    if report is None:
        return {}
    outbound = report.direction == "OUT"
    return {
        "direction": _DIRECTIONS.get(report.direction or ""),
        "sfp": report.sfp if outbound else None,
        "spam": report.spam if outbound else None,
    }


def _client_columns(
    fields: HeaderFields, route: Route, stamp: AuthenticationResults | None, report: AntispamReport | None
) -> dict[str, Any]:
    """The host that handed the message to Microsoft 365, and the one before it."""
    named = {key.lower(): value for key, value in _PAIR.findall(fields.first(_CONNECTING_IP, route.position) or "")}
    entry = route.entry.hop if route.entry else None
    client = (
        named.get("ip")
        or (stamp.spf_client_address if stamp else None)
        or (report.client_ip if report else None)
        or (entry.address if entry else None)
    )
    return {
        "client_ip": client,
        "helo": named.get("helo") or (entry.helo if entry else None),
        "source_ip": source_address(fields, route, client),
    }


def _authentication_columns(stamp: AuthenticationResults | None, field_error: Callable[[str], None]) -> dict[str, Any]:
    if stamp is None:
        return {}
    return {
        "spf": _result_word(stamp.spf, SPF_WORDS, "spf", field_error),
        "dkim": _result_word(stamp.dkim, DKIM_WORDS, "dkim", field_error),
        "dmarc": stamp.dmarc,
        "dkim_domain": ",".join(stamp.dkim_domains),
    }


def _result_word(
    word: str | None, vocabulary: Sequence[str], column: str, field_error: Callable[[str], None]
) -> str | None:
    if word is None or word in vocabulary:
        return word
    field_error(column)
    return None


def _is_forwarded(fields: HeaderFields, after: int, mail_from: str | None) -> bool:
    """True by explicit evidence; ``AntiSpam-Relay: 0`` stands on mail forwarded with SRS too."""
    if fields.first("x-ms-exchange-antispam-relay", after) == "1":
        return True
    if any(fields.has(name, after) for name in _FORWARD_FIELDS):
        return True
    sources = fields.all("x-ms-exchange-generated-message-source", after)
    if any("mailbox rules agent" in field.value.lower() for field in sources):
        return True
    return mail_from is not None and has_srs(mail_from)
