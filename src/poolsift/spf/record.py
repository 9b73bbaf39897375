"""One SPF record taken apart by pyspf's own syntax check (RFC 7208 section 4.6): its terms, without evaluating them."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, Never

import spf

from poolsift.records import SPF_WORDS
from poolsift.spf.query import FAULTS, KnownQuery

#: Numbers of SPF words, shared with tables and kernel: the order of ``records.SPF_WORDS``, from 1 on.
PASS, FAIL, SOFTFAIL, NEUTRAL, NONE, PERMERROR, TEMPERROR = range(1, 8)

#: Macros that differ from message to message. ``d``, ``o`` and ``v`` do not for one domain and family of addresses;
#: ``c``, ``r`` and ``t`` are syntax errors in every name that is looked up (section 7.2).
_PER_MESSAGE: Final = frozenset("islhp")
#: Any client of the family: for what a record's syntax is.
SOME_CLIENT: Final = {4: "192.0.2.1", 6: "2001:db8::1"}
#: Stands for what differs from message to message. Never empty, and no part of a name that has records.
_SOMETHING: Final = "\x00"


class PerMessageName(str):
    """A domain-spec whose expansion differs from message to message; ``letters``: those of its macros, in order."""

    __slots__ = ("letters",)
    letters: tuple[str, ...]


class Term(NamedTuple):
    """One mechanism: ``word`` is the result of a match, ``target`` a domain or, for ip4 and ip6, an address.

    ``target`` is None for a bare ``all``; ``length`` is a prefix length of the family in question.
    """

    mechanism: str
    target: str | None
    length: int
    word: int


class Record(NamedTuple):
    """The terms in their order, or the ``word`` that every client gets for the record as a whole (else None).

    ``uses_origin``: some macro asks for the domain that the evaluation began with; ``uses_ptr``: some macro, if only
    of a modifier without effect, asks for the client's name, which pyspf looks up while it checks the syntax.
    """

    word: int | None
    terms: tuple[Term, ...] = ()
    redirect: str | None = None
    uses_origin: bool = False
    uses_ptr: bool = False


def take_apart(text: str, domain: str, origin: str, family: Literal[4, 6]) -> Record:
    """The record ``text`` of ``domain``, met on the way from ``origin``, for clients of one family; never raises."""
    reading = _Reading(SOME_CLIENT[family], origin)
    word = redirect = None
    try:
        result = reading.check1(text, domain, 1)[0]  # as one that is included, for which pyspf explains nothing
        # Without its mechanisms a record is neutral; none means that pyspf takes the text for no SPF record after all.
        word = NONE if result == "none" else None
    except _Redirected as found:
        redirect = found.domain
    except spf.PermError:
        word = PERMERROR
    except FAULTS:
        word = TEMPERROR
    return Record(word, tuple(reading.terms), redirect, "o" in reading.letters, "p" in reading.letters)


class _Redirected(Exception):  # noqa: N818 - no error: where the record ends
    """Leaves pyspf at the end of a record with ``redirect=``."""

    def __init__(self, domain: str) -> None:
        super().__init__(domain)
        self.domain = domain


class _Reading(KnownQuery):
    """pyspf whose mechanisms are noted down and match nobody, so that it walks through the record to its end."""

    def __init__(self, address: str, origin: str) -> None:
        super().__init__(address, origin, _SOMETHING, {})
        self.i = self.l = self.s = self.p = _SOMETHING
        self.terms: list[Term] = []
        self.letters: set[str] = set()

    def validate_mechanism(self, mech: str) -> tuple[str, str, None, int, str]:
        _, mechanism, target, length, result = super().validate_mechanism(mech)
        self.terms.append(Term(mechanism, target, length, SPF_WORDS.index(result) + 1))
        return mech, "noted", None, 0, "neutral"

    def expand(self, s: str, stripdot: bool = True) -> str:
        if "%" not in s:
            return str(super().expand(s, stripdot))
        letters = tuple(macro[1:2].lower() for _, macro in spf.RE_CHAR.findall(s) if macro)
        self.letters.update(letters)  # first, for pyspf looks up %{p} before it comes upon an error further on
        name: str = super().expand(s, stripdot)
        if _PER_MESSAGE.isdisjoint(letters):
            return name
        marked = PerMessageName(name or _SOMETHING)  # %{l0} leaves nothing of one label, but something of two
        marked.letters = tuple(letter for letter in letters if letter in _PER_MESSAGE)
        return marked

    def dns_spf(self, domain: str) -> Never:
        raise _Redirected(domain)

    def dns(self, name: str, qtype: str, **_: object) -> list[Any]:
        raise AssertionError(f"the syntax of a record asks for {qtype} of {name}")
