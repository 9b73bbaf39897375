"""The summary of a run, added up batch by batch from records and their verdict columns."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.analysis.domain_counts import DomainCounts
from poolsift.analysis.forwards import Forwards
from poolsift.evidence import FACTS, FLAG_SHIFT, FLAGS, Fact, Flag, Known
from poolsift.verdicts import OVERLAID, SCHEMA_VERSION, Pool, compare_column, used_pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from poolsift.readers.rejects import FileReport

#: Sender domains and pool names that the summary lists.
TOP_DOMAINS: Final = 20
TOP_NAMES: Final = 20

#: Distinct unseen pool names kept; there are a dozen in the world.
_MAX_NAMES: Final = 10_000

#: Where spam comes from, in the order in which a record is asked.
ORIGINS: Final = ("hosted_sender", "forwarded", "on_premises_or_connector", "unknown")

_HARMLESS_POOLS: Final = (Pool.NORMAL.value, Pool.NOT_OUTBOUND.value)
_SPAM_RULES: Final = ("spam", "spam_relayed")
_COUNTED: Final = ("pool", "rule", "agreement", "observed_pool", "observed_from", "fix")


class Summary:
    """Counts of everything a person asks after a run; memory does not grow with the rows.

    ``newest`` is the profile whose pools stand beside the verdicts in ``pool_<newest>``; ``assumed``
    maps facts to what was assumed of them where unknown; ``dns`` says where DNS answers came from; ``overlay``
    names the overlay in force (``path``, and how many ``changes``).
    """

    def __init__(
        self,
        *,
        rules: str,
        newest: str,
        assumed: Mapping[str, str],
        dns: str,
        overlay: Mapping[str, object] | None = None,
    ) -> None:
        self._rules = rules
        self._newest = newest
        self._assumed = dict(assumed)
        self._dns = dns
        self._overlay = overlay
        self._overlaid = 0
        self._combinations: Counter[tuple[str | None, ...]] = Counter()
        self._changed = 0
        self._timeless = 0
        self._origins: Counter[str] = Counter()
        self._names: Counter[str] = Counter()
        self._flags: Counter[str] = Counter()
        self._forwards = Forwards()
        self._domains = DomainCounts(["sender_domain", "pool", "fix"])
        self._incomplete = DomainCounts(["sender_domain"])
        self._incomplete_records = 0
        self.records = 0

    def add(self, records: pa.RecordBatch, verdicts: pa.RecordBatch) -> None:
        """Count one batch and its verdicts."""
        self.records += records.num_rows
        self._add_combinations(verdicts)
        newest = verdicts.column(compare_column(self._newest))
        self._changed += _true(pc.not_equal(_text(newest), _text(verdicts.column("pool"))))
        self._timeless += records.column("time").null_count
        self._add_origins(records, verdicts)
        self._add_names(records, verdicts)
        self._add_domains(verdicts)
        self._add_flags(verdicts)
        if self._overlay is not None:
            self._overlaid += _true(pc.not_equal(verdicts.column(OVERLAID), 0))
        self._forwards.add(records, verdicts)

    def result(
        self, reports: Iterable[FileReport] = (), accounting: Mapping[str, int] | None = None
    ) -> dict[str, object]:
        """Everything counted, ready for JSON. Counters are sorted by count, then word."""
        reports = list(reports)
        by = {name: self._by(place) for place, name in enumerate(_COUNTED)}
        undetermined: Counter[str] = Counter()
        used: Counter[str] = Counter()
        for words, count in self._combinations.items():
            pool, _, _, observed, source, fix = words
            used[used_pool(pool or "", observed, source)] += count
            if pool == Pool.UNDETERMINED:
                undetermined[fix or "unknown"] += count
        return {
            "schema_version": SCHEMA_VERSION,
            "rules": self._rules,
            "dns": self._dns,
            "overlay": None if self._overlay is None else {**self._overlay, "records": self._overlaid},
            "dns_names": {"names": 0, "undecided": 0},
            "assumed": self._assumed,
            "records": self.records,
            "accounting": dict(accounting or {}),
            "pools": by["pool"],
            "used_pools": _ranked(used),
            "by_rule": by["rule"],
            "observed_pools": by["observed_pool"],
            "agreement": by["agreement"],
            "fixes": by["fix"],
            "undetermined": _ranked(undetermined),
            "top_domains": self._domains.top(TOP_DOMAINS),
            "top_domains_capped": self._domains.capped,
            "spam_origin": {origin: self._origins[origin] for origin in ORIGINS if self._origins[origin]},
            "forwards": self._forwards.result(),
            "unseen_pool_names": dict(list(_ranked(self._names).items())[:TOP_NAMES]),
            "flags": _ranked(self._flags),
            "newest_profile": {"name": self._newest, "changed": self._changed},
            "timeless": self._timeless if self._rules == "by-date" else 0,
            "tenant_incomplete": {
                "records": self._incomplete_records,
                "domains": self._incomplete.top(TOP_DOMAINS),
            },
            "field_errors": _ranked(_total(report.field_errors for report in reports)),
            "notes": _ranked(_total(Counter(report.notes) for report in reports)),
            "reject_codes": _ranked(_total(report.reject_codes for report in reports)),
        }

    def _by(self, place: int) -> dict[str, int]:
        counted: Counter[str] = Counter()
        for words, count in self._combinations.items():
            word = words[place]
            if word is not None:
                counted[word] += count
        return _ranked(counted)

    def _add_combinations(self, verdicts: pa.RecordBatch) -> None:
        coded = pa.table({name: _codes(verdicts.column(name)) for name in _COUNTED})
        counted = coded.group_by(list(_COUNTED), use_threads=False).aggregate([([], "count_all")])
        columns = [_decoded(verdicts.column(name), counted[name]) for name in _COUNTED]
        for *words, count in zip(*columns, counted["count_all"].to_pylist(), strict=True):
            self._combinations[tuple(words)] += count

    def _add_origins(self, records: pa.RecordBatch, verdicts: pa.RecordBatch) -> None:
        spam = pc.is_in(_text(verdicts.column("rule")), value_set=pa.array(_SPAM_RULES))
        found = records.filter(spam)
        if not found.num_rows:
            return
        said = [pc.fill_null(found.column(name), False) for name in ("submitted", "forwarded")]
        by_host = pc.or_(pc.is_valid(found.column("connector")), pc.is_valid(found.column("client_ip")))
        cases = [*said, by_host]
        conditions = pa.StructArray.from_arrays(cases, names=ORIGINS[:3])
        origin = pc.case_when(conditions, *(pa.scalar(word) for word in ORIGINS))
        _count_values(self._origins, origin)

    def _add_names(self, records: pa.RecordBatch, verdicts: pa.RecordBatch) -> None:
        names = records.column("outbound_ip_pool_name")
        if names.null_count == len(names):
            return
        spoke = pc.fill_null(pc.equal(_text(verdicts.column("observed_from")), "pool_name"), False)
        unseen = names.filter(pc.and_(pc.not_equal(names, ""), pc.invert(spoke)))
        if len(self._names) < _MAX_NAMES:
            _count_values(self._names, unseen)

    def _add_domains(self, verdicts: pa.RecordBatch) -> None:
        pools = _text(verdicts.column("pool"))
        harmful = pc.invert(pc.is_in(pools, value_set=pa.array(_HARMLESS_POOLS)))
        columns = {name: _text(verdicts.column(name)) for name in ("sender_domain", "pool", "fix")}
        self._domains.add(pa.table(columns).filter(harmful))
        evidence = verdicts.column("evidence")
        outside = pc.equal(_bits(evidence, 2 * FACTS.index(Fact.ACCEPTED_DOMAIN), 3), int(Known.NO))
        incomplete = pc.and_(outside, _flag(evidence, Flag.SUBMITTED))
        self._incomplete_records += _true(incomplete)
        self._incomplete.add(pa.table({"sender_domain": columns["sender_domain"]}).filter(incomplete))

    def _add_flags(self, verdicts: pa.RecordBatch) -> None:
        for flag in FLAGS:
            count = _true(_flag(verdicts.column("evidence"), flag))
            if count:
                self._flags[flag.value] += count


def _codes(column: pa.Array) -> pa.Array:
    return column.indices if pa.types.is_dictionary(column.type) else column


def _decoded(column: pa.Array, codes: pa.ChunkedArray) -> list[str | None]:
    if not pa.types.is_dictionary(column.type):
        words: list[str | None] = codes.to_pylist()
        return words
    known = column.dictionary.to_pylist()
    return [None if code is None else known[code] for code in codes.to_pylist()]


def _text(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _bits(evidence: pa.Array, shift: int, mask: int) -> pa.Array:
    shifted = pc.shift_right(evidence, pa.scalar(shift, pa.uint32()))
    return pc.bit_wise_and(shifted, pa.scalar(mask, pa.uint32()))


def _flag(evidence: pa.Array, flag: Flag) -> pa.Array:
    return pc.equal(_bits(evidence, FLAG_SHIFT + FLAGS.index(flag), 1), 1)


def _true(column: pa.Array) -> int:
    return int(pc.sum(column).as_py() or 0)


def _count_values(counter: Counter[str], values: pa.Array) -> None:
    for entry in pc.value_counts(values).to_pylist():
        if entry["values"] is not None:
            counter[entry["values"]] += entry["counts"]


def _ranked(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _total(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total
