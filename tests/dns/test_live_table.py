"""Answers that arrive while a run goes on: the first word stands, and doubt never becomes an absence."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolsift
from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.dns.live_table import LiveTable

PRESENT = Answer(AnswerStatus.PRESENT, ("192.0.2.1",))
MAIL = Answer(AnswerStatus.PRESENT, ("10 mail.example.com",))
NULL_MX = Answer(AnswerStatus.PRESENT, ("0 .",))
ABSENT = Answer(AnswerStatus.ABSENT, reason=Reason.NODATA, confirmed=True)
UNCONFIRMED = Answer(AnswerStatus.ABSENT, reason=Reason.NODATA)
TIMEOUT = Answer(AnswerStatus.UNKNOWN, reason=Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"MX": MAIL}, ("unlisted", "present", "unlisted", False)),
        ({"MX": NULL_MX, "A": ABSENT}, ("absent", "present", "unlisted", True)),
        ({"MX": ABSENT, "A": ABSENT, "AAAA": PRESENT}, ("absent", "absent", "present", False)),
        ({"MX": UNCONFIRMED, "A": PRESENT}, ("present", "absent", "unlisted", False)),
        ({"MX": TIMEOUT, "A": UNCONFIRMED}, ("absent", "unknown", "unlisted", False)),
        ({}, ("unknown", "unknown", "unlisted", False)),
        ({"AAAA": PRESENT, "TXT": PRESENT}, ("unknown", "unknown", "present", False)),
    ],
)
def test_answers_are_stated_by_type(answers, expected):
    """What was not asked stays unlisted; a name without any answer that decides is unknown."""
    live = LiveTable()
    live.take({"a.example": answers})

    assert live.table.lookup("a.example") == expected


@pytest.mark.parametrize("pair", [(UNCONFIRMED, UNCONFIRMED), (ABSENT, UNCONFIRMED), (UNCONFIRMED, ABSENT)])
def test_a_pair_of_absences_counts_only_where_both_are_confirmed(pair):
    """One resolver's word that nothing is there is not enough for "neither A nor MX"."""
    live = LiveTable()
    taken = live.take({"a.example": {"MX": pair[0], "A": pair[1]}})
    statuses = live.table.lookup("a.example")[:2]

    assert "unknown" in statuses
    assert Reason.UNCONFIRMED in {answer.reason for answer in taken["a.example"].values()}


@given(
    st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from((MAIL, ABSENT, TIMEOUT)), max_size=4), max_size=6)
)
def test_the_first_answer_to_a_name_stands(parts):
    """One run has one answer to a name, whatever comes later."""
    live, first = LiveTable(), {}
    for part in parts:
        live.take({f"{letter}.example": {"MX": answer, "A": answer} for letter, answer in part.items()})
        first = part | first
    names = [f"{letter}.example" for letter in "abcd"]

    assert {name[0]: live.table.lookup(name)[1] for name in names if live.table.lookup(name)} == {
        letter: answer.status.value for letter, answer in first.items()
    }
    assert live.missing(names) == [name for name in names if name[0] not in first]
    assert len(live) == len(first)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_a_classifier_over_it_does_not_leave_its_process(copied):
    """Its answers would stop coming there."""
    with pytest.raises(TypeError, match="LiveTable cannot be pickled"):
        copied(poolsift.Classifier(dns=LiveTable()))


def test_it_has_neither_file_nor_hash():
    """So that nothing names a run by answers that are still coming."""
    live = LiveTable()

    assert (live.path, live.sha256) == (None, None)
