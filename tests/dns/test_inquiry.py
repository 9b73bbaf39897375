"""Which question comes next, what is looked at twice, and what the answers come to; compared with the slow twin."""

from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.inquiry import NEEDS, Inquiry, settled_types
from tests.reference.dns_judgement import inquired, neither_for_sure

NOW = datetime(2026, 3, 2, tzinfo=UTC)
NAME = "contoso.com"
PRESENT = Answer(AnswerStatus.PRESENT, ("198.51.100.7",), 300, None, NOW)
NODATA = Answer(AnswerStatus.ABSENT, (), 900, Reason.NODATA, NOW)
NXDOMAIN = Answer(AnswerStatus.ABSENT, (), 900, Reason.NXDOMAIN, NOW)
TIMEOUT = unknown(Reason.TIMEOUT, NOW)
LAME = unknown(Reason.LAME, NOW)


def run(script, need="verdict", known=None):
    """(questions in order, answers at the end); ``script``: answers in order. A confirmation is asked as ``A!``."""
    inquiry = Inquiry(NAME, need, known)
    asked = []
    script = iter(script)
    while (step := inquiry.next_step()) is not None:
        assert step.question.name == NAME
        asked.append(step.question.rdtype + "!" * step.confirms)
        inquiry.take(step, next(script))
    assert list(script) == []
    return asked, inquiry.answers


def statuses(answers):
    return {rdtype: answer.status.value for rdtype, answer in answers.items()}


class TestVerdict:
    def test_mx_settles_it(self):
        """A name with an MX resolves; nobody asks for A."""

        assert run([PRESENT]) == (["MX"], {"MX": PRESENT})

    @pytest.mark.parametrize("mx", [NODATA, TIMEOUT])
    def test_without_mx_a_is_asked(self, mx):
        assert run([mx, PRESENT]) == (["MX", "A"], {"MX": mx, "A": PRESENT})

    def test_neither_is_seen_twice(self):
        """Both absences by a second query; then AAAA, for the mark alone."""
        asked, answers = run([NODATA, NODATA, NODATA, NODATA, PRESENT])

        assert asked == ["MX", "A", "A!", "MX!", "AAAA"]
        assert statuses(answers) == {"MX": "absent", "A": "absent", "AAAA": "present"}
        assert answers["MX"].confirmed
        assert answers["A"].confirmed

    def test_name_that_does_not_exist_has_no_type(self):
        """RFC 8020: one NXDOMAIN, seen once more by the other type, settles both."""
        asked, answers = run([NXDOMAIN, NXDOMAIN])

        assert asked == ["MX", "A!"]
        assert statuses(answers) == {"MX": "absent", "A": "absent"}
        assert neither_for_sure(answers)

    def test_nxdomain_beside_a_failure_settles_both_too(self):
        """It speaks of the name, not of the type; that MX timed out does not matter."""
        asked, answers = run([TIMEOUT, NXDOMAIN, NXDOMAIN])

        assert asked == ["MX", "A", "A!"]
        assert neither_for_sure(answers)

    def test_nodata_beside_a_failure_stays_open(self):
        asked, answers = run([TIMEOUT, NODATA])

        assert asked == ["MX", "A"]
        assert statuses(answers) == {"MX": "unknown", "A": "absent"}

    @pytest.mark.parametrize("first", [[NXDOMAIN], [NODATA, NODATA]])
    @pytest.mark.parametrize(("second", "reason"), [(TIMEOUT, Reason.UNCONFIRMED), (LAME, Reason.LAME)])
    def test_what_nobody_saw_twice_is_unknown(self, first, second, reason):
        _, answers = run([*first, second])

        assert statuses(answers) == {"MX": "unknown", "A": "unknown"}
        assert answers["A"].reason == answers["MX"].reason == reason

    @pytest.mark.parametrize("script", [[NXDOMAIN, PRESENT], [NODATA, NODATA, PRESENT], [NODATA, NXDOMAIN, PRESENT]])
    def test_second_look_that_finds_something_wins(self, script):
        _, answers = run(script)

        assert answers["A"] == PRESENT

    def test_second_look_at_mx_that_finds_something_wins(self):
        _, answers = run([NODATA, NODATA, NODATA, PRESENT])

        assert answers["MX"] == PRESENT

    def test_nodata_at_the_second_look_leaves_mx_to_be_seen(self):
        """MX said NXDOMAIN, the confirmation that the name exists without A: so MX is looked at again."""
        asked, answers = run([NXDOMAIN, NODATA, TIMEOUT])

        assert asked == ["MX", "A!", "MX!"]
        assert statuses(answers) == {"MX": "unknown", "A": "absent"}


