"""The canonical record: which columns a reader delivers, their Arrow types, their words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pyarrow as pa

TIMESTAMP: Final = "timestamp[us, tz=UTC]"

#: The columns of the contract in its order: name → Arrow type. Every one is nullable, and null
#: means *not recorded*, never *no*.
CANONICAL_TYPES: Final = MappingProxyType(
    {
        "time": TIMESTAMP,
        "tenant_id": "string",
        "message_id": "string",
        "network_message_id": "string",
        "kind": "string",
        "direction": "string",
        "mail_from": "string",
        "header_from": "string",
        "recipient": "string",
        "recipient_count": "int32",
        "client_ip": "string",
        "helo": "string",
        "source_ip": "string",
        "outbound_ip": "string",
        "outbound_host": "string",
        "outbound_ip_pool_name": "string",
        "sfp": "int32",
        "spf": "string",
        "dkim": "string",
        "dmarc": "string",
        "dkim_domain": "string",
        "accepted": "bool",
        "spam": "bool",
        "forwarded": "bool",
        "submitted": "bool",
        "status": "string",
        "status_code": "string",
        "status_text": "string",
        "connector": "string",
    }
)

#: What readers may say about the record as a whole: ``joined``: the authentication was taken from
#: the inbound row of the message; ``sender_from_trace``: the sender column may hold P1 or P2.
ANNOTATION_TYPES: Final = MappingProxyType({"joined": "bool", "sender_from_trace": "bool"})

RECORD_TYPES: Final = MappingProxyType({**CANONICAL_TYPES, **ANNOTATION_TYPES})

CANONICAL_COLUMNS: Final = tuple(CANONICAL_TYPES)
RECORD_COLUMNS: Final = tuple(RECORD_TYPES)

#: Words of the word columns (ASCII case ignored); any other word counts as not recorded.
KINDS: Final = ("message", "ndr", "auto_reply", "delay", "receipt", "journal")
DIRECTIONS: Final = ("outbound", "inbound", "internal")
STATUSES: Final = (
    "delivered",
    "failed",
    "pending",
    "expanded",
    "quarantined",
    "dropped",
    "filtered",
)
#: RFC 8601 result words, as Microsoft 365 stamps them.
SPF_WORDS: Final = ("pass", "fail", "softfail", "neutral", "none", "permerror", "temperror")
DKIM_WORDS: Final = (
    "pass",
    "none",
    "fail",
    "policy",
    "neutral",
    "permerror",
    "temperror",
    "timeout",
)

#: The vocabulary of each word column. DMARC is missing on purpose: only ``pass`` matters.
VOCABULARIES: Final = MappingProxyType(
    {
        "kind": KINDS,
        "direction": DIRECTIONS,
        "status": STATUSES,
        "spf": SPF_WORDS,
        "dkim": DKIM_WORDS,
    }
)

#: The input columns that ``--columns key`` keeps, before the verdict columns.
KEY_COLUMNS: Final = (
    "input",
    "row",
    "rows",
    "tenant_id",
    "time",
    "message_id",
    "network_message_id",
    "direction",
    "kind",
    "mail_from",
    "header_from",
    "recipient",
    "recipient_count",
    "client_ip",
    "source_ip",
    "connector",
    "forwarded",
    "status",
    "status_code",
)

#: Columns that locate a record: ``row`` is the 1-based data row in ``input``, ``rows`` how many
#: rows were folded into it.
PLACE_TYPES: Final = MappingProxyType({"input": "string", "row": "int64", "rows": "int32"})


def record_schema() -> pa.Schema:
    """The pyarrow schema of a record batch: canonical columns, then the two annotations."""
    import pyarrow as pa  # half a second that most users of this module do not need

    types = {
        TIMESTAMP: pa.timestamp("us", tz="UTC"),
        "string": pa.string(),
        "int32": pa.int32(),
        "bool": pa.bool_(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in RECORD_TYPES.items()])
