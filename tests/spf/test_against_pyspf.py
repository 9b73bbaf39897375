"""The evaluator against pyspf alone, over random record trees."""

import random

import spf

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.spf.evaluate import SpfResult
from tests.spf.zone import NOTHING, ask


class Twin:
    """A random zone that grows as it is asked, for pyspf by its own hook and for the evaluator alike."""

    NAMES = ("example.com", "a.example", "b.example", "c.example")
    MECHANISMS = (
        "a mx ptr a:{0} mx:{0} include:{0} include:{0} include:%{{o}} exists:%{{d1r}}.{0} a:%{{h}} mx:%{{p}} "
        "ip4:192.0.2.128/25 ip6:2001:db8::/127 a/29//126"
    ).split()
    MODIFIERS = ("redirect={0}", "exp={0}", "exp=%{{p}}.{0}", "x=%{{s}}", "all", "foo")

    def __init__(self, seed):
        self._seed = seed
        self._answers = {}

    def answer(self, question):
        """Made by the question alone, for the two do not ask in the same order."""
        if question not in self._answers:
            self._answers[question] = self._made(random.Random(f"{self._seed} {question}"), question.rdtype)
        return self._answers[question]

    def _made(self, source, rdtype):
        chance = source.random()
        if chance < 0.1:
            return NOTHING
        if chance < 0.13:
            return unknown(Reason.TIMEOUT)
        count = 1 if rdtype == "TXT" and chance < 0.97 else source.randint(1, 3)
        made = {
            "TXT": self._record,
            "A": lambda source: f"192.0.2.{source.randint(0, 9)}",
            "AAAA": lambda source: f"2001:db8::{source.randint(0, 9)}",
            "MX": lambda source: f"10 {source.choice([*self.NAMES, '.'])}",
            "PTR": lambda source: source.choice(self.NAMES),
        }
        return Answer(AnswerStatus.PRESENT, tuple(sorted({made[rdtype](source) for _ in range(count)})))

    def _record(self, source):
        terms = [
            source.choice(["", "", "-", "~", "?"]) + source.choice(self.MECHANISMS) for _ in range(source.randint(0, 5))
        ]
        terms += source.choices(self.MODIFIERS, k=source.randint(0, 1))
        return " ".join(["v=spf1", *(term.format(source.choice(self.NAMES)) for term in terms)])

    async def resolve(self, questions):
        return [self.answer(question) for question in questions]

    def hook(self, name, qtype, *_):
        answer = self.answer(Question(name, qtype))
        if answer.status is AnswerStatus.UNKNOWN:
            raise spf.TempError("unknown")
        forms = {
            "TXT": lambda text: (text.encode(),),
            "MX": lambda text: (int(text.split()[0]), text.split()[1].strip(".")),
        }
        return [((name, qtype), forms.get(qtype, str)(text)) for text in answer.rdata]


def test_pyspf_asked_through_its_own_hook_says_the_same(monkeypatch):
    """Result, lookups and voids, over a thousand random trees: only where the answers come from differs."""
    compared = []
    for seed in range(1_000):
        twin = Twin(seed)
        client_ip = ("192.0.2.1", "2001:db8::1")[seed % 2]
        found = ask(twin, client_ip=client_ip)
        monkeypatch.setattr(spf, "DNSLookup", twin.hook)
        query = spf.query(i=client_ip, s="postmaster@example.com", h="mail.example.org", querytime=0)
        monkeypatch.setattr(query, "get_explanation", lambda spec: None)
        compared.append(
            ((str(found.result), found.lookups, found.voids), (query.check()[0], query.lookups, query.void_lookups))
        )

    assert [ours for ours, _ in compared] == [theirs for _, theirs in compared]
    assert {ours[0] for ours, _ in compared} == {str(word) for word in SpfResult}
