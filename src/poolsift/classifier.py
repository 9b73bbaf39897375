"""The classifier: from any Arrow data to verdict columns, row for row."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from poolsift.domain_facts import DomainFacts
from poolsift.errors import RulesError, UsageError, nearest
from poolsift.evidence import Fact, Known, decode_evidence
from poolsift.fixes import BLOCK_REASONS, FIX_NUMBERS, Fix, fix_table
from poolsift.networks import load_networks
from poolsift.records import RECORD_TYPES, TIMESTAMP
from poolsift.rules import (
    BY_DATE,
    DEFAULT,
    DEFAULT_ASSUMPTIONS,
    DNS_OFF_ASSUMPTIONS,
    Profile,
    Selection,
    VerdictTable,
    all_rule_names,
    parse_assume,
    select,
)
from poolsift.spf_inputs import excluded_prefixes
from poolsift.tables import microseconds, shipped_table, special_use_names
from poolsift.verdict_stream import VerdictStream
from poolsift.verdicts import NONE, POOLS, VERDICT_COLUMNS, Verdict, compare_column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poolsift._native.core import Kernel
    from poolsift._native.nouns import DnsTable, SpfTable
    from poolsift.tenant import Tenant

_SCALARS: Final = {"string": "string", "int32": "int32", "bool": "bool", TIMESTAMP: "timestamp"}
_INT32: Final = range(-(1 << 31), 1 << 31)


class DnsSource(Protocol):
    """Where answers come from: a ``Snapshot``, or a ``LiveTable`` whose answers are still coming."""

    @property
    def table(self) -> DnsTable:
        """The A, AAAA and MX answers in the native core's form."""

    @property
    def path(self) -> str | None:
        """The file, if there is one."""

    @property
    def sha256(self) -> str | None:
        """The hash of all answers; None while they are still coming."""


class SpfSource(Protocol):
    """Where results of SPF come from for rows that record none."""

    @property
    def table(self) -> SpfTable:
        """Programs and outcomes so far; kernels read it while it grows."""

    def answer(self, asked: Sequence[tuple[Any, ...]]) -> None:
        """Put a program, a mark *uncompiled* or an outcome into the table for each entry (``DomainMemo.spf_asked``).

        Blocks until all are there; may be called by several threads. Never raises for what DNS does: what
        could not be evaluated gets the word 0.
        """


