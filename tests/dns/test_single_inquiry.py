"""Single questions whose absence counts: seen twice or unknown, over the scripted server too; a name is capped once."""

import asyncio
from datetime import UTC, datetime

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.inquiry import SingleInquiry
from poolsift.dns.zones import ZoneCounts
from tests.dns.engine_runs import BRIEF, engine, plain
from tests.dns.section5 import LAME

NOW = datetime(2026, 3, 2, tzinfo=UTC)
TXT = Question("contoso.com", "TXT")
PRESENT = Answer(AnswerStatus.PRESENT, ("v=spf1 -all",), 300, None, NOW)
NODATA = Answer(AnswerStatus.ABSENT, (), 900, Reason.NODATA, NOW)
SEEN_TWICE = Answer(AnswerStatus.ABSENT, (), 900, Reason.NODATA, NOW, confirmed=True)


def run(script, known=None):
    """(what was asked, the answer): a confirmation is asked as ``!``."""
    inquiry = SingleInquiry(TXT, known)
    asked = ""
    script = iter(script)
    while (step := inquiry.next_step()) is not None:
        assert step.question == TXT
        asked += "!" if step.confirms else "?"
        inquiry.take(step, next(script))
    assert list(script) == []
    return asked, inquiry.answer


@pytest.mark.parametrize("answer", [PRESENT, unknown(Reason.TIMEOUT, NOW)])
def test_records_and_failures_end_it(answer):
    assert run([answer]) == ("?", answer)


def test_an_absence_is_seen_twice():
    assert run([NODATA, NODATA]) == ("?!", SEEN_TWICE)


def test_records_that_only_the_second_query_sees_count():
    assert run([NODATA, PRESENT]) == ("?!", PRESENT)


@pytest.mark.parametrize(("second", "reason"), [(Reason.LAME, Reason.LAME), (Reason.TIMEOUT, Reason.UNCONFIRMED)])
def test_an_absence_that_nobody_sees_again_is_unknown(second, reason):
    asked, answer = run([NODATA, unknown(second, NOW)])

    assert ("?!", AnswerStatus.UNKNOWN, reason) == (asked, answer.status, answer.reason)


@pytest.mark.parametrize("known", [PRESENT, SEEN_TWICE, unknown(Reason.SERVFAIL, NOW)])
def test_what_is_known_is_not_asked(known):
    assert run([], known) == ("", known)


def test_of_a_known_absence_only_the_confirmation_is_asked():
    assert run([NODATA], NODATA) == ("!", SEEN_TWICE)


def test_a_refusal_settles_an_open_absence():
    inquiry = SingleInquiry(TXT, NODATA)
    inquiry.refuse(unknown(Reason.ZONE_CAP))

    assert (None, [(TXT, unknown(Reason.ZONE_CAP))]) == (inquiry.next_step(), inquiry.news)


class TestOverSockets:
    async def settled(self, server, *questions, **options):
        found = {}
        async with engine(server.address, **options) as running:
            inquiries = [SingleInquiry(Question(*one)) for one in questions]
            await running.run(inquiries, lambda one: found.__setitem__(tuple(one.question), plain(one.answer)))
        return found

    def of(self, server, *questions, **options):
        return asyncio.run(self.settled(server, *questions, **options))

    @pytest.mark.parametrize("mode", LAME)
    def test_a_lame_server_never_says_that_there_is_no_record(self, server, mode):
        """aiodns takes a referral for an absence; SPF would count it as a void look-up."""
        name = f"{mode}.spf.example"
        found = self.of(server, (name, "TXT"), (name, "AAAA"), timeout=BRIEF)

        assert {"unknown"} == {status for status, _ in found.values()}

    def test_true_absences_are_absent(self, server):
        found = self.of(server, ("nodata.spf.example", "TXT"), ("nxdomain.spf.example", "PTR"))

        assert found == {
            ("nodata.spf.example", "TXT"): ("absent", "nodata"), ("nxdomain.spf.example", "PTR"): ("absent", "nxdomain"),
        }  # fmt: skip
        assert 2 == server.asked("nodata.spf.example")

    def test_the_cap_counts_names_and_not_their_types(self, server):
        names = [f"ok.n{number}.flood.example" for number in range(4)]
        questions = [(name, rdtype) for name in names for rdtype in ("TXT", "A", "MX")]
        found = self.of(server, *questions, zone_cap=2, concurrency=1)

        assert [("present", None)] * 6 + [("unknown", "zone_cap")] * 6 == [
            (status, None if status == "present" else reason) for status, reason in found.values()
        ]
        assert server.names("flood.example") == set(names[:2])


def test_a_name_that_was_refused_stays_refused():
    """Within a run nobody is asked for one type of a name and refused another."""
    zones = ZoneCounts(1)
    answers = [zones.admits(name) for name in ("a.z.example", "b.z.example", "a.z.example", "b.z.example")]

    assert answers == [True, False, True, False]
