"""The record tree below one domain worked through for all client addresses of a family at once (RFC 7208 section 4.6).

Each record becomes segments of the address space, counted from its own beginning, by the terms in their order: what a
term comes to for each address goes on where nothing has matched yet. A record is followed only as far as the look-ups
that are left by the address with the fewest of them; loops end there by themselves.
"""

from __future__ import annotations

from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Final, Literal

import spf

from poolsift.spf.asking import Answers
from poolsift.spf.branches import Branch
from poolsift.spf.mechanisms import listed, looked_up
from poolsift.spf.query import as_question
from poolsift.spf.record import NEUTRAL, NONE, PERMERROR, TEMPERROR, PerMessageName, Record, Term, take_apart
from poolsift.spf.segments import Segments, TooLarge, everywhere
from poolsift.spf.step import UNDECIDED, included, step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from poolsift.dns.answers import Question
    from poolsift.spf.asking import Asking
    from poolsift.spf.branches import Branches

#: Characters that are read and segments that are put together for one tree: about two seconds' work.
MOST_WORK: Final = 1 << 20

_LISTED: Final = frozenset({"ip4", "ip6"})


class Tree:
    """One evaluation for every client address of ``family``, begun at ``origin``; raises TooLarge.

    Branches that are already in ``branches`` are not asked for again, and those that are certain are added.
    """

    def __init__(self, origin: str, family: Literal[4, 6], branches: Branches) -> None:
        self._origin = origin
        self._family = family
        self._branches = branches
        self._answers = Answers(origin, family)
        self._work = 0

    def branch(self, name: str, left: int) -> Asking[Branch]:
        """The record of a name and what is below it, for addresses that have ``left`` look-ups left."""
        made = self._remembered(name, left)
        if made is not None:
            return made
        text, error = yield from self._answers.record(name)
        if error is not None:
            made = Branch(everywhere(step(error)), certain=error != TEMPERROR)
        elif text is None:
            made = Branch(everywhere(step(NONE)), published=False)
        else:
            self._spend(len(text))
            record = take_apart(text, name, self._origin, self._family)
            made = yield from _Walk(self, record, left).branch()
        if made.certain:
            self._branches.add(self._family, name, self._origin, made)
        return made

    def term(self, term: Term) -> Asking[tuple[Segments, bool]]:
        """What ``a``, ``mx`` or ``exists`` comes to, and whether the answers were certain."""
        addresses, error, voids = yield from self._answers.addresses(term)
        if error is not None:
            return everywhere(step(error, 1, voids)), error != TEMPERROR
        if term.mechanism == "exists":
            return everywhere(step(term.word if addresses else UNDECIDED, 1, voids)), True
        return looked_up(addresses, term, self._family, voids), True

    def listed(self, terms: Iterable[Term]) -> Segments:
        """What a run of ``ip4`` and ``ip6`` comes to."""
        return listed(terms, self._family)

    def then(self, sofar: Segments, following: Segments) -> Segments:
        """Segments put together, as long as that does not become too much work."""
        self._spend(len(sofar.starts) + len(following.starts))
        return sofar.then(following)

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > MOST_WORK:
            raise TooLarge

    def foresee(self, terms: Iterable[Term], left: int) -> Asking[None]:
        """Ask at once for what these terms, each of which counts as a look-up, are going to ask for one by one."""
        counted = zip(terms, range(left, 0, -1), strict=False)
        yield from self._answers.foresee([self._question(term, still_left - 1) for term, still_left in counted])

    def _question(self, term: Term, left: int) -> Question | None:
        """The first question of a term, if that is known and one is needed."""
        name, mechanism = term.target, term.mechanism
        if name is None or isinstance(name, PerMessageName) or mechanism == "ptr":
            return None
        if mechanism == "include":
            return as_question(name, "TXT") if self._remembered(name, left) is None else None
        return as_question(name, {"a": self._answers.address_type, "mx": "MX", "exists": "A"}[mechanism])

    def _remembered(self, name: str, left: int) -> Branch | None:
        return self._branches.get(self._family, name, self._origin, left)


