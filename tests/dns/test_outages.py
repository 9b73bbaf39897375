"""Hours of outages, flaps, loss and poison on a virtual clock: nothing that exists is ever said to be absent."""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from random import Random
from types import SimpleNamespace

import pytest

from poolsift.dns import judge as judging
from poolsift.dns.answers import AnswerStatus, Reason
from poolsift.dns.engine import Engine
from poolsift.dns.inquiry import Inquiry
from poolsift.dns.pacing import Breaker
from tests.dns import simulated_transport as sky
from tests.dns.simulated_transport import HAVING, KINDS, SimulatedResolver, kind_of
from tests.dns.virtual_clock import run_virtually, wall_time

MINUTE, HOUR, DAY = 60, 3_600, 86_400
RATE = 50.0
PERIOD = 30.0
ATTEMPTS = 3
FOUL = (
    *(sky.silent, sky.closed, sky.unreachable, sky.flapping, sky.lossy, sky.slow, sky.sluggish),
    *(sky.servfail_storm, sky.rate_limited, sky.poisoned, sky.stale_zone, sky.absences_without_authority),
)


def changeable(random, length):
    """Spells of one to twenty minutes, every third one clear."""
    start, forecast = 0.0, [(0.0, sky.clear)]
    while (start := start + random.uniform(1, 20) * MINUTE) < length:
        forecast.append((start, random.choice((*FOUL, *[sky.clear] * (len(FOUL) // 2)))))
    return forecast


def overcast(forecast, spells):
    """The forecast with spells (from, to, weather) laid over it; ten clear minutes follow each."""
    for begin, end, weather in spells:
        calm = end + 10 * MINUTE
        after = [one for start, one in forecast if start <= calm][-1]
        kept_before = [entry for entry in forecast if entry[0] < begin]
        kept_after = [entry for entry in forecast if entry[0] > calm]
        forecast = [*kept_before, (begin, weather), (end, sky.clear), (calm, after), *kept_after]
    return forecast


def waves(length, every, size, flood=0):
    """(second, names): a few names all the time, and many at once every half hour; no name comes twice."""
    number = 0
    for second in range(0, int(length), every):
        many = flood if second % (HOUR // 2) == HOUR // 4 else size
        yield second, [f"{KINDS[n % len(KINDS)]}-{n}.example" for n in range(number, number + many)]
        number += many


async def _live_through(resolvers, plan, seed, pace):
    upstreams = [resolver.upstream(ATTEMPTS, period=PERIOD, **pace) for resolver in resolvers]
    done = []

    async def wave(engine, second, names):
        await asyncio.sleep(second)
        async for name, answers in engine.inquire(names):
            now = asyncio.get_running_loop().time()
            done.append(SimpleNamespace(name=name, answers=answers, asked=second, done=now))

    async with Engine(upstreams, attempts=ATTEMPTS, now=wall_time, random=Random(seed)) as engine:
        await asyncio.gather(*(wave(engine, second, names) for second, names in plan))
    return SimpleNamespace(engine=engine, resolvers=resolvers, upstreams=upstreams, done=done)


def live_through(forecasts, plan, seed=1, **pace):
    """What came of all names, and what the resolvers were asked."""
    resolvers = [SimulatedResolver(f"r{n}", Random(f"{seed} {n}"), one) for n, one in enumerate(forecasts)]
    return run_virtually(_live_through(resolvers, plan, seed, {"rate": RATE, **pace}))


def says_neither(one):
    """Whether the answers come to *neither A nor MX*."""
    return all(kind in one.answers and one.answers[kind].status is AnswerStatus.ABSENT for kind in ("MX", "A"))


def says_either(one):
    return any(one.answers[kind].status is AnswerStatus.PRESENT for kind in ("MX", "A") if kind in one.answers)


def false_absences(life):
    return [one.name for one in life.done if kind_of(one.name) in HAVING and says_neither(one)]


def false_presences(life):
    return [one.name for one in life.done if kind_of(one.name) not in HAVING and says_either(one)]


def unknowns(done):
    """How often each reason stands where an answer should."""
    return Counter(
        answer.reason
        for one in done
        if not says_neither(one) and not says_either(one)
        for answer in one.answers.values()
        if answer.status is AnswerStatus.UNKNOWN
    )


def most_within(moments, window):
    """The most moments that any window of so many seconds holds."""
    return max(bisect_right(moments, start + window) - place for place, start in enumerate(moments))


OUTAGES = {
    "day": [(2 * HOUR, 2.75 * HOUR, sky.silent), (9 * HOUR, 9.3 * HOUR, sky.closed), (16 * HOUR, 16.2 * HOUR, sky.servfail_only)],
    "hour": [(10 * MINUTE, 20 * MINUTE, sky.silent), (40 * MINUTE, 45 * MINUTE, sky.closed)],
}
LENGTHS = {"day": DAY, "hour": HOUR}


@pytest.fixture(scope="module", params=[("hour", 1), ("hour", 2), ("hour", 3), ("hour", 4), ("day", 1)], ids=str)
def life(request):
    """Three resolvers through the same outages, each in its own weather otherwise."""
    length, seed = request.param
    random = Random(seed)
    forecasts = [overcast(changeable(random, LENGTHS[length]), OUTAGES[length]) for _ in range(3)]
    with watched_breakers() as opened:
        life = live_through(forecasts, waves(LENGTHS[length], 10, 3, flood=500), seed)
    life.outages = OUTAGES[length]
    life.opened = [opened[upstream.breaker] for upstream in life.upstreams]
    return life


@pytest.mark.timeout(60)
class TestThroughAllWeather:
    def test_nothing_that_exists_is_absent(self, life):
        """No name with an A or MX record ever comes out with both absent."""

        assert false_absences(life) == []
