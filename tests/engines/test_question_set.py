"""Questions in rounds and SPF tuples in files of their own: distinct, in order, and everything that was learned is kept."""

from datetime import UTC, datetime

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.engines import question_set
from poolsift.engines.name_inputs import SpfTuple
from poolsift.engines.question_set import QuestionSet
from poolsift.engines.spf_trees import SpfTrees, Tree

NOW = datetime(2026, 3, 2, 12, 30, 1, 123_456, tzinfo=UTC)
TXT = Answer(AnswerStatus.PRESENT, ("v=spf1 “-all", "x\ny"), 300, None, NOW)
GONE = Answer(AnswerStatus.ABSENT, (), 900, Reason.NXDOMAIN, NOW, confirmed=True)
A, B, C = (Question(f"{letter}.example", "TXT") for letter in "abc")


@pytest.fixture
def questions(tmp_path):
    with QuestionSet(str(tmp_path)) as made:
        yield made


def in_round(questions):
    return [question for chunk in questions.chunks(2) for question in chunk]


class TestRounds:
    def test_questions_are_distinct_and_in_order(self, questions):
        questions.want([C, A, Question("a.example", "A")])
        questions.want([A, B])

        assert in_round(questions) == [Question("a.example", "A"), A, B, C]
        assert in_round(questions) == in_round(questions)
        assert questions.wanted == 4

    def test_what_was_answered_is_not_wanted_again(self, questions):
        questions.want([A, B])
        questions.put([(A, TXT), (B, GONE)])
        questions.end_round()
        questions.want([A, C])

        assert (in_round(questions), questions.wanted) == ([C], 1)

    def test_answers_are_kept_whole(self, questions):
        invalid = Answer(AnswerStatus.INVALID, reason=Reason.SPECIAL_USE)
        answers = {A: TXT, B: GONE, C: invalid, Question("a.example", "A"): unknown(Reason.TIMEOUT, NOW)}
        questions.put(answers.items())
        questions.end_round()

        assert {question: questions.known(question) for question in answers} == answers
        assert list(questions.rows()) == [
            ("a.example", {"A": unknown(Reason.TIMEOUT, NOW), "TXT": TXT}), ("b.example", {"TXT": GONE}), ("c.example", {"TXT": invalid}),
        ]  # fmt: skip
        assert len(questions) == 4

    def test_the_last_answer_stands(self, questions):
        """Also where the one before it is remembered, or both wait to be written."""
        questions.put([(A, unknown(Reason.TIMEOUT)), (A, GONE)])
        first = questions.known(A)
        questions.end_round()
        questions.known(A)
        questions.put([(A, TXT)])

        assert (first, questions.known(A), len(questions), questions.known(A)) == (GONE, TXT, 1, TXT)

    def test_nothing_depends_on_when_it_is_written(self, questions, monkeypatch):
        monkeypatch.setattr(question_set, "_PENDING", 1)
        monkeypatch.setattr(question_set, "_MOST_HELD", 1)
        questions.want([A, B, C])
        questions.put([(A, TXT), (B, GONE), (C, TXT)])

        assert [questions.known(question) for question in (A, B, C, A)] == [TXT, GONE, TXT, TXT]
        assert in_round(questions) == [A, B, C]

    def test_a_name_counts_as_asked_unless_its_zone_had_enough(self, questions):
        questions.put([(A, unknown(Reason.ZONE_CAP)), (B, unknown(Reason.TIMEOUT)), (C, GONE)])

        assert questions.names_asked(["a.example", "b.example", "c.example", "d.example"]) == {"b.example", "c.example"}


class TestTrees:
    TUPLES = (
        SpfTuple("b.example", "192.0.2.1", ""),
        SpfTuple("a.example", "2001:db8::1", "mail.a.example"),
        SpfTuple("a.example", "192.0.2.1", ""),
        SpfTuple("a.example", "192.0.2.2", ""),
    )

    @pytest.fixture
    def trees(self, tmp_path):
        with SpfTrees(str(tmp_path)) as made:
            made.add(self.TUPLES)
            made.add(self.TUPLES[:2])
            yield made

    def test_each_name_and_family_is_a_tree(self, trees):
        assert list(trees.names(1)) == [["a.example"], ["b.example"]]
        assert [one for page in trees.open_trees(2) for one in page] == [
            Tree("a.example", 4), Tree("a.example", 6), Tree("b.example", 4),
        ]  # fmt: skip
        assert list(trees.open_tuples()) == []

    def test_tuples_are_open_where_their_tree_was_not_compiled(self, trees):
        trees.close_trees([(Tree("a.example", 4), "ptr"), (Tree("a.example", 6), None)])

        assert list(trees.open_trees()) == [[Tree("b.example", 4)]]
        assert list(trees.open_tuples(1)) == [[self.TUPLES[2]], [self.TUPLES[3]]]

        trees.close_tuples([self.TUPLES[2]])

        assert list(trees.open_tuples()) == [[self.TUPLES[3]]]

    def test_what_is_closed_while_one_reads_is_not_met_twice(self, trees):
        met = []
        for page in trees.open_trees(1):
            met += page
            trees.close_trees((tree, None) for tree in page)

        assert len(met) == len(set(met)) == 3

    def test_counts_are_of_domains(self, trees):
        trees.close_trees([(Tree("a.example", 4), "ptr"), (Tree("a.example", 6), "size"), (Tree("b.example", 4), None)])

        assert trees.description() == {
            "tuples": 4, "domains": 2, "compiled": 1, "not_compiled": {"ptr": 1, "size": 1},
            "not_compiled_names": ["a.example"],
        }  # fmt: skip


def test_nothing_is_left_behind(tmp_path):
    with QuestionSet(str(tmp_path)) as questions, SpfTrees(str(tmp_path)) as trees:
        questions.put([(A, TXT)])
        trees.add(TestTrees.TUPLES)

        assert list(tmp_path.iterdir()) == []
