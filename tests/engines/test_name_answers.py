"""Names that nobody could be asked about while a resolver kept failing."""

from poolsift.dns.answers import Reason, unknown
from poolsift.dns.cache import DnsCache
from poolsift.engines.name_answers import NameAnswers, NamesWanted
from poolsift.engines.name_set import NameSet


class LeftAlone:
    """An asker whose resolver is left alone: it keeps which names it was to ask."""

    def __init__(self):
        self.names = []

    def refresh(self):
        pass

    def run(self, inquiries, finished):
        for inquiry in inquiries:
            self.names.append(inquiry.name)
            while (step := inquiry.next_step()) is not None:
                inquiry.take(step, unknown(Reason.CIRCUIT_OPEN))
            finished(inquiry)


def test_the_reason_is_published_and_the_name_is_asked_by_the_next_run(tmp_path):
    """It is no answer: a cache does not keep it from being asked again."""
    askers = LeftAlone(), LeftAlone()
    said = []
    with NameSet(str(tmp_path)) as names:
        names.add(["a.example"])
        for asker in askers:
            with DnsCache.open(str(tmp_path / "cache"), view="192.0.2.53:53") as cache:
                answers = NameAnswers(cache, asker, recheck_after=0)
                answers.ask(NamesWanted(names, "verdict"))
                said += [types["MX"].reason for _, types in answers.answers_of(NamesWanted(names, "verdict"))]

    assert said == [Reason.CIRCUIT_OPEN] * 2
    assert [set(asker.names) for asker in askers] == [{"a.example"}] * 2
