"""Every question that the SPF of some tuples needs, in rounds: each asks what the answers of the last one bring up.

Record trees that can be compiled are asked about whole, for any client address; in the others each tuple is evaluated,
so that its questions are known too. Which questions a round has depends on the answers alone, not on their order.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.caching import NOT_ASKED, known_answers, or_stale
from poolsift.dns.inquiry import SingleInquiry
from poolsift.dns.names import unaskable
from poolsift.dns.zones import ZoneCounts
from poolsift.engines.name_answers import FLEETING
from poolsift.spf.driving import MissingAnswersError, drive_known
from poolsift.spf.results import OutcomeAsked
from poolsift.spf.sources import evaluation_of, new_compiler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from poolsift.dns.cache import DnsCache
    from poolsift.engines.name_answers import Asker
    from poolsift.engines.question_set import QuestionSet
    from poolsift.engines.spf_trees import SpfTrees
    from poolsift.spf.compile import Compiler

    Progress = Callable[[int, int], None]

#: Questions looked up in the cache at once.
_CHUNK: Final = 500


class SpfAnswers:
    """What one run asks and learns about SPF; ``asker`` None asks nobody (offline).

    ``since``: when the run began; what the cache learned from then on is not asked again. ``zone_cap``: names asked
    below one organizational domain (0: all). ``asked`` and ``from_cache`` count questions, ``stale`` answers of before
    that stood in for failures. An absence counts only if a second query saw it.
    """

    def __init__(
        self,
        cache: DnsCache,
        asker: Asker | None,
        trees: SpfTrees,
        questions: QuestionSet,
        *,
        since: datetime,
        zone_cap: int = 0,
        recheck_after: float,
        progress: Progress | None = None,
        compiler: Compiler | None = None,
    ) -> None:
        self._cache = cache
        self._asker = asker
        self._trees = trees
        self._questions = questions
        self._since = since
        self._zones = ZoneCounts(zone_cap)
        self._recheck_after = recheck_after
        self._progress = progress
        self._compiler = compiler or new_compiler()
        self._total = self._done = 0
        self._fleeting = 0
        self.asked = 0
        self.from_cache = 0
        self.stale = 0
        self.unknown: Counter[str] = Counter()  #: domains whose own record could not be found out, by reason

    def ask(self) -> None:
        """Bring every question that the tuples need to an answer."""
        for names in self._trees.names():
            self._questions.want(Question(name, "TXT") for name in names)
        try:
            while self._questions.wanted:
                self._settle()
                self._compile()
                self._evaluate()
        finally:
            self._cache.commit()
        self._count_unknown()

    def description(self) -> dict[str, Any]:
        """Counts for people."""
        return {
            **self._trees.description(),
            "unknown": dict(self.unknown.most_common()),
            "questions": len(self._questions),
            "asked": self.asked,
            "from_cache": self.from_cache,
            "stale": self.stale,
        }

    def _settle(self) -> None:
        """Answer every question of the round; those that failed are asked once more at its end."""
        self._total, self._done, self._fleeting = self._questions.wanted, 0, 0
        if self._asker is None:
            for inquiry in self._inquiries():
                self._questions.put([(inquiry.question, unknown(Reason.OFFLINE))])
                self._advance()
        else:
            self._asker.run(self._inquiries(), self._take)
            if self._fleeting:
                time.sleep(self._recheck_after)
                self._asker.refresh()
                self._asker.run(self._again(), self._take_again)
        self._cache.commit()  # what comes next may take a while
        self._let_stale_stand_in()
        self._questions.end_round()

    def _inquiries(self) -> Iterator[SingleInquiry]:
        """The round's questions that have to be asked; the others are answered on the way."""
        for chunk in self._questions.chunks(_CHUNK):
            refused = self._refused(dict.fromkeys(question.name for question in chunk))
            known = known_answers(self._cache, chunk, self._since)
            for question in chunk:
                inquiry = SingleInquiry(question, known.get(question))
                complete = inquiry.next_step() is None
                refusal = refused.get(question.name)
                if complete or refusal is not None:
                    self._questions.put([(question, inquiry.answer if complete else refusal or inquiry.answer)])
                    self.from_cache += complete
                    self._advance()
                else:
                    yield inquiry

    def _refused(self, names: Iterable[str]) -> dict[str, Answer]:
        """The names that nobody is asked about, with the answer that stands for all their types."""
        counted = self._questions.names_asked(names)
        refused = {}
        for name in names:
            reason = unaskable(name)
            if reason is not None:
                refused[name] = Answer(AnswerStatus.INVALID, reason=reason)
            elif name not in counted and not self._zones.admits(name):
                refused[name] = unknown(Reason.ZONE_CAP)
        return refused

    def _again(self) -> Iterator[SingleInquiry]:
        for chunk in self._questions.chunks(_CHUNK):
            for question in chunk:
                answer = self._questions.known(question)
                if answer is not None and answer.status is AnswerStatus.UNKNOWN and answer.reason in FLEETING:
                    yield SingleInquiry(question)

    def _take(self, inquiry: SingleInquiry) -> None:
        self.asked += 1
        self._fleeting += inquiry.answer.reason in FLEETING
        self._take_again(inquiry)
        self._advance()

    def _take_again(self, inquiry: SingleInquiry) -> None:
        self._cache.put(pair for pair in inquiry.news if pair[1].reason not in NOT_ASKED)
        self._questions.put(inquiry.news)

    def _let_stale_stand_in(self) -> None:
        for chunk in self._questions.chunks(_CHUNK):
            found = {question: self._questions.known(question) for question in chunk}
            failed = {q: one for q, one in found.items() if one is not None and one.status is AnswerStatus.UNKNOWN}
            stood_in = [(q, one) for q, one in or_stale(self._cache, failed).items() if one.reason == Reason.STALE]
            self.stale += len(stood_in)
            self._questions.put(stood_in)

    def _compile(self) -> None:
        """Work through the trees that are open; what they lack is the next round's."""
        for trees in self._trees.open_trees():
            closed = []
            for tree in trees:
                try:
                    compiled = drive_known(self._compiler.compile(*tree), self._questions.known)
                except MissingAnswersError as missing:
                    self._questions.want(missing.questions)
                else:
                    closed.append((tree, getattr(compiled, "reason", None)))
            self._trees.close_trees(closed)

    def _evaluate(self) -> None:
        """Evaluate the tuples whose trees were not compiled; what they lack is the next round's.

        The local part is not known here: where a record asks for it, the questions are those of ``postmaster``.
        """
        for tuples in self._trees.open_tuples():
            done = []
            for one in tuples:
                try:
                    drive_known(evaluation_of(OutcomeAsked(*one, local="")), self._questions.known)
                except MissingAnswersError as missing:
                    self._questions.want(missing.questions)
                else:
                    done.append(one)
            self._trees.close_tuples(done)

    def _count_unknown(self) -> None:
        for names in self._trees.names():
            for name in names:
                answer = self._questions.known(Question(name, "TXT"))
                if answer is not None and answer.status is AnswerStatus.UNKNOWN:
                    self.unknown[str(answer.reason)] += 1

    def _advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
