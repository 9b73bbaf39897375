"""The resolver that remembers: nothing is asked twice in a run, absences are seen twice, whoever gives up harms nobody."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.cache import DnsCache
from poolsift.dns.caching import CachingResolver

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
SPF = Question("contoso.com", "TXT")
HOST = Question("mail.contoso.com", "A")


class Engine:
    """Says what a dictionary says after ``seconds``; ``asked`` counts queries, ``twice`` the confirmations."""

    def __init__(self, answers, clock):
        self.answers = answers
        self.clock = clock
        self.asked = Counter()
        self.twice = Counter()
        self.gate = None

    async def run(self, inquiries, finished):
        for inquiry in inquiries:
            while (step := inquiry.next_step()) is not None:
                (self.twice if step.confirms else self.asked)[step.question] += 1
                if self.gate is not None:
                    await self.gate.wait()
                inquiry.take(step, self.answers.get(step.question, self.absent()))
            finished(inquiry)

    def absent(self):
        return Answer(AnswerStatus.ABSENT, (), 900, Reason.NXDOMAIN, self.now())

    def present(self, *rdata, ttl=300):
        return Answer(AnswerStatus.PRESENT, rdata, ttl, None, self.now())

    def now(self):
        return datetime.fromtimestamp(self.clock.seconds, UTC)


class Clock:
    seconds = START.timestamp()

    def __call__(self):
        return self.seconds


class World:
    """A cache in memory and an engine, by one clock that only the test moves."""

    def __init__(self, max_stale=0.0):
        self.clock = Clock()
        self.cache = DnsCache.open(None, view="192.0.2.53:53", clock=self.clock, max_stale=max_stale)
        self.engine = Engine({}, self.clock)
        self.engine.answers[SPF] = self.engine.present("v=spf1 -all")

    def resolver(self):
        return CachingResolver(self.cache, self.engine, since=self.engine.now())

    def ask(self, resolver, *questions):
        return asyncio.run(resolver.resolve(questions))

    def later(self, seconds):
        self.clock.seconds += seconds


@pytest.fixture
def world():
    made = World()
    yield made
    made.cache.close()


def test_a_question_is_asked_once_by_many(world):
    """Also twice in one list, and by callers side by side."""
    resolver = world.resolver()

    async def many():
        return await asyncio.gather(*(resolver.resolve([SPF, HOST, SPF]) for _ in range(5)))

    answers = asyncio.run(many())

    assert {(one[0].rdata, one[1].status, one[2].rdata) for one in answers} == {
        (("v=spf1 -all",), AnswerStatus.ABSENT, ("v=spf1 -all",))
    }
    assert (world.engine.asked, world.engine.twice) == (Counter({SPF: 1, HOST: 1}), Counter({HOST: 1}))


def test_what_the_run_learned_is_not_asked_again_when_its_time_is_over(world):
    """Neither from memory nor, where that forgot it, from the cache; another run asks anew."""
    first = world.resolver()
    world.ask(first, SPF)
    world.later(1_000)
    other = CachingResolver(world.cache, world.engine, since=START)
    world.ask(first, SPF)
    world.ask(other, SPF)

    assert world.engine.asked[SPF] == 1

    world.ask(world.resolver(), SPF)

    assert world.engine.asked[SPF] == 2


def test_fresh_answers_of_earlier_runs_are_taken(world):
    world.cache.put([(SPF, world.engine.present("v=spf1 +all"))])
    world.later(10)
    (answer,) = world.ask(world.resolver(), SPF)

    assert (answer.rdata, world.engine.asked) == (("v=spf1 +all",), Counter())


def test_an_absence_that_was_seen_once_is_confirmed_and_no_more(world):
    world.cache.put([(HOST, world.engine.absent())])
    (answer,) = world.ask(world.resolver(), HOST)

    assert (answer.confirmed, world.engine.asked, world.engine.twice) == (True, Counter(), Counter({HOST: 1}))


def test_old_answers_stand_in_for_failures_where_that_is_allowed():
    world = World(max_stale=3_600.0)
    world.cache.put([(SPF, world.engine.present("v=spf1 -all")), (HOST, world.engine.absent())])
    world.later(1_000)
    world.engine.answers = dict.fromkeys((SPF, HOST), unknown(Reason.TIMEOUT, world.engine.now()))
    spf, host = world.ask(world.resolver(), SPF, HOST)
    world.cache.close()

    assert (spf.status, spf.reason) == (AnswerStatus.PRESENT, Reason.STALE)
    assert (host.status, host.reason) == (AnswerStatus.UNKNOWN, Reason.TIMEOUT)


def test_what_nobody_was_asked_for_is_not_remembered(world):
    """Another run may have more room in the zone."""
    world.engine.answers[SPF] = unknown(Reason.ZONE_CAP)
    world.ask(world.resolver(), SPF)

    assert world.cache.lookup([SPF.name], any_age=True) == {}


def test_a_caller_that_gives_up_ends_nothing(world):
    """Others still get their answer, and so does the cache."""
    resolver = world.resolver()

    async def both():
        world.engine.gate = asyncio.Event()
        hasty = asyncio.create_task(resolver.resolve([SPF]))
        patient = asyncio.create_task(resolver.resolve([SPF]))
        await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.gather(hasty, return_exceptions=True)
        world.engine.gate.set()
        return hasty.cancelled(), await patient

    cancelled, (answer,) = asyncio.run(both())

    assert (cancelled, answer.rdata, world.engine.asked[SPF]) == (True, ("v=spf1 -all",), 1)
    assert world.cache.lookup([SPF.name])[SPF.name]["TXT"].rdata == ("v=spf1 -all",)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(seconds=1)])
def test_since_tells_runs_apart(world, age):
    """What was learned in the very moment a run began belongs to it."""
    world.cache.put([(SPF, world.engine.present("v=spf1 -all", ttl=30))])
    world.later(100)
    held = world.cache.lookup([SPF.name], since=START + age)

    assert bool(held) is (age == timedelta(0))
