"""Forwarded mail by the pool that was used, with and without a rewritten sender.

Microsoft 365 rewrites the sender of forwarded mail (SRS) but for mail that leaves by the relay pool, so that a
rewritten sender speaks against a predicted relay.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.verdicts import ObservedFrom, Pool

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The form that holds nobody, so that ``srs_sender`` is null: srs.py.
_BOUNCES: Final = r"(?i)^ *<?bounces\+SRS=[a-z0-9+/]+=[a-z2-7]{2}@"
_RELAY: Final = pa.array([Pool.RELAY.value, Pool.RELAY_HIGH_RISK.value])


class Forwards:
    """Counts batch by batch."""

    def __init__(self) -> None:
        self._with_srs: Counter[str] = Counter()
        self._without_srs: Counter[str] = Counter()
        self._predicted_relay = 0

    def add(self, records: pa.RecordBatch, verdicts: pa.RecordBatch) -> None:
        """Count one batch and its verdicts."""
        rewritten = _rewritten(records, verdicts)
        relay = pc.is_in(_text(verdicts.column("pool")), value_set=_RELAY)
        self._predicted_relay += pc.sum(pc.and_(rewritten, relay)).as_py() or 0
        forwarded = pc.fill_null(records.column("forwarded"), False)
        if not pc.any(forwarded).as_py():
            return
        used = _used_pools(verdicts)
        for counter, mask in ((self._with_srs, rewritten), (self._without_srs, pc.invert(rewritten))):
            for entry in pc.value_counts(used.filter(pc.and_(forwarded, mask))).to_pylist():
                counter[entry["values"]] += entry["counts"]

    def result(self) -> dict[str, object]:
        """Pool used → records, and how many records with a rewritten sender are predicted relay."""
        return {
            "with_srs": _ranked(self._with_srs.items()),
            "without_srs": _ranked(self._without_srs.items()),
            "srs_predicted_relay": self._predicted_relay,
        }


def _rewritten(records: pa.RecordBatch, verdicts: pa.RecordBatch) -> pa.Array:
    known = pc.is_valid(verdicts.column("srs_sender"))
    held = pc.match_substring(records.column("mail_from"), "+srs=", ignore_case=True)
    if not pc.any(held).as_py():
        return known
    return pc.or_(known, pc.fill_null(pc.match_substring_regex(records.column("mail_from"), _BOUNCES), False))


def _used_pools(verdicts: pa.RecordBatch) -> pa.Array:
    """The observed pool unless only SFP spoke, else the predicted one (``verdicts.used_pool``)."""
    observed, source = (_text(verdicts.column(name)) for name in ("observed_pool", "observed_from"))
    counts = pc.and_(pc.is_valid(observed), pc.not_equal(pc.fill_null(source, ""), ObservedFrom.SFP.value))
    return pc.if_else(counts, observed, _text(verdicts.column("pool")))


def _text(column: pa.Array) -> pa.Array:
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def _ranked(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    return dict(sorted(counts, key=lambda item: (-item[1], item[0])))
