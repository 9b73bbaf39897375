"""Names asked in waves through hours of weather on a virtual clock, and what can be read off the outcome."""

import asyncio
from bisect import bisect_right
from collections import Counter
from random import Random
from types import SimpleNamespace

from poolsift.dns.answers import AnswerStatus
from poolsift.dns.engine import Engine
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
        earlier = [entry for entry in forecast if entry[0] < begin]
        later = [entry for entry in forecast if entry[0] > calm]
        forecast = [*earlier, (begin, weather), (end, sky.clear), (calm, after), *later]
    return forecast


def names_of(first, count):
    """Names of every kind in turn."""
    return [f"{KINDS[number % len(KINDS)]}-{number}.example" for number in range(first, first + count)]


def waves(length, every, size, flood):
    """(second, names): a few names all the time, and many at once every half hour; no name comes twice."""
    number = 0
    for second in range(0, int(length), every):
        count = flood if second % (HOUR // 2) == HOUR // 4 else size
        yield second, names_of(number, count)
        number += count


class WatchedBreaker(Breaker):
    """Remembers when it opened."""

    def __init__(self, period):
        super().__init__(period)
        self.moments = []

    def open(self, now):
        self.moments.append(asyncio.get_running_loop().time())
        super().open(now)


async def _live_through(resolvers, plan, seed, kind):
    upstreams = [resolver.upstream(**{"attempts": ATTEMPTS, "period": PERIOD, **kind}) for resolver in resolvers]
    for upstream in upstreams:
        upstream.breaker = WatchedBreaker(PERIOD)
    done = []

    async def wave(engine, second, names):
        await asyncio.sleep(second)
        async for name, answers in engine.inquire(names):
            now = asyncio.get_running_loop().time()
            done.append(SimpleNamespace(name=name, answers=answers, asked=second, done=now))

    async with Engine(upstreams, attempts=ATTEMPTS, now=wall_time, random=Random(seed)) as engine:
        await asyncio.gather(*(wave(engine, second, names) for second, names in plan))
    return SimpleNamespace(engine=engine, resolvers=resolvers, upstreams=upstreams, done=done)


def live_through(forecasts, plan, seed=1, rate=RATE, **upstream):
    """What came of all names, and what each resolver was asked. ``plan``: (second, names)."""
    resolvers = [SimulatedResolver(f"r{n}", Random(f"{seed} {n}"), one) for n, one in enumerate(forecasts)]
    return run_virtually(_live_through(resolvers, plan, seed, {"rate": rate, **upstream}))


def says_neither(one):
    """Whether the answers come to *neither A nor MX*."""
    return all(kind in one.answers and one.answers[kind].status is AnswerStatus.ABSENT for kind in ("MX", "A"))


def says_either(one):
    """Whether an A or an MX record was found."""
    return any(one.answers[kind].status is AnswerStatus.PRESENT for kind in ("MX", "A") if kind in one.answers)


def false_absences(life):
    """Names that have A or MX and were said to have neither."""
    return [one.name for one in life.done if kind_of(one.name) in HAVING and says_neither(one)]


def false_presences(life):
    """Names that have neither and were said to have one."""
    return [one.name for one in life.done if kind_of(one.name) not in HAVING and says_either(one)]


def undecided(done):
    """The names that came to no verdict, and the reasons."""
    return Counter(
        (one.name, *sorted(str(answer.reason) for answer in one.answers.values()))
        for one in done
        if not says_neither(one) and not says_either(one)
    )


def most_within(moments, window):
    """The most moments that any window of so many seconds holds."""
    return max(bisect_right(moments, start + window) - place for place, start in enumerate(moments))
