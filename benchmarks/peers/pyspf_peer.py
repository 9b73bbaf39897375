"""SPF by pyspf over answers in memory, in three forms; every record is known beforehand and nothing is asked twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import spf

from tests.reference.spf_query import WORDS, Plain, Records
from tests.reference.spf_sides import driven

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.reference.spf_zone import Tree

Tuples = list[tuple[str, str]]


class Direct:
    """The quickest form we know: pyspf's own question method is replaced by a look-up in a dict of ready answers."""

    name = "pyspf"

    def __init__(self, tree: Tree) -> None:
        self._records = Records(tree.ask)

    def words(self, tuples: Tuples) -> bytes:
        records = self._records
        return bytes(WORDS.index(Plain(records, domain, address).word()) for domain, address in tuples)


class Hook:
    """pyspf as it comes, its module-wide hook answering from a dict."""

    name = "hook"

    def __init__(self, tree: Tree) -> None:
        self._records = Records(tree.ask)

    def _answer(self, name: str, qtype: str, *_: Any) -> Iterator[tuple[tuple[str, str], Any]]:
        return (((name, qtype), value) for value in self._records(name, qtype))

    def words(self, tuples: Tuples) -> bytes:
        before, spf.DNSLookup = spf.DNSLookup, self._answer
        try:
            return bytes(
                WORDS.index(spf.query(i=address, s=f"x@{domain}", h="h.example", querytime=0).check()[0])
                for domain, address in tuples
            )
        finally:
            spf.DNSLookup = before


class Evaluation:
    """What the library does for a tuple that has no table: the question generator, its questions answered at once."""

    name = "evaluation"

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def words(self, tuples: Tuples) -> bytes:
        from poolsift.spf.evaluate import evaluation

        answers = self._tree.answers
        return bytes(
            WORDS.index(driven(evaluation(address, domain, None), answers).result) for domain, address in tuples
        )


FORMS: Sequence[Any] = (Direct, Hook, Evaluation)