class TestOtherNeeds:
    def test_full_asks_both(self):
        assert run([PRESENT, NODATA], "full") == (["MX", "A"], {"MX": PRESENT, "A": NODATA})

    def test_addresses_are_asked_once_and_not_confirmed(self):
        assert run([NODATA, NXDOMAIN], "addresses") == (["A", "AAAA"], {"A": NODATA, "AAAA": NXDOMAIN})


class TestKnownAnswers:
    def test_what_is_known_is_not_asked(self):
        assert run([], known={"MX": PRESENT}) == ([], {"MX": PRESENT})

    def test_known_absence_without_confirmation_is_seen_again(self):
        asked, answers = run([NXDOMAIN], known={"MX": NODATA, "A": NODATA})

        assert asked == ["A!"]
        assert neither_for_sure(answers)

    def test_only_news_goes_to_a_cache(self):
        inquiry = Inquiry(NAME, known={"MX": NODATA})
        inquiry.take(inquiry.next_step(), PRESENT)

        assert inquiry.news == [(Question(NAME, "A"), PRESENT)]

    @pytest.mark.parametrize(
        ("need", "rdtypes"), [("verdict", {"MX", "A"}), ("full", {"MX", "A"}), ("addresses", {"A", "AAAA"})]
    )
    def test_refused_name_has_one_answer_for_all(self, need, rdtypes):
        invalid = Answer(AnswerStatus.INVALID, reason=Reason.LITERAL, asked_at=NOW)
        inquiry = Inquiry("192.0.2.1", need)
        inquiry.refuse(invalid)

        assert inquiry.answers == dict.fromkeys(rdtypes, invalid)


ANSWERS = st.sampled_from((PRESENT, NODATA, NODATA, NXDOMAIN, NXDOMAIN, TIMEOUT, LAME))
KNOWN = st.dictionaries(
    st.sampled_from(("MX", "A")),
    st.sampled_from((PRESENT, NODATA, NXDOMAIN, Answer(AnswerStatus.ABSENT, (), 900, Reason.NODATA, NOW, True))),
)
SCRIPTS = st.lists(ANSWERS, min_size=8, max_size=8)


def both_ways(need, known, script):
    """(questions, answers) by the twin and by the inquiry."""
    by_twin, replies = [], iter(script)

    def ask(rdtype, confirms):
        by_twin.append((rdtype, confirms))
        return next(replies)

    expected = inquired(need, known, ask)
    inquiry, asked, replies = Inquiry(NAME, need, known), [], iter(script)
    while (step := inquiry.next_step()) is not None:
        asked.append((step.question.rdtype, step.confirms))
        inquiry.take(step, next(replies))
    return (by_twin, expected), (asked, inquiry.answers)


class TestAgainstTwin:
    @pytest.mark.parametrize("need", ["verdict", "full"])
    def test_every_course_that_an_inquiry_can_take(self, need):
        """All 15,625 sequences of six replies."""
        for script in product((PRESENT, NODATA, NXDOMAIN, TIMEOUT, LAME), repeat=6):
            expected, actual = both_ways(need, {}, script)

            assert actual == expected

    @given(st.sampled_from(NEEDS), KNOWN, SCRIPTS)
    def test_same_questions_and_same_answers(self, need, known, script):
        """Whatever comes, the inquiry asks what the rules ask, in their order, and comes to the same."""
        expected, actual = both_ways(need, known, script)

        assert actual == expected

    @given(st.sampled_from(("verdict", "full")), SCRIPTS)
    def test_neither_needs_an_absence_seen_twice(self, need, script):
        """Both absent without confirmation is never the end of an inquiry, and it ends after six questions."""
        inquiry, confirming, count = Inquiry(NAME, need), [], 0
        for answer in script:
            step = inquiry.next_step()
            if step is None:
                break
            count += 1
            confirming += [answer] if step.confirms else []
            inquiry.take(step, answer)

        assert count <= 6
        pair = [inquiry.answers[rdtype] for rdtype in ("MX", "A") if rdtype in inquiry.answers]
        if [one.status for one in pair] == [AnswerStatus.ABSENT] * 2:
            assert all(one.confirmed for one in pair)
            assert any(one.status is AnswerStatus.ABSENT for one in confirming)

    @given(st.sampled_from(NEEDS), SCRIPTS)
    def test_settled_types_are_those_that_were_asked(self, need, script):
        """An inquiry over the answers it came to needs no other types."""
        inquiry, replies = Inquiry(NAME, need), iter(script)
        while (step := inquiry.next_step()) is not None:
            inquiry.take(step, next(replies))
        settled = settled_types(need, inquiry.answers)

        assert set(settled) <= set(inquiry.answers)
        assert {rdtype for rdtype, one in inquiry.answers.items() if one.status is not AnswerStatus.ABSENT} <= {
            *settled,
            "A",
        }
