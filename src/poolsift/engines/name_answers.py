"""From a set of names to their answers: cache first, then resolvers, then the rows of a snapshot.

The cache is the checkpoint: a run that was killed goes on where it stopped, for names with a fresh answer are not
asked again. Memory does not grow with the names.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from poolsift.dns.answers import Answer, AnswerStatus, Reason, unknown
from poolsift.dns.caching import NOT_ASKED
from poolsift.dns.inquiry import Inquiry, counting, settled_types, with_stale
from poolsift.dns.names import unaskable
from poolsift.dns.zones import ZoneCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from poolsift.dns.cache import DnsCache
    from poolsift.dns.engine import AnyInquiry
    from poolsift.engines.name_set import NameSet

    Progress = Callable[[int, int], None]

#: Names looked up in the cache at once.
_CHUNK: Final = 1_000
#: Reasons that another try may end; the others are settled for this run.
FLEETING: Final = frozenset(
    {
        Reason.TIMEOUT, Reason.SERVFAIL, Reason.REFUSED, Reason.CONNECTION, Reason.NETWORK, Reason.CIRCUIT_OPEN,
        Reason.MALFORMED, Reason.MISMATCH, Reason.EMPTY_REPLY, Reason.LAME, Reason.UNCONFIRMED,
    }
)  # fmt: skip


class NamesWanted(NamedTuple):
    """Names, what is needed of each (see Inquiry), and how many are asked below one organizational domain (0: all).

    Which names that cap leaves out depends on the names alone, not on what a cache holds or how many processes ask:
    a run that was killed and goes on ends as if it had not been.
    """

    names: NameSet
    need: str
    zone_cap: int = 0

    def chunks(self) -> Iterator[list[tuple[str, Reason | None]]]:
        """All names in order, some at a time, each with the reason why nobody is to be asked about it."""
        zones = ZoneCounts(self.zone_cap)
        for chunk in self.names.chunks(_CHUNK):
            yield [(name, unaskable(name) or (None if zones.admits(name) else Reason.ZONE_CAP)) for name in chunk]


class Asker(Protocol):
    """Whoever brings inquiries to their end."""

    def refresh(self) -> None:
        """Before questions are asked again: nothing that a library remembers may answer them."""

    def run(self, inquiries: Iterable[AnyInquiry], finished: Callable[[AnyInquiry], None]) -> None:
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
            self.invalid[_word(held[0])] += 1
        elif len(held) == 2 and all(answer.status is AnswerStatus.ABSENT for answer in held):
            self.neither += 1
        else:
            self.unknown[next((_word(one) for one in held if one.status is AnswerStatus.UNKNOWN), "unknown")] += 1


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

    def ask(self, wanted: NamesWanted) -> None:
        """Bring every name to an answer in the cache; names that stayed unknown are asked once more at the end."""
        if self._asker is None:
            for _ in self._inquiries(wanted, len(wanted.names), again=False):
                pass  # only to count what the cache holds
            return
        if not len(wanted.names):
            return
        try:
            self._pass(self._asker, wanted)
            if self._fleeting:
                time.sleep(self._recheck_after)
                self._asker.refresh()
                self._pass(self._asker, wanted, again=True)
        finally:
            self._cache.commit()

    def answers_of(self, wanted: NamesWanted) -> Iterator[tuple[str, dict[str, Answer]]]:
        """(name, its answers) in order, as they are published: of this run's types only, stale ones where allowed."""
        for chunk in wanted.chunks():
            names = [name for name, _ in chunk]
            stale = self._cache.stale(names)
            capped = any(refusal is Reason.ZONE_CAP for _, refusal in chunk)
            fresh = self._cache.lookup(names) if capped or self._asker is None else {}
            # What this run learned may be past its time before the run ends, and counts all the same.
            learned = fresh if self._asker is None else self._cache.lookup(names, any_age=True)
            for name, refusal in chunk:
                held = (fresh if refusal else learned).get(name, {})
                yield name, self._published(name, wanted.need, refusal, held, stale.get(name, {}))

    def _published(
        self, name: str, need: str, refusal: Reason | None, held: Mapping[str, Answer], stale: Mapping[str, Answer]
    ) -> dict[str, Answer]:
        if refusal not in {None, Reason.ZONE_CAP}:
            return dict.fromkeys(("A", "MX"), Answer(AnswerStatus.INVALID, reason=refusal))
        # That nobody could be asked is worth saying here, although another run asks all the same.
        held = {**_asked(held), **{rdtype: one for rdtype, one in held.items() if one.reason == Reason.CIRCUIT_OPEN}}
        inquiry = Inquiry(name, need, {rdtype: held[rdtype] for rdtype in settled_types(need, held)})
        gap = unknown(refusal or (Reason.OFFLINE if self._asker is None else Reason.NOT_LISTED))
        while (step := inquiry.next_step()) is not None:
            inquiry.take(step, gap)
        used = counting(with_stale(inquiry.answers, stale))
        self.stale += sum(one.reason == Reason.STALE for one in used.values())
        return used

    def _pass(self, asker: Asker, wanted: NamesWanted, *, again: bool = False) -> None:
        self._fleeting = self._done = 0
        total = len(wanted.names)

        def finished(inquiry: Inquiry) -> None:
            self._cache.put(inquiry.news)
            self.asked += not again
            self._fleeting += _is_fleeting(inquiry.answers)
            self._advance(total)

        asker.run(self._inquiries(wanted, total, again=again), finished)

    def _inquiries(self, wanted: NamesWanted, total: int, *, again: bool) -> Iterator[Inquiry]:
        """The names that have still to be asked, with what is known of them."""
        for chunk in wanted.chunks():
            held = self._cache.lookup([name for name, _ in chunk])
            for name, refusal in chunk:
                known = _asked(held.get(name, {}))
                if again:
                    known = {rdtype: one for rdtype, one in known.items() if one.reason not in FLEETING}
                inquiry = Inquiry(name, wanted.need, known)
                complete = inquiry.next_step() is None
                if refusal is None and not complete:
                    yield inquiry
                else:
                    self.from_cache += complete and not again
                    self._advance(total)

    def _advance(self, total: int) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, total)


def _word(answer: Answer) -> str:
    """Why an answer is what it is, as plain text: a member of Reason is no key of a JSON object."""
    return str(answer.reason or answer.status)


def _asked(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers that somebody was asked for."""
    return {rdtype: one for rdtype, one in answers.items() if one.reason not in NOT_ASKED}


def _is_fleeting(answers: Mapping[str, Answer]) -> bool:
    present = any(answer.status is AnswerStatus.PRESENT for answer in answers.values())
    return not present and any(answer.reason in FLEETING for answer in answers.values())


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
