"""Drives question generators: to their end by answers at hand, by a resolver within a budget, or as far as is known.

A question generator yields lists of questions, is sent one answer a question in their order, and returns a result. It
does no I/O and knows no clock; whoever drives it has both.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from poolsift.dns.answers import Answer, Question, Resolver

    T = TypeVar("T")
    Asking: TypeAlias = Generator[list[Question], list[Answer], T]

#: Seconds for one domain, its queries included (RFC 7208 section 4.6.4: at least 20).
BUDGET: Final = 20.0


class MissingAnswersError(Exception):
    """A generator asked what is not known yet: ``questions``, all it asked at once."""

    def __init__(self, questions: Sequence[Question]) -> None:
        super().__init__(questions)
        self.questions = tuple(questions)


def drive(asking: Asking[T], lookup: Callable[[list[Question]], list[Answer]]) -> T:
    """The generator's result over answers at hand. What ``lookup`` raises ends the generator and is raised."""
    try:
        questions = next(asking)
        while True:
            questions = asking.send(lookup(questions))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        asking.close()


async def drive_live(asking: Asking[T], resolver: Resolver, *, budget: float = BUDGET) -> T:
    """The generator's result over a resolver. Raises TimeoutError after ``budget`` seconds of the running loop."""
    try:
        questions = next(asking)
        async with asyncio.timeout(budget):
            while True:
                answers = await resolver.resolve(questions)
                try:
                    questions = asking.send(answers)
                except StopIteration as end:
                    result: T = end.value
                    return result
    except StopIteration as end:  # nothing had to be asked
        at_once: T = end.value
        return at_once
    finally:
        asking.close()


def drive_known(asking: Asking[T], known: Callable[[Question], Answer | None]) -> T:
    """The generator's result over what is known so far. Raises MissingAnswersError where that does not suffice."""

    def lookup(questions: list[Question]) -> list[Answer]:
        found = [known(question) for question in questions]
        missing = [question for question, answer in zip(questions, found, strict=True) if answer is None]
        if missing:
            raise MissingAnswersError(missing)
        return [answer for answer in found if answer is not None]

    return drive(asking, lookup)
