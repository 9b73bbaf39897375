"""What one batch of records has to ask the DNS: sender domains and SPF tuples, and why the other records have none.

Works on whole columns; Python sees the distinct values of a batch only.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.dns.names import unaskable
from poolsift.domain_facts import canonical_domain
from poolsift.evidence import FACTS, Fact, Known
from poolsift.spf_inputs import effective_address, is_excluded

if TYPE_CHECKING:
    from poolsift.tenant import Tenant, TenantEntry

DOMAIN: Final = "domain"
SPF: Final = "spf"

#: Distinct values remembered per function; beyond, memory matters more than time.
_MEMO_VALUES: Final = 1 << 16
_MAX_NAME: Final = 254
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


class Finding(NamedTuple):
    """A sender domain (``client_ip`` and ``helo`` empty) or an SPF tuple (``helo`` empty: not recorded)."""

    kind: str
    name: str
    client_ip: str = ""
    helo: str = ""


class Findings:
    """Findings with the records that named each, and the records left out by reason, for either kind.

    Every record counts once for either kind: as one that named a finding, or under the first reason that applies.
    Of ``tenant`` only the gateways matter: behind a filtering one SPF is about the address before it.
    """

    def __init__(self, tenant: Tenant | None = None) -> None:
        self._tenant = tenant
        self.named: Counter[Finding] = Counter()
        self.left_out: dict[str, Counter[str]] = {DOMAIN: Counter(), SPF: Counter()}

    def add(self, records: pa.RecordBatch, verdicts: pa.RecordBatch) -> None:
        """Count one batch with its verdict columns."""
        self._add_domains(verdicts)
        self._add_tuples(*_spf_columns(records, verdicts, gateways=self._tenant is not None))

    def clear_named(self) -> None:
        """Forget the findings, which are somewhere else by now."""
        self.named.clear()

    def _add_domains(self, verdicts: pa.RecordBatch) -> None:
        for name, count in _counted(verdicts.column("sender_domain")):
            if name is None:
                self.left_out[DOMAIN]["no_sender_domain"] += count
            elif reason := _unaskable(name):
                self.left_out[DOMAIN][reason] += count
            else:
                self.named[Finding(DOMAIN, name)] += count

    def _add_tuples(self, reasons: pa.Array, parts: pa.Table) -> None:
        left_out = self.left_out[SPF]
        for reason, count in _counted(reasons):
            if reason is not None:
                left_out[reason] += count
        names = parts.column_names
        counted = parts.group_by(names, use_threads=False).aggregate([([], "count_all")])
        columns = (counted[name].to_pylist() for name in (*names, "count_all"))
        for client_ip, name, helo, source_ip, tenant_id, count in zip(*columns, strict=True):
            entry = None if self._tenant is None else self._tenant.entry(tenant_id)
            found = spf_tuple(client_ip, name, helo, source_ip, entry)
            if isinstance(found, Finding):
                self.named[found] += count
            else:
                left_out[found] += count


def spf_tuple(
    client_ip: str | None,
    name: str | None,
    helo: str | None,
    source_ip: str | None = None,
    entry: TenantEntry | None = None,
) -> Finding | str:
    """What check_host() is asked about (RFC 7208 section 4.1), or why it is not asked.

    ``name``: the domain of MAIL FROM, None where the reverse-path is null: then the HELO name stands in (section 2.4).
    """
    address, reason = _address(client_ip, source_ip, entry)
    if reason is not None:
        return reason
    said = _canonical_helo(helo) if helo else ""
    asked = said if name is None else name
    if not asked:
        return "helo_not_recorded"
    return _unaskable(asked) or Finding(SPF, asked, address, said)


def _address(client_ip: str | None, source_ip: str | None, entry: TenantEntry | None) -> tuple[str, str | None]:
    """The address that SPF is about in canonical form, and why it says nothing about it (None: it does)."""
    address = effective_address(entry, client_ip, source_ip)
    if address is not None:
        return address, _why_excluded(address)
    behind_gateway = effective_address(None, client_ip, None) is not None
    column, text = ("source_ip", source_ip) if behind_gateway else ("client_ip", client_ip)
    return "", f"{column}_unusable" if text else f"{column}_not_recorded"


@lru_cache(maxsize=_MEMO_VALUES)
def _why_excluded(text: str) -> str | None:
    if not is_excluded(text):
        return None
    address = ipaddress.ip_address(text)
    kinds = {
        "loopback": address.is_loopback,
        "link_local": address.is_link_local,
        "unspecified": address.is_unspecified,
        "multicast": address.is_multicast,
        "broadcast": address == _BROADCAST,
        "private": address.is_private,
    }
    return next((kind for kind, applies in kinds.items() if applies), "microsoft")


@lru_cache(maxsize=_MEMO_VALUES)
def _unaskable(name: str) -> str | None:
    reason = unaskable(name) if len(name) <= _MAX_NAME else "syntax"
    return None if reason is None else str(reason)


@lru_cache(maxsize=_MEMO_VALUES)
def _canonical_helo(helo: str) -> str:
    """The canonical name, so that one host is one tuple; as logged where it is no name (``%{h}`` holds any text)."""
    return (canonical_domain(helo) if len(helo) <= _MAX_NAME else None) or helo


def _spf_columns(records: pa.RecordBatch, verdicts: pa.RecordBatch, *, gateways: bool) -> tuple[pa.Array, pa.Table]:
    """Why each record needs no SPF (null: it may), and (client_ip, name, helo, source_ip, tenant_id) of those that may.

    Without ``gateways`` the last two are null: nobody looks at them.
    """
    shift = pa.scalar(2 * FACTS.index(Fact.OUTBOUND), pa.uint32())
    outbound = pc.bit_wise_and(pc.shift_right(verdicts.column("evidence"), shift), pa.scalar(3, pa.uint32()))
    mail_from = records.column("mail_from")
    null_path = pc.or_(pc.equal(mail_from, ""), pc.equal(pc.utf8_trim(mail_from, " "), "<>"))
    sender_from = verdicts.column("sender_from").cast(pa.string())
    from_path = pc.is_in(sender_from, value_set=pa.array(["mail_from", "trace"]))
    cases = {
        "not_outbound": pc.equal(outbound, int(Known.NO)),
        "spf_recorded": pc.is_valid(verdicts.column("spf_from")),
        "mail_from_not_recorded": pc.is_null(mail_from),
        "mail_from_unusable": pc.invert(pc.or_(from_path, pc.fill_null(null_path, False))),
    }
    conditions = pa.StructArray.from_arrays(list(cases.values()), names=list(cases))
    reasons = pc.case_when(conditions, *(pa.scalar(word) for word in cases), pa.scalar(None, pa.string()))
    name = pc.if_else(from_path, verdicts.column("sender_domain"), pa.scalar(None, pa.string()))
    parts = {"client_ip": records.column("client_ip"), "name": name, "helo": records.column("helo")}
    for used in ("source_ip", "tenant_id"):
        parts[used] = records.column(used) if gateways else pa.nulls(len(records), pa.string())
    return reasons, pa.table(parts).filter(pc.is_null(reasons))


def _counted(column: pa.Array) -> zip[tuple[str | None, int]]:
    counts = pc.value_counts(column)
    return zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
