"""Defender's EmailEvents as NDJSON: streamed envelopes, Event Hubs wrappers and bare rows, also mixed in one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from poolsift.readers.base import Format
from poolsift.readers.batches import build_batches
from poolsift.readers.conversions import BadValue
from poolsift.readers.emailevents_row import USED, event_record
from poolsift.readers.json_lines import JsonLines
from poolsift.readers.rejects import RejectCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from poolsift.readers.base import ReadOptions, Row
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

#: What an envelope or wrapper holds; a row of another table in the same stream is none of ours.
ENVELOPE_KEYS: Final = ("properties", "records", "tenantId", "category")
CATEGORY: Final = "AdvancedHunting-EmailEvents"
#: Keys by which rows are recognised: the recipient and one of the senders.
_MARKS: Final = (b'"RecipientEmailAddress"', b'"SenderFromAddress"', b'"SenderMailFromAddress"')

#: The table's other columns, kept on demand: a fixed list, so that all batches have one schema.
OTHER_COLUMNS: Final = (
    "Timestamp", "NetworkMessageId", "InternetMessageId", "SenderMailFromAddress", "SenderFromAddress",
    "SenderDisplayName", "SenderObjectId", "SenderMailFromDomain", "SenderFromDomain", "SenderIPv4", "SenderIPv6",
    "RecipientEmailAddress", "RecipientObjectId", "Subject", "EmailClusterId", "EmailDirection", "DeliveryAction",
    "DeliveryLocation", "ThreatTypes", "ThreatNames", "DetectionMethods", "ConfidenceLevel", "BulkComplaintLevel",
    "EmailAction", "EmailActionPolicy", "EmailActionPolicyGuid", "AuthenticationDetails", "AttachmentCount",
    "UrlCount", "EmailLanguage", "Connectors", "OrgLevelAction", "OrgLevelPolicy", "UserLevelAction",
    "UserLevelPolicy", "ReportId", "AdditionalFields", "LatestDeliveryLocation", "LatestDeliveryAction",
    "OriginalThreatTypes", "OriginalDetectionMethods", "OriginalConfidenceLevel", "DistributionList",
    "ExchangeTransportRule", "ForwardingInformation", "Context", "To", "Cc", "ThreatClassification",
    "RecipientDomain", "EmailSize", "IsFirstContact", "Topics",
)  # fmt: skip


def sniff(head: bytes) -> bool:
    """True when the text begins with an object and its first rows name EmailEvents' own columns."""
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    return _MARKS[0] in head and any(mark in head for mark in _MARKS[1:])


def read(source: Source, report: FileReport, options: ReadOptions) -> Iterator[pa.RecordBatch]:
    """One record a row; each entry of an Event Hubs wrapper is a row."""
    lines = JsonLines(
        source.blocks(options.block_bytes), report, options, keys=(*ENVELOPE_KEYS, *USED), path=source.path
    )
    extra = OTHER_COLUMNS if options.extra else ()
    return build_batches(_records(lines, report, extra), report, options, extra)


def _records(
    lines: JsonLines, report: FileReport, extra: tuple[str, ...]
) -> Iterator[tuple[Row, Mapping[str, object]]]:
    for row in lines:
        line: Any = row.value
        if "records" not in line:
            entries = [line]
        elif isinstance(line["records"], list):
            entries = line["records"]
            report.rows += len(entries) - 1  # an empty wrapper is no row at all
        else:
            entries = [line["records"]]
        for entry in entries:
            try:
                tenant, properties = _unwrapped(entry)
                record = event_record(properties, tenant, report.field_error)
            except BadValue as bad:
                report.reject(
                    row=row.row, line=row.line, byte_offset=row.offset,
                    field=bad.field, code=bad.code, message=str(bad), raw=row.raw,
                )  # fmt: skip
                continue
            for name in extra:
                record[name] = _verbatim(properties.get(name))
            yield row, record


def _unwrapped(entry: object) -> tuple[object, dict[str, Any]]:
    """Tenant and columns of a row: of an envelope its properties, else the row itself."""
    if not isinstance(entry, dict):
        raise BadValue(RejectCode.NOT_OBJECT, "an object", entry)
    properties: object = entry
    if "properties" in entry:
        properties = entry["properties"]
        category = entry.get("category")
        if isinstance(category, str) and category.lower() != CATEGORY.lower():
            bad = BadValue(RejectCode.STRUCTURE, CATEGORY, category)
            bad.field = "category"
            raise bad
    if not isinstance(properties, dict):
        bad = BadValue(RejectCode.STRUCTURE, "an object with the row's columns", properties)
        bad.field = "properties"
        raise bad
    return entry.get("tenantId"), properties


def _verbatim(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


FORMAT = Format(
    name="emailevents",
    title="Defender EmailEvents (NDJSON)",
    where="streaming API of Microsoft Defender XDR (storage account or Event Hubs), or rows of the advanced hunting "
    "table EmailEvents written one object a line; role Security Reader",
    limits="no outbound address and no pool name; no d= of the signatures that passed; reason of a failure missing; "
    "needs Defender for Office 365 Plan 2; 30 days in the portal",
    predict=True,
    observe=False,
    folds=True,
    sniff=sniff,
    read=read,
)