class _Walk:
    """One record from its first term to its last; what is found out about it on the way."""

    def __init__(self, tree: Tree, record: Record, left: int) -> None:
        self._tree = tree
        self._record = record
        self._left = left
        self._reason = "macro %{p}" if record.uses_ptr else None
        self._needs_local = False
        self._uses_origin = record.uses_origin
        self._certain = True
        self._cut = False

    def branch(self) -> Asking[Branch]:
        """The whole record."""
        segments = yield from self._segments()
        reached = self._left if self._cut else spf.MAX_LOOKUP
        return Branch(
            segments,
            reason=self._reason,
            needs_local=self._needs_local,
            uses_origin=self._uses_origin,
            certain=self._certain,
            lookups=reached,
        )

    def _segments(self) -> Asking[Segments]:
        """The terms in their order, as long as some address has not matched."""
        record = self._record
        if record.word is not None:
            return everywhere(step(record.word))
        sofar = everywhere(step(UNDECIDED, lookups=int(record.redirect is not None)))  # counted with the syntax
        yield from self._tree.foresee(self._lookup_terms(), self._left - int(record.redirect is not None))
        for is_listed, terms in _runs(record.terms):
            fewest = sofar.fewest_lookups
            if fewest is None:
                return sofar
            layer = self._tree.listed(terms) if is_listed else (yield from self._layer(terms[0], self._left - fewest))
            sofar = self._tree.then(sofar, layer)
        fewest = sofar.fewest_lookups
        if fewest is None:
            return sofar
        return self._tree.then(sofar, (yield from self._end(self._left - fewest)))

    def _lookup_terms(self) -> Iterator[Term]:
        """The terms that ask something, in the order in which they may come to it."""
        reached = takewhile(lambda term: term.mechanism != "all", self._record.terms)
        return (term for term in reached if term.mechanism not in _LISTED)

    def _layer(self, term: Term, left: int) -> Asking[Segments]:
        """What one term comes to, with ``left`` look-ups left to the address that has most left."""
        if term.mechanism == "all":
            return everywhere(step(term.word))
        if left < 1:
            self._cut = True
            return everywhere(step(PERMERROR))
        if term.mechanism == "ptr":
            return self._not_static("ptr", needs_local=False)
        if isinstance(term.target, PerMessageName):
            return self._unnamed(term.target, leads_on=term.mechanism == "include")
        if term.mechanism == "include":
            below = yield from self._below(term.target or "", left - 1)
            return everywhere(step(UNDECIDED, 1)) if below.reason else below.segments.changed(included(term.word))
        segments, certain = yield from self._tree.term(term)
        self._certain &= certain
        return segments

    def _end(self, left: int) -> Asking[Segments]:
        """What the record comes to where no term matches (sections 4.7 and 6.1)."""
        name = self._record.redirect
        if name is None:
            return everywhere(step(NEUTRAL))
        if left < 0:  # the look-up of the redirect is already counted
            self._cut = True
            return everywhere(step(PERMERROR))
        if isinstance(name, PerMessageName):
            return self._unnamed(name, leads_on=True)
        below = yield from self._below(name, left)
        return below.segments if below.published else everywhere(step(PERMERROR))

    def _below(self, name: str, left: int) -> Asking[Branch]:
        """The branch of another record, which makes this one what that is."""
        below = yield from self._tree.branch(name, left)
        self._reason = self._reason or below.reason
        self._needs_local |= below.needs_local
        self._uses_origin |= below.uses_origin
        self._certain &= below.certain
        self._cut |= below.lookups < spf.MAX_LOOKUP
        return below

    def _unnamed(self, name: PerMessageName, *, leads_on: bool) -> Segments:
        """A name that differs from message to message; what stands in records found by it may ask for anything."""
        return self._not_static(f"macro %{{{name.letters[0]}}}", leads_on or not {"l", "s"}.isdisjoint(name.letters))

    def _not_static(self, reason: str, needs_local: bool) -> Segments:
        """The term may match or not; what follows is still looked through for what it depends on."""
        self._reason = self._reason or reason
        self._needs_local |= needs_local
        return everywhere(step(UNDECIDED, 1))


def _runs(terms: Iterable[Term]) -> Iterator[tuple[bool, list[Term]]]:
    """Consecutive terms that list addresses together, every other term alone."""
    for is_listed, run in groupby(terms, key=lambda term: term.mechanism in _LISTED):
        if is_listed:
            yield True, list(run)
        else:
            yield from ((False, [term]) for term in run)
