"""Resolvers over a mapping and over a snapshot: one answer a question, and what they lack is unknown."""

import asyncio
from datetime import UTC, datetime

from poolsift.dns.adapters import DictResolver, SnapshotResolver
from poolsift.dns.answers import NOT_LISTED, Answer, AnswerStatus, Question, Reason
from poolsift.dns.snapshot import Snapshot, empty_snapshot

MAIL = Answer(AnswerStatus.PRESENT, ("10 mail.contoso.com",), 300)
QUESTIONS = [Question("contoso.com", "MX"), Question("contoso.com", "A"), Question("contoso.com", "MX")]


def resolved(resolver, questions):
    async def work():
        answers = await resolver.resolve(questions)
        await resolver.close()
        await resolver.close()
        return answers

    return asyncio.run(work())


class TestDictResolver:
    def test_answers_come_in_the_order_of_the_questions(self):
        """Also where one is asked twice; a question it does not hold is unknown, never absent."""
        resolver = DictResolver({("contoso.com", "MX"): MAIL})

        assert [MAIL, NOT_LISTED, MAIL] == resolved(resolver, QUESTIONS)
        assert resolver.asked == QUESTIONS

    def test_the_rest_may_have_an_answer_of_its_own(self):
        absent = Answer(AnswerStatus.ABSENT, reason=Reason.NXDOMAIN)

        assert [absent] == resolved(DictResolver({}, absent), QUESTIONS[:1])
        assert [absent] == resolved(DictResolver.of_records({}, absent), QUESTIONS[:1])

    def test_records_are_sorted_and_none_is_an_absence(self):
        resolver = DictResolver.of_records({"contoso.com": {"MX": ["20 b.example", "10 a.example"], "A": []}})
        mail, address, _ = resolved(resolver, QUESTIONS)

        assert ("present", ("10 a.example", "20 b.example")) == (mail.status, mail.rdata)
        assert ("absent", ()) == (address.status, address.rdata)

    def test_nothing_is_asked_of_nobody(self):
        assert [] == resolved(DictResolver({}), [])


class TestSnapshotResolver:
    def test_answers_are_those_of_the_snapshot(self):
        """With TTL, time and confirmation; a type that the snapshot lacks is unknown."""
        asked_at = datetime(2026, 11, 1, 12, tzinfo=UTC)
        row = {
            "name": "contoso.com", "rdtype": "MX", "status": "absent", "reason": "nodata",
            "ttl": 300, "asked_at": asked_at, "confirmed": True,
        }  # fmt: skip
        expected = Answer(AnswerStatus.ABSENT, (), 300, "nodata", asked_at, confirmed=True)

        assert [expected, NOT_LISTED, expected] == resolved(SnapshotResolver(Snapshot.from_rows([row])), QUESTIONS)

    def test_an_empty_snapshot_knows_nothing(self):
        assert [NOT_LISTED] == resolved(SnapshotResolver(empty_snapshot()), QUESTIONS[:1])
