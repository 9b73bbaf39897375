"""Asks about the sender domains of record batches ahead of their classification."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.classifier import Classifier
from poolsift.dns.live_table import LiveTable
from poolsift.dns.names import unaskable
from poolsift.engines.name_answers import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from poolsift.dns.answers import Answer

    Answers = dict[str, dict[str, Answer]]

#: Batches held while their answers are under way.
AHEAD: Final = 4
#: Seconds between looks at the world while answers are waited for: an interrupt must not wait longer.
_BEAT: Final = 0.25
#: The columns a sender domain comes from.
_SENDER_COLUMNS: Final = ("mail_from", "header_from")


class _Waiting(NamedTuple):
    """A batch, the names that were asked for its sake, and where their answers will be."""

    batch: pa.RecordBatch
    names: list[str]
    answers: Future[Answers] | None

    @property
    def is_ready(self) -> bool:
        return self.answers is None or self.answers.done()


class Prefetch:
    """Lets a batch go once ``table`` answers all its sender domains; reading goes on meanwhile.

    ``resolve`` gives the answers to names, by type, in a while; it is asked once about each name that may exist.
    ``name`` is what people read, ``resolvers`` what the manifest says. ``ahead``: batches held at most. ``tally``
    counts what the names came to.
    """

    def __init__(
        self,
        resolve: Callable[[list[str]], Future[Answers]],
        *,
        name: str = "live",
        resolvers: Sequence[str] = (),
        ahead: int = AHEAD,
    ) -> None:
        if ahead < 1:
            raise ValueError(f"ahead: found {ahead}, expected 1 or more")
        self.name = name
        self.resolvers = tuple(resolvers)
        self.table = LiveTable()
        self.tally = Tally()
        self._resolve = resolve
        self._ahead = ahead
        # Whose domain counts as the sender's is the kernel's matter; no tenant and no DNS changes it.
        self._finder = Classifier()
        self._facts = self._finder.domain_facts()

    def batches(self, source: Iterable[pa.RecordBatch]) -> Generator[pa.RecordBatch]:
        """The same batches in the same order, each when its answers are in. One such stream at a time.

        A failure of ``resolve`` is raised in place of the batch that asked. Look-ups that nobody waits for any more are
        cancelled.
        """
        waiting: deque[_Waiting] = deque()
        under_way: set[str] = set()
        try:
            for batch in source:
                waiting.append(self._ask(batch, under_way))
                while waiting and (len(waiting) >= self._ahead or waiting[0].is_ready):
                    yield self._answered(waiting, under_way)
            while waiting:
                yield self._answered(waiting, under_way)
        finally:
            for one in waiting:
                if one.answers is not None:
                    one.answers.cancel()

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

    def _ask(self, batch: pa.RecordBatch, under_way: set[str]) -> _Waiting:
        """Names under way were asked for an earlier batch, which is let go first."""
        missing = self.table.missing(self._sender_domains(batch))
        names = [name for name in missing if name not in under_way and unaskable(name) is None]
        if not names:
            return _Waiting(batch, names, None)
        under_way.update(names)
        try:
            answers = self._resolve(names)
        except Exception as error:  # noqa: BLE001 - raised again when it is this batch's turn
            answers = Future()
            answers.set_exception(error)
        return _Waiting(batch, names, answers)

    def _sender_domains(self, batch: pa.RecordBatch) -> list[str]:
        """The distinct usable sender domains of a batch, canonical."""
        columns = batch.select([name for name in _SENDER_COLUMNS if name in batch.schema.names])
        found: dict[str, None] = {}
        for part in self._finder.classify(columns, domains=self._facts):
            domains = pc.unique(pa.record_batch(part).column("sender_domain")).drop_null()
            found.update(dict.fromkeys(domains.to_pylist()))
        return list(found)

    def _answered(self, waiting: deque[_Waiting], under_way: set[str]) -> pa.RecordBatch:
        """The first batch, after its answers are in the table."""
        batch, names, answers = waiting[0]
        if answers is not None:
            while not answers.done():  # `wait` itself may sleep through a cancellation that nobody acknowledges
                wait([answers], _BEAT)
            given = answers.result()
            taken = self.table.take({name: given.get(name, {}) for name in names})
            for _ in self.tally.counting(taken.items()):
                pass
            under_way.difference_update(names)
        waiting.popleft()
        return batch
