"""Question generators driven three ways: by answers at hand, over a resolver in time, and as far as is known."""

import asyncio

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.spf.driving import MissingAnswersError, drive, drive_known, drive_live
from tests.spf.zone import BatchedResolver

A, B = Question("a.example", "TXT"), Question("b.example", "TXT")
YES = Answer(AnswerStatus.PRESENT, ("yes",))


def asking(log, *rounds):
    """Asks each list in turn and returns every answer."""
    got = []
    try:
        for questions in rounds:
            got += yield questions
    finally:
        log.append("closed")
    return got


def test_a_generator_gets_one_answer_a_question():
    log = []
    result = drive(asking(log, [A], [B, A]), lambda questions: [one.name for one in questions])

    assert (result, log) == (["a.example", "b.example", "a.example"], ["closed"])


def test_a_generator_that_asks_nothing_has_a_result():
    log = []

    assert drive(asking(log), None) == []
    assert asyncio.run(drive_live(asking(log), None)) == []


def test_over_a_resolver():
    resolver = BatchedResolver({"a.example": "yes", "b.example": "no"})
    result = asyncio.run(drive_live(asking([], [A, B], [A]), resolver))

    assert [one.rdata for one in result] == [("yes",), ("no",), ("yes",)]
    assert resolver.batches == [[tuple(A), tuple(B)], [tuple(A)]]


def test_beyond_the_budget_it_is_over():
    """The generator learns that it is not wanted any more."""
    log = []

    with pytest.raises(TimeoutError):
        asyncio.run(drive_live(asking(log, [A], [A]), BatchedResolver({}, seconds=60), budget=0.01))

    assert log == ["closed"]


def test_as_far_as_is_known():
    """What is lacking is named, all that was asked at once, and nothing that is known."""
    log = []

    with pytest.raises(MissingAnswersError) as raised:
        drive_known(asking(log, [A], [A, B]), {A: YES}.get)

    assert (raised.value.questions, log) == ((B,), ["closed"])
    assert drive_known(asking(log, [A], [B]), {A: YES, B: YES}.get) == [YES, YES]