class Classifier:
    """Says which pool each record belongs to. Immutable, safe to share between threads, picklable.

    ``dns`` None means that no DNS is asked and every domain is assumed to resolve. With a live table a
    sender domain is unknown until its answer is there, and pickling raises TypeError. Where the source has
    an attribute ``spf`` (an SpfSource), SPF is evaluated for rows that do not record it. ``rules`` is a
    profile's name, ``by-date``, a file or a Profile; ``compare`` names profiles whose pool is returned
    too. ``assume`` replaces the assumptions about unknown facts: a text such as ``spf_pass=no``, ``none``,
    or a mapping; None means the contract's own.
    """

    def __init__(
        self,
        tenant: Tenant | None = None,
        *,
        dns: DnsSource | None = None,
        rules: str | Profile = DEFAULT,
        assume: str | Mapping[Fact, Known] | None = None,
        compare: Sequence[str | Profile] = (),
    ) -> None:
        self.tenant = tenant
        self.dns = dns
        self.rules = select(rules)
        self.assume = _assumptions(assume, dns_off=dns is None)
        self.compare = tuple(_compared(entry) for entry in ([compare] if isinstance(compare, str) else compare))
        self.tables = {profile.name: VerdictTable(profile, self.assume) for profile in self._profiles()}
        self._kernel: Kernel | None = None
        self._spf: SpfSource | None = None
        self._lock = threading.Lock()

    def _profiles(self) -> tuple[Profile, ...]:
        """The deciding profiles, then the compared ones that are not among them."""
        profiles = list(self.rules.profiles)
        for profile in self.compare:
            if profile not in profiles:
                profiles.append(profile)
        names = [profile.name for profile in profiles]
        compared = [profile.name for profile in self.compare]
        if len(set(compared)) < len(compared):
            raise RulesError("compared twice with one profile", found=", ".join(compared))
        if len(set(names)) < len(names):
            raise RulesError("two different profiles have one name", found=", ".join(names))
        return tuple(profiles)

    def __getstate__(self) -> dict[str, object]:
        kept = ("tenant", "dns", "rules", "assume", "compare")
        return {name: getattr(self, name) for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.tables = {profile.name: VerdictTable(profile, self.assume) for profile in self._profiles()}
        self._kernel = None
        self._spf = None
        self._lock = threading.Lock()

    @property
    def kernel(self) -> Kernel:
        """The native kernel, built at first use and shared from then on."""
        with self._lock:
            if self._kernel is None:
                from poolsift._native.core import Kernel

                self._spf = self.spf
                self._kernel = Kernel(self.spec())
            return self._kernel

    @property
    def spf(self) -> SpfSource | None:
        """What SPF is evaluated by, which a source of DNS may bring along."""
        return getattr(self.dns, "spf", None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that ``classify`` returns."""
        return (*VERDICT_COLUMNS, *(compare_column(profile.name) for profile in self.compare))

    def profile_at(self, time: datetime | None) -> Profile:
        """The profile that decides for a record of this time."""
        if time is None:
            return self.rules.profiles[self.rules.timeless]
        instant = microseconds(time) or 0
        index = [number for since, number in self.rules.timeline if since <= instant][-1]
        return self.rules.profiles[index]

    def spec(self) -> dict[str, Any]:
        """Everything the kernel knows, as it takes it (docs/internals.md, *Native kernel*)."""
        profiles = self._profiles()
        names = all_rule_names(profiles)
        senders = shipped_table("senders")
        tenant = self.tenant
        networks = load_networks(tenant.pool_names, tenant.prefixes) if tenant else load_networks()
        return {
            "profiles": [(profile.name, self.tables[profile.name].packed(names)) for profile in profiles],
            "timeline": list(self.rules.timeline),
            "timeless": self.rules.timeless,
            "compare": [profiles.index(profile) for profile in self.compare],
            "rules": names,
            "fixes": fix_table(names),
            "investigate": (
                names.index("normal") if "normal" in names else NONE,
                FIX_NUMBERS.index(Fix.INVESTIGATE),
            ),
            **networks.spec(),
            "blocks": [_block(entry) for entry in shipped_table("blocks")["block"]],
            "special_use": list(special_use_names()),
            "consumer_tenants": list(senders["consumer_tenants"]),
            "ndr_senders": list(senders["ndr_senders"]),
            "postmasters": list(senders["postmasters"]),
            "tenants": [entry.spec() for entry in tenant.tenants] if tenant else [],
            "dns": None if self.dns is None else self.dns.table,
            "spf": None if self.spf is None else self.spf.table,
            "spf_excluded": excluded_prefixes(),
        }

    def domain_facts(self) -> DomainFacts:
        """A fresh memo of names for this classifier; keep one a run or thread to ask each name once."""
        return DomainFacts(self.kernel)

    def classify(self, data: object, *, domains: DomainFacts | None = None) -> VerdictStream:
        """Verdict columns for anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``, row for row.

        Lazy: batches are pulled as the result is read. Never rejects a row. Raises TypeError for a column
        of a wrong type and ValueError for broken buffers, when that batch is read.
        """
        if not hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
            msg = f"expected an object with __arrow_c_stream__ or __arrow_c_array__, found {type(data).__name__}"
            raise TypeError(msg)
        if domains is not None and domains.kernel is not self.kernel:
            raise ValueError("domains belong to another classifier; make them with its domain_facts()")
        return VerdictStream(self, data, domains)

    def classify_batch(self, schema: object, array: object, domains: DomainFacts) -> tuple[object, object]:
        """The verdict columns of one struct array, both as (schema, array) capsules; input is only looked at."""
        with domains.lock:
            names = self.kernel.names(schema, array, domains.memo)
            while names:  # an answer may bring up another name, such as the organizational domain of an IDN
                domains.fill(names)
                names = domains.memo.asked()
            if self._spf is not None:
                domains.answer_spf(self._spf)
            verdicts: tuple[object, object] = self.kernel.classify(schema, array, domains.memo)
        return self._worded(*verdicts) if self.compare else verdicts

    def _worded(self, schema: object, array: object) -> tuple[object, object]:
        """The compared pools, which the kernel gives as numbers, as words under their names."""
        from poolsift._native.arrow_words import Words, worded_array, worded_schema

        first, words = len(VERDICT_COLUMNS), Words(POOLS)
        return worded_schema(schema, first, self.columns[first:], words), worded_array(array, first, words)

    def classify_record(self, record: Mapping[str, object]) -> Verdict:
        """The verdict on one record given as a mapping of canonical columns; missing ones are not recorded.

        ``time`` is a datetime (naive means UTC), a date or ISO 8601 text. Raises UsageError for an unknown
        column or a value of the wrong type.
        """
        from poolsift._native.arrow_rows import one_row, read_row

        columns = [(name, *_scalar(name, value)) for name, value in record.items()]
        schema, array = one_row(columns or [("kind", "string", None)])
        row = read_row(*self.classify_batch(schema, array, self.domain_facts()), 0)
        return self.verdict(row)

    def verdict(self, row: Mapping[str, Any]) -> Verdict:
        """The verdict in one row of this classifier's columns."""
        compared = {name: row[name] for name in row if name not in VERDICT_COLUMNS}
        values = {name: row[name] for name in VERDICT_COLUMNS}
        return Verdict(**values, facts=decode_evidence(row["evidence"]), compared=compared)


def _assumptions(assume: str | Mapping[Fact, Known] | None, *, dns_off: bool) -> dict[Fact, Known]:
    if assume is None:
        return dict(DNS_OFF_ASSUMPTIONS if dns_off else DEFAULT_ASSUMPTIONS)
    if isinstance(assume, str):
        return parse_assume(assume)
    for fact, value in assume.items():
        if Known(value) is Known.UNKNOWN:
            raise RulesError(f"bad assumption of {fact}", found="unknown", expected="yes or no")
    return {Fact(fact): Known(value) for fact, value in assume.items()}


def _compared(entry: str | Profile) -> Profile:
    if entry == BY_DATE:
        raise RulesError("by-date cannot be compared with", found=BY_DATE, expected="one profile")
    selection: Selection = select(entry)
    return selection.profiles[0]


def _block(entry: Mapping[str, Any]) -> tuple[str, str | None, bool, int]:
    phrase = entry.get("phrase")
    reason = BLOCK_REASONS.index(entry["reason"])
    return entry["code"], None if phrase is None else phrase.lower(), entry.get("required", False), reason


def _scalar(name: str, value: object) -> tuple[str, object]:
    """The kind of a column and the value as ``one_row`` takes it."""
    if name not in RECORD_TYPES:
        near = nearest(name, RECORD_TYPES)
        raise UsageError("unknown column", key=name, found=repr(name), expected="a canonical column", nearest=near)
    kind = _SCALARS[RECORD_TYPES[name]]
    if value is None:
        return kind, None
    if kind == "timestamp":
        return kind, microseconds(_instant(name, value))
    fits = {
        "string": isinstance(value, str),
        "bool": isinstance(value, bool),
        "int32": isinstance(value, int) and not isinstance(value, bool) and value in _INT32,
    }
    if not fits[kind]:
        found = f"{type(value).__name__} {value!r}"[:80]
        raise UsageError("wrong type", key=name, found=found, expected=RECORD_TYPES[name])
    return kind, value


def _instant(name: str, value: object) -> datetime | date:
    if isinstance(value, date):
        return value
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        instant = None
    if instant is None:
        raise UsageError("not a time", key=name, found=repr(value), expected="a datetime or ISO 8601 text")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
