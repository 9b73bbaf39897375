"""From a set of names to their answers: cache first, then resolvers, then the rows of a snapshot.

The cache is the checkpoint: a run that was killed goes on where it stopped, for names with a fresh answer are not
asked again. Memory does not grow with the names.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from poolsift.dns.answers import Answer, AnswerStatus, Reason, unknown
from poolsift.dns.inquiry import Inquiry, counting, settled_types, with_stale
from poolsift.dns.names import unaskable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from poolsift.dns.cache import DnsCache
    from poolsift.engines.name_set import NameSet

    Progress = Callable[[int, int], None]

#: Names looked up in the cache at once.
_CHUNK: Final = 1_000
#: Reasons that another try may end; the others are settled for this run.
_FLEETING: Final = frozenset(
    {
        Reason.TIMEOUT, Reason.SERVFAIL, Reason.REFUSED, Reason.CONNECTION, Reason.NETWORK, Reason.CIRCUIT_OPEN,
        Reason.MALFORMED, Reason.MISMATCH, Reason.EMPTY_REPLY, Reason.LAME, Reason.UNCONFIRMED,
    }
)  # fmt: skip


class Asker(Protocol):
    """Whoever brings inquiries to their end."""

    def run(self, inquiries: Iterable[Inquiry], finished: Callable[[Inquiry], None]) -> None:
        """``finished`` takes each inquiry at its end, in any order."""


@dataclass
class Tally:
    """How many names came to what: it resolves, neither A nor MX (confirmed), unknown and invalid by reason."""

    names: int = 0
    resolves: int = 0
    neither: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)

    def counting(self, rows: Iterable[tuple[str, dict[str, Answer]]]) -> Iterator[tuple[str, dict[str, Answer]]]:
        """The same rows; each is counted as it passes."""
        for name, answers in rows:
            self._add(answers)
            yield name, answers

    def _add(self, answers: Mapping[str, Answer]) -> None:
        held = [answers[rdtype] for rdtype in ("MX", "A") if rdtype in answers]
        self.names += 1
        if any(answer.status is AnswerStatus.PRESENT for answer in held):
            self.resolves += 1
        elif any(answer.status is AnswerStatus.INVALID for answer in held):
            self.invalid[held[0].reason or "invalid"] += 1
        elif len(held) == 2 and all(answer.status is AnswerStatus.ABSENT for answer in held):
            self.neither += 1
        else:
            self.unknown[next((a.reason for a in held if a.status is AnswerStatus.UNKNOWN), None) or "unknown"] += 1


class NameAnswers:
    """What one run asks and learns; ``asker`` None asks nobody (offline).

    ``asked`` and ``from_cache`` count names, ``stale`` answers of before that stood in for failures.
    """

    def __init__(
        self,
        cache: DnsCache,
        asker: Asker | None,
        *,
        recheck_after: float,
        progress: Progress | None = None,
    ) -> None:
        self._cache = cache
        self._asker = asker
        self._recheck_after = recheck_after
        self._progress = progress
        self._done = 0
        self._fleeting = 0
        self.asked = 0
        self.from_cache = 0
        self.stale = 0

    def ask(self, names: NameSet, need: str) -> None:
        """Bring every name to an answer in the cache; names that stayed unknown are asked once more at the end."""
        if self._asker is None or not len(names):
            return
        try:
            self._pass(names, need)
            if self._fleeting:
                time.sleep(self._recheck_after)
                self._pass(names, need, again=True)
        finally:
            self._cache.commit()

    def answers_of(self, names: NameSet, need: str) -> Iterator[tuple[str, dict[str, Answer]]]:
        """(name, its answers) in order, as they are published: of this run's types only, stale ones where allowed."""
        for chunk in names.chunks(_CHUNK):
            held = self._cache.lookup(chunk, any_age=True)
            stale = self._cache.stale(chunk)
            for name in chunk:
                yield name, self._published(name, need, held.get(name, {}), stale.get(name, {}))

    def _published(
        self, name: str, need: str, held: Mapping[str, Answer], stale: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        reason = unaskable(name)
        if reason is not None:
            return dict.fromkeys(("A", "MX"), Answer(AnswerStatus.INVALID, reason=reason))
        found = {rdtype: held[rdtype] for rdtype in settled_types(need, held)}
        used = counting(with_stale(found, stale))
        self.stale += sum(one.reason == Reason.STALE for one in used.values())
        return used or {"A" if need == "addresses" else "MX": unknown(Reason.OFFLINE)}

    def _pass(self, names: NameSet, need: str, *, again: bool = False) -> None:
        assert self._asker is not None
        self._fleeting = self._done = 0
        total = len(names)

        def finished(inquiry: Inquiry) -> None:
            self._cache.put(inquiry.news)
            self.asked += not again
            self._fleeting += _is_fleeting(inquiry.answers)
            self._advance(total)

        self._asker.run(self._inquiries(names, need, total, again=again), finished)

    def _inquiries(self, names: NameSet, need: str, total: int, *, again: bool) -> Iterator[Inquiry]:
        """The names that have still to be asked, with what is known of them."""
        for chunk in names.chunks(_CHUNK):
            held = self._cache.lookup(chunk)
            for name in chunk:
                known = held.get(name, {})
                if again:
                    known = {rdtype: one for rdtype, one in known.items() if one.reason not in _FLEETING}
                inquiry = Inquiry(name, need, known)
                if unaskable(name) is None and inquiry.next_step() is not None:
                    yield inquiry
                else:
                    self.from_cache += bool(known) and not again
                    self._advance(total)

    def _advance(self, total: int) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, total)


def _is_fleeting(answers: Mapping[str, Answer]) -> bool:
    present = any(answer.status is AnswerStatus.PRESENT for answer in answers.values())
    return not present and any(answer.reason in _FLEETING for answer in answers.values())


def merged(
    one: Iterable[tuple[str, dict[str, Answer]]], other: Iterable[tuple[str, dict[str, Answer]]]
) -> Iterator[tuple[str, dict[str, Answer]]]:
    """Two ordered streams of (name, answers) as one; a name of both has the answers of both."""
    last: tuple[str, dict[str, Answer]] | None = None
    for name, answers in heapq.merge(one, other, key=lambda pair: pair[0]):
        if last is not None and last[0] == name:
            last = name, {**answers, **last[1]}
            continue
        if last is not None:
            yield last
        last = name, answers
    if last is not None:
        yield last


def mail_hosts(answers: Iterable[tuple[str, dict[str, Answer]]]) -> Iterator[str]:
    """The hosts that MX answers name; a null MX names none (RFC 7505)."""
    for _, types in answers:
        for rdata in types["MX"].rdata if "MX" in types else ():
            host = rdata.partition(" ")[2]
            if unaskable(host) is None:
                yield host
