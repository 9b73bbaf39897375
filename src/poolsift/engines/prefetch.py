"""Asks about the sender domains of record batches, and about their SPF, ahead of their classification."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.classifier import Classifier
from poolsift.dns.live_table import LiveTable
from poolsift.dns.names import unaskable
from poolsift.engines.name_answers import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from poolsift.dns.answers import Answer
    from poolsift.engines.live_spf import LiveSpf
    from poolsift.tenant import Tenant

    Answers = dict[str, dict[str, Answer]]
    SpfEntry = tuple[Any, ...]

A = TypeVar("A")
T = TypeVar("T")

#: Batches held while their answers are under way.
AHEAD: Final = 4
#: Seconds between looks at the world while answers are waited for: an interrupt must not wait longer.
_BEAT: Final = 0.25
#: A memo of more distinct names is replaced by an empty one, so that memory stays bounded.
_MAX_NAMES: Final = 2_000_000
#: The columns a sender domain comes from.
_SENDER_COLUMNS: Final = ("mail_from", "header_from")


class _Waiting(NamedTuple):
    """A batch, what was asked for its sake of names and of SPF, and where the answers will be."""

    batch: pa.RecordBatch
    names: list[str]
    answers: Future[Answers] | None
    entries: list[SpfEntry]
    added: Future[None] | None

    @property
    def is_ready(self) -> bool:
        return all(one is None or one.done() for one in (self.answers, self.added))


class Prefetch:
    """Lets a batch go once ``table`` answers all its sender domains; reading goes on meanwhile.

    ``resolve`` gives the answers to names, by type, in a while; it is asked once about each name that may exist. With
    ``spf`` the record trees of senders are asked about too, by the gateways of ``tenant``; what they bring up for
    single messages is asked when the batch is classified. ``name`` is what people read, ``resolvers`` what the manifest
    says. ``ahead``: batches held at most. ``tally`` counts what the names came to.
    """

    def __init__(
        self,
        resolve: Callable[[list[str]], Future[Answers]],
        *,
        name: str = "live",
        resolvers: Sequence[str] = (),
        ahead: int = AHEAD,
        spf: LiveSpf | None = None,
        tenant: Tenant | None = None,
    ) -> None:
        if ahead < 1:
            raise ValueError(f"ahead: found {ahead}, expected 1 or more")
        self.name = name
        self.resolvers = tuple(resolvers)
        self.table = LiveTable(spf)
        self.spf = spf
        self.tally = Tally()
        self._resolve = resolve
        self._ahead = ahead
        # Whose domain counts as the sender's is the kernel's matter; no tenant and no DNS changes it.
        self._finder = Classifier()
        self._facts = self._finder.domain_facts()
        self._spf_finder = None if spf is None else Classifier(tenant, dns=self.table)
        self._spf_facts = None if self._spf_finder is None else self._spf_finder.domain_facts()

    def batches(self, source: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
        """The same batches in the same order, each when its answers are in. One such stream at a time.

        A failure of ``resolve`` is raised in place of the batch that asked. Look-ups that nobody waits for any more are
        cancelled.
        """
        waiting: deque[_Waiting] = deque()
        under_way = _UnderWay(set(), set())
        try:
            for batch in source:
                waiting.append(self._ask(batch, under_way))
                while waiting and (len(waiting) >= self._ahead or waiting[0].is_ready):
                    yield self._answered(waiting, under_way)
            while waiting:
                yield self._answered(waiting, under_way)
        finally:
            for one in waiting:
                for future in (one.answers, one.added):
                    if future is not None:
                        future.cancel()

    def description(self) -> dict[str, Any]:
        """Whom it asks and what the names came to so far, for the manifest."""
        return {
            "resolvers": list(self.resolvers),
            "names": self.tally.names,
            "resolves": self.tally.resolves,
            "neither": self.tally.neither,
            "unknown": dict(sorted(self.tally.unknown.items())),
            "invalid": dict(sorted(self.tally.invalid.items())),
        }

    def _ask(self, batch: pa.RecordBatch, under_way: _UnderWay) -> _Waiting:
        """What is under way was asked for an earlier batch, which is let go first."""
        missing = self.table.missing(self._sender_domains(batch))
        names = [name for name in missing if name not in under_way.names and unaskable(name) is None]
        under_way.names.update(names)
        answers = _begun(self._resolve, names) if names else None
        entries = [entry for entry in self._spf_entries(batch) if entry not in under_way.entries]
        under_way.entries.update(entries)
        added = _begun(self.spf.ask, entries) if entries and self.spf is not None else None
        return _Waiting(batch, names, answers, entries, added)

    def _spf_entries(self, batch: pa.RecordBatch) -> list[SpfEntry]:
        """What the table of SPF lacks for a batch, as its kernel will ask."""
        if self._spf_finder is None or self._spf_facts is None:
            return []
        if self._spf_facts.memo.known_names > _MAX_NAMES:
            self._spf_facts = self._spf_finder.domain_facts()
        facts = self._spf_facts
        schema, array = batch.__arrow_c_array__()
        asked = self._spf_finder.kernel.names(schema, array, facts.memo)
        while asked:
            facts.fill(asked)
            asked = facts.memo.asked()
        return facts.memo.spf_asked()

    def _sender_domains(self, batch: pa.RecordBatch) -> list[str]:
        """The distinct usable sender domains of a batch, canonical."""
        columns = batch.select([name for name in _SENDER_COLUMNS if name in batch.schema.names])
        found: dict[str, None] = {}
        for part in self._finder.classify(columns, domains=self._facts):
            domains = pc.unique(pa.record_batch(part).column("sender_domain")).drop_null()
            found.update(dict.fromkeys(domains.to_pylist()))
        return list(found)

    def _answered(self, waiting: deque[_Waiting], under_way: _UnderWay) -> pa.RecordBatch:
        """The first batch, after its answers are in the tables."""
        first = waiting[0]
        if first.answers is not None:
            given = _awaited(first.answers)
            taken = self.table.take({name: given.get(name, {}) for name in first.names})
            for _ in self.tally.counting(taken.items()):
                pass
            under_way.names.difference_update(first.names)
        if first.added is not None:
            _awaited(first.added)
            under_way.entries.difference_update(first.entries)
        waiting.popleft()
        return first.batch


class _UnderWay(NamedTuple):
    """What was asked for batches that wait."""

    names: set[str]
    entries: set[SpfEntry]


def _begun(ask: Callable[[list[A]], Future[T]], questions: list[A]) -> Future[T]:
    try:
        return ask(questions)
    except Exception as error:  # noqa: BLE001 - raised again when it is the batch's turn
        failed: Future[T] = Future()
        failed.set_exception(error)
        return failed


def _awaited(future: Future[T]) -> T:
    while not future.done():  # `wait` itself may sleep through a cancellation that nobody acknowledges
        wait([future], _BEAT)
    return future.result()
