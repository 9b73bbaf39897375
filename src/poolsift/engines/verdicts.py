"""Verdicts for a stream of record batches, in order, by one thread or several."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.analysis.summary import Summary
from poolsift.classifier import Classifier
from poolsift.engines.undecided import UndecidedNames
from poolsift.errors import UsageError
from poolsift.evidence import FLAG_SHIFT, FLAGS, Flag
from poolsift.rules import BUILT_IN, BY_DATE, newest
from poolsift.verdicts import compare_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future

    from poolsift._native.nouns import DnsTable
    from poolsift.dns.snapshot import Snapshot
    from poolsift.domain_facts import DomainFacts
    from poolsift.engines.live_spf import LiveSpf
    from poolsift.engines.prefetch import Prefetch
    from poolsift.evidence import Fact, Known
    from poolsift.overlay import Overlay
    from poolsift.rules import Profile
    from poolsift.spf.sources import SnapshotSpf
    from poolsift.tenant import Tenant

#: Batches in work or waiting for the writer, for each thread.
_AHEAD = 2

#: A memo of more distinct names is replaced by an empty one, so that memory stays bounded.
_MAX_NAMES = 2_000_000

_SPF_EVALUATED = pa.scalar(1 << FLAG_SHIFT + FLAGS.index(Flag.SPF_EVALUATED), pa.uint32())


@dataclass(frozen=True)
class _RunAnswers:
    """A snapshot for one run, with a source of SPF of its own: what it counts does not depend on runs before."""

    table: DnsTable
    path: str | None
    sha256: str | None
    spf: SnapshotSpf | None

    @classmethod
    def of(cls, snapshot: Snapshot | None) -> _RunAnswers | None:
        if snapshot is None:
            return None
        if snapshot.spf is None:
            return cls(snapshot.table, snapshot.path, snapshot.sha256, None)
        from poolsift.spf.sources import SnapshotSpf

        return cls(snapshot.table, snapshot.path, snapshot.sha256, SnapshotSpf(snapshot))


class VerdictSource:
    """A classifier that always compares with the newest profile too, and one memo of names a thread.

    DNS answers come from the snapshot ``dns``, or while the run goes on through ``live``, or are not used.
    """

    def __init__(
        self,
        *,
        tenant: Tenant | None,
        dns: Snapshot | None,
        rules: str | Profile,
        compare: tuple[str, ...],
        assume: Mapping[Fact, Known] | str | None,
        live: Prefetch | None = None,
        overlay: Overlay | None = None,
    ) -> None:
        if dns is not None and live is not None:
            raise UsageError("DNS answers come from a snapshot or live", found="both", expected="one of the two")
        self._newest = newest()
        compared = tuple(dict.fromkeys((*compare, self._newest)))
        answers = _RunAnswers.of(dns) if live is None else live.table
        self._classifier = Classifier(
            tenant, dns=answers, rules=rules, compare=compared, assume=assume, overlay=overlay
        )
        chosen = rules if overlay is None or overlay.rules is None else overlay.rules
        self._rules_file = chosen if isinstance(chosen, str) and chosen not in {*BUILT_IN, BY_DATE} else None
        self._hidden = None if self._newest in compare else compare_column(self._newest)
        self._tenant = tenant
        self._dns = dns
        self._live = live
        self._spf: SnapshotSpf | LiveSpf | None = getattr(answers, "spf", None)
        self._spf_records = 0
        self._undecided = UndecidedNames()
        self._memos = threading.local()

    def ordered(
        self, batches: Iterable[pa.RecordBatch], threads: int
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Each batch with its verdicts, in the order in which the batches came. One such stream at a time."""
        self._undecided = UndecidedNames()
        self._spf_records = 0
        if self._live is None:
            yield from self._counted(self._classified_in_order(batches, threads))
            return
        with closing(self._live.batches(batches)) as answered:
            yield from self._counted(self._classified_in_order(answered, threads))

    def undecided(self) -> tuple[int, int]:
        """Of the sender domains of the last ``ordered``: those DNS could not decide, and all; (0, 0) with DNS off.

        Exact up to two million names, from then on "at least".
        """
        return self._undecided.counts()

    def spf(self) -> dict[str, Any] | None:
        """Records of the last ``ordered`` whose SPF was evaluated, and what their domains came to; None: SPF is not."""
        if self._spf is None:
            return None
        return {"records": self._spf_records, **self._spf.results.description()}

    def _counted(
        self, classified: Iterable[tuple[pa.RecordBatch, pa.RecordBatch]]
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        for batch, verdicts in classified:
            if self._classifier.dns is not None:
                self._undecided.add(verdicts)
            if self._spf is not None:
                evaluated = pc.bit_wise_and(verdicts.column("evidence"), _SPF_EVALUATED)
                self._spf_records += len(verdicts) - pc.equal(evaluated, 0).true_count
            yield batch, verdicts

    def _classified_in_order(
        self, batches: Iterable[pa.RecordBatch], threads: int
    ) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        if threads == 1:
            for batch in batches:
                yield batch, self._classified(batch)
            return
        with ThreadPoolExecutor(threads, thread_name_prefix="classify") as pool:
            waiting: deque[tuple[pa.RecordBatch, Future[pa.RecordBatch]]] = deque()
            for batch in batches:
                waiting.append((batch, pool.submit(self._classified, batch)))
                if len(waiting) >= threads * _AHEAD:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            for first, answer in waiting:
                yield first, answer.result()

    def asked(self, verdicts: pa.RecordBatch) -> pa.RecordBatch:
        """The verdict columns without the comparison that only the summary needs."""
        return verdicts if self._hidden is None else verdicts.drop_columns([self._hidden])

    def summary(self) -> Summary:
        """An empty summary of this source's verdicts."""
        overlay = self._classifier.overlay
        return Summary(
            rules=self._classifier.rules.name,
            newest=self._newest,
            assumed=self._assumed(),
            dns=self._dns_name(),
            overlay=None if overlay is None else {"path": overlay.path, "changes": len(overlay)},
        )

    def description(self) -> dict[str, Any]:
        """What decides the verdicts, for the manifest."""
        live = {} if self._live is None else {"dns_live": self._live.description()}
        return {
            "rules": self._classifier.rules.name,
            "rules_file": self._rules_file,
            "compared": [profile.name for profile in self._classifier.compare],
            "assumed": self._assumed(),
            "dns": self._dns_name(),
            "dns_sha256": None if self._dns is None else self._dns.sha256,
            **live,
            "spf": self.spf(),
            "tenant_file": None if self._tenant is None else self._tenant.path,
            "overlay": self._overlay(),
        }

    def _overlay(self) -> dict[str, Any] | None:
        """The overlay in full, so that the run can be made again without its file; the hash is of these lines."""
        overlay = self._classifier.overlay
        if overlay is None:
            return None
        return {"path": overlay.path, "sha256": overlay.digest, "lines": overlay.text().splitlines()}

    def _assumed(self) -> dict[str, str]:
        return {fact.value: value.word for fact, value in self._classifier.assume.items()}

    def _dns_name(self) -> str:
        if self._live is not None:
            return self._live.name
        return "off" if self._dns is None else self._dns.path or "snapshot"

    def _classified(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        stream = self._classifier.classify(batch, domains=self._memo())
        answers = [pa.record_batch(part) for part in stream]
        return answers[0] if len(answers) == 1 else pa.concat_batches(answers)

    def _memo(self) -> DomainFacts:
        found: DomainFacts | None = getattr(self._memos, "facts", None)
        if found is None or found.memo.known_names > _MAX_NAMES:
            found = self._memos.facts = self._classifier.domain_facts()
        return found
