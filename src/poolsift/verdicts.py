"""The answer about one record: pools, verdict columns, and the numbers the native core uses.

The place of a member in its enum is its number in the core (``native/include/poolsift/verdict.hpp``);
255 stands for *none* in a byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

#: Version of the columns below and of the canonical columns; every output carries it.
SCHEMA_VERSION: Final = 1

NONE: Final = 255


class Pool(StrEnum):
    """Where a message goes. The last three are no pools, but a row has one answer."""

    NORMAL = "normal"  #: the normal outbound addresses
    HIGH_RISK = "high_risk"  #: the high-risk delivery pool
    RELAY = "relay"  #: the relay pool
    RELAY_HIGH_RISK = "relay_high_risk"  #: the high-risk part of the relay pool
    BLOCKED = "blocked"  #: never left Microsoft 365
    NOT_OUTBOUND = "not_outbound"  #: did not go to somebody outside the tenant
    UNDETERMINED = "undetermined"  #: what is unknown matters; see ``candidates``


class ObservedPool(StrEnum):
    """The pool that a message was really sent from, where the log shows it."""

    NORMAL = "normal"
    HIGH_RISK = "high_risk"
    RELAY = "relay"
    RELAY_HIGH_RISK = "relay_high_risk"
    CONSUMER = "consumer"  #: Outlook.com, not Microsoft 365 for organisations


class ObservedFrom(StrEnum):
    """Which source spoke first about the observed pool."""

    POOL_NAME = "pool_name"  #: OutboundIpPoolName
    OUTBOUND_HOST = "outbound_host"  #: code in the host's name
    OUTBOUND_IP = "outbound_ip"  #: prefix of the address
    REJECT_TEXT = "reject_text"  #: an address quoted by the remote server
    SFP = "sfp"  #: the filter's own choice


class Agreement(StrEnum):
    """How the prediction stands to the observation."""

    MATCH = "match"
    COMPATIBLE = "compatible"
    MISMATCH = "mismatch"
    NOT_COMPARABLE = "not_comparable"
    UNOBSERVED = "unobserved"


class SenderFrom(StrEnum):
    """Which column the sender domain comes from."""

    MAIL_FROM = "mail_from"
    HEADER_FROM = "header_from"
    TRACE = "trace"  #: a summary column that may hold either


class SpfFrom(StrEnum):
    """Where the SPF result comes from."""

    LOG = "log"
    JOINED = "joined"
    EVALUATED = "evaluated"


POOLS: Final = tuple(Pool)
OBSERVED_POOLS: Final = tuple(ObservedPool)
OBSERVED_FROM: Final = tuple(ObservedFrom)
AGREEMENTS: Final = tuple(Agreement)
SENDER_FROM: Final = tuple(SenderFrom)
SPF_FROM: Final = tuple(SpfFrom)

#: Verdict columns in order: name → Arrow type ("dictionary" = dictionary<int8 or wider, string>).
VERDICT_TYPES: Final = MappingProxyType(
    {
        "pool": "dictionary",
        "rule": "dictionary",
        "evidence": "uint32",
        "candidates": "uint8",
        "observed_pool": "dictionary",
        "observed_from": "dictionary",
        "agreement": "dictionary",
        "fix": "dictionary",
        "sender_domain": "string",
        "sender_from": "dictionary",
        "spf_from": "dictionary",
        "srs_sender": "string",
    }
)
VERDICT_COLUMNS: Final = tuple(VERDICT_TYPES)

#: One more column after them where an overlay is given: uint8, bit i is set where it changed fact i of the record.
OVERLAID: Final = "overlaid"


def compare_column(profile: str) -> str:
    """The name of the column that holds the pool under another profile: ``pool_2026_06``."""
    return "pool_" + "".join(c if c.isalnum() else "_" for c in profile)


def candidate_pools(candidates: int) -> tuple[Pool, ...]:
    """The pools of a ``candidates`` bit set, in order."""
    return tuple(pool for bit, pool in enumerate(POOLS[:6]) if candidates >> bit & 1)


def used_pool(pool: str, observed_pool: str | None, observed_from: str | None) -> str:
    """The one pool a message is counted under: the observed one unless only SFP spoke."""
    if observed_pool is not None and observed_from != ObservedFrom.SFP:
        return observed_pool
    return pool


@dataclass(frozen=True, slots=True)
class Verdict:
    """All verdict columns of one record, and its evidence in words."""

    pool: str
    rule: str
    evidence: int
    candidates: int
    observed_pool: str | None
    observed_from: str | None
    agreement: str
    fix: str | None
    sender_domain: str | None
    sender_from: str | None
    spf_from: str | None
    srs_sender: str | None
    facts: Mapping[str, str | bool]
    compared: Mapping[str, str]
    overlaid: int = 0  #: bit i: an overlay changed fact i

    @property
    def candidate_pools(self) -> tuple[Pool, ...]:
        """The pools that the unknown facts leave open."""
        return candidate_pools(self.candidates)

    @property
    def used_pool(self) -> str:
        """The pool this record is counted under."""
        return used_pool(self.pool, self.observed_pool, self.observed_from)


def verdict_schema() -> pa.Schema:
    """The pyarrow schema of the verdict columns as they are written."""
    import pyarrow as pa  # half a second that most users of this module do not need

    types = {
        "dictionary": pa.dictionary(pa.int8(), pa.string()),
        "uint32": pa.uint32(),
        "uint8": pa.uint8(),
        "string": pa.string(),
    }
    return pa.schema([pa.field(name, types[kind]) for name, kind in VERDICT_TYPES.items()])
