"""What kind of message a header describes: an ordinary one, a report, an automatic reply."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from poolsift.readers.header_addresses import NULL_REVERSE_PATH
from poolsift.readers.ndr_subject import other_report

if TYPE_CHECKING:
    from poolsift.readers.header_fields import HeaderFields

_REPORT_TYPE = re.compile(r"^multipart/report\b.*?;\s*report-type\s*=\s*\"?([a-z-]+)", re.IGNORECASE)
# Delivery status reports that are no failure say so in the subject alone: what became of each
# recipient stands in the body, which is not read. Words of Postfix, Exim and sendmail.
_DELAY_SUBJECT = re.compile(r"(mail )?delivery delay|delayed mail|warning: (message|could not send)", re.IGNORECASE)
_SUCCESS_SUBJECT = re.compile(r"successful mail delivery|return receipt", re.IGNORECASE)


def message_kind(fields: HeaderFields, after: int, mail_from: str | None) -> str | None:
    """The kind, by the fields below position ``after``; None where too few fields are kept to tell.

    That is so for a null reverse-path (``mail_from`` is ``<>``) without Content-Type: it may be a report.

    A journal report and an NDR are told by Exchange's own fields first, for both are marked as
    automatic replies too. X-Auto-Response-Suppress alone says nothing: it stands on ordinary mail.
    """
    sources = " ".join(field.value.lower() for field in fields.all("x-ms-exchange-generated-message-source", after))
    if "journal agent" in sources or fields.has("x-ms-journal-report", after):
        return "journal"
    if fields.has("x-ms-exchange-message-is-ndr", after):
        return "ndr"
    match = _REPORT_TYPE.match(fields.first("content-type", after) or "")
    report = match.group(1).lower() if match else None
    if report == "disposition-notification":
        return "receipt"
    if report == "delivery-status":
        return _delivery_status_kind(fields.first("subject", after) or "")
    submitted = (fields.first("auto-submitted", after) or "").lower()
    if submitted.partition(";")[0].strip() == "auto-replied":
        return "auto_reply"
    return None if mail_from == NULL_REVERSE_PATH and not fields.has("content-type", after) else "message"


def _delivery_status_kind(subject: str) -> str:
    """``ndr`` unless the subject says that the report is of a delay or of a success."""
    if (exchange := other_report(subject)) is not None:
        return exchange
    if _DELAY_SUBJECT.match(subject):
        return "delay"
    return "receipt" if _SUCCESS_SUBJECT.match(subject) else "ndr"
