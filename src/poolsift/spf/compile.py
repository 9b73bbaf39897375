"""SPF of a domain for every client address at once: its record tree compiled into segments of the address space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import spf

from poolsift.spf.branches import Branches
from poolsift.spf.query import checked_domain
from poolsift.spf.record import NONE
from poolsift.spf.segments import TooLarge
from poolsift.spf.step import WORDS
from poolsift.spf.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Generator

    from poolsift.dns.answers import Answer, Question


class Program(NamedTuple):
    """The result for every client address of one family: that of ``words[i]`` from ``starts[i]`` on.

    ``starts`` ascend from 0; ``words`` are numbers of SPF words, 1 to 7 in the order of ``records.SPF_WORDS``.
    IPv4-mapped IPv6 addresses are IPv4 clients (RFC 7208 section 5): the program of IPv6 says nothing of them.
    """

    starts: tuple[int, ...]
    words: bytes


class NotCompiled(NamedTuple):
    """The result depends on more than the client address, and is evaluated message by message.

    ``reason``: ``ptr``, ``macro %{i}`` or another letter, or ``size``: more questions, segments or work than one tree
    may cost. ``needs_local``: it may depend on the local part of MAIL FROM; where that was not found out, it may.
    """

    reason: str
    needs_local: bool


class Compiler:
    """Compiles domain after domain and remembers branches that they share, within bounds.

    Generators of one compiler may be under way at the same time in one thread. No result depends on what is
    remembered; branches in which an answer was unknown are not.
    """

    def __init__(self) -> None:
        self._branches = Branches()

    def compile(
        self, domain: str, family: Literal[4, 6]
    ) -> Generator[list[Question], list[Answer], Program | NotCompiled]:
        """What ``evaluate`` says of ``domain``, a canonical name, for each client address of a family.

        Yields the questions that are needed next and is sent one answer a question in their order. An unknown answer
        gives ``temperror`` to the addresses that come to it. Nothing is raised for what records or answers are.
        """
        origin = checked_domain(domain)
        if origin is None:
            return Program((0,), bytes([NONE]))
        try:
            branch = yield from Tree(origin, family, self._branches).branch(origin, spf.MAX_LOOKUP)
        except TooLarge:
            return NotCompiled("size", needs_local=True)
        if branch.reason is not None:
            # An error of the DNS may have hidden what is there when the messages are evaluated.
            return NotCompiled(branch.reason, branch.needs_local or not branch.certain)
        return Program(*branch.segments.changed(WORDS))
