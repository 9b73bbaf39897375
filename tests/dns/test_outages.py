"""Hours of outages, flaps, loss and poison on a virtual clock: nothing that exists is ever said to be absent."""

import asyncio
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from poolsift.dns import judge as judging
from poolsift.dns.answers import AnswerStatus, Reason
from poolsift.dns.engine import Engine
from poolsift.dns.inquiry import Inquiry
from poolsift.dns.pacing import Breaker
from tests.dns import simulated_transport as sky
from tests.dns.simulated_day import (
    ATTEMPTS,
    DAY,
    HOUR,
    MINUTE,
    PERIOD,
    RATE,
    changeable,
    false_absences,
    false_presences,
    live_through,
    most_within,
    names_of,
    overcast,
    says_either,
    says_neither,
    undecided,
    waves,
)
from tests.dns.simulated_transport import HAVING, SimulatedResolver, as_cares_shows_it, kind_of, truth
from tests.dns.virtual_clock import run_virtually, wall_time

#: Times when all resolvers fail alike: (from, to, weather).
OUTAGES = {
    "hour": [(10 * MINUTE, 20 * MINUTE, sky.silent), (40 * MINUTE, 45 * MINUTE, sky.closed)],
    "day": [
        (2 * HOUR, 2.75 * HOUR, sky.silent),
        (9 * HOUR, 9.3 * HOUR, sky.closed),
        (16 * HOUR, 16.2 * HOUR, sky.servfail_only),
    ],
}
#: How many seconds, a few names every so many of them, and so many at once every half hour.
LENGTHS = {"hour": (HOUR, 10, 500), "day": (DAY, 20, 300)}
CLEAR = [(0.0, sky.clear)]
#: Random names that the engine asks each resolver at the start.
PROBES = 3


@pytest.fixture(scope="module", params=["hour 1", "hour 2", "hour 3", "hour 4", "day 1"])
def life(request):
    """Three resolvers through the same outages, each in its own weather otherwise."""
    length, _, seed = request.param.partition(" ")
    random = Random(int(seed))
    seconds, every, flood = LENGTHS[length]
    forecasts = [overcast(changeable(random, seconds), OUTAGES[length]) for _ in range(3)]
    plan = list(waves(seconds, every, 3, flood))
    life = live_through(forecasts, plan, int(seed))
    life.outages = OUTAGES[length]
    life.names = [name for _, names in plan for name in names]
    return life


@pytest.mark.timeout(60)
class TestThroughAllWeather:
    def test_nothing_that_exists_is_absent(self, life):
        """No name with an A or MX record ever comes out with both absent."""

        assert false_absences(life) == []

    def test_nothing_that_does_not_exist_is_present(self, life):
        assert false_presences(life) == []

    def test_neither_is_said_only_when_confirmed(self, life):
        unconfirmed = [
            one.name
            for one in life.done
            if says_neither(one) and not (one.answers["A"].confirmed and one.answers["MX"].confirmed)
        ]

        assert unconfirmed == []

    def test_every_name_is_answered_once(self, life):

        assert sorted(one.name for one in life.done) == sorted(life.names)
        assert all({"MX"} <= set(one.answers) for one in life.done)

    def test_most_names_come_to_a_verdict(self, life):
        """All being unknown would be safe and worthless: outside outages of all resolvers four of five are decided."""
        bad = [(begin - MINUTE, end + 2 * PERIOD) for begin, end, _ in life.outages]
        usual = [one for one in life.done if not any(begin <= one.asked <= end for begin, end in bad)]

        assert sum(1 for one in usual if says_neither(one) or says_either(one)) > 0.8 * len(usual)

    def test_unknown_answers_say_why(self, life):
        wordless = [
            one.name
            for one in life.done
            for answer in one.answers.values()
            if answer.status is AnswerStatus.UNKNOWN and answer.reason not in set(Reason)
        ]

        assert wordless == []


@pytest.mark.timeout(60)
class TestQueries:
    def test_no_question_is_asked_more_often_than_allowed(self, life):
        """The queries that look for an answer; those that confirm are counted below."""
        times = Counter(
            (question, channel) for resolver in life.resolvers for _, channel, question in resolver.received
        )
        attempts = Counter()
        for (question, channel), count in times.items():
            attempts[question] += count if channel is not None else 0

        assert max(attempts.values()) <= ATTEMPTS

    def test_all_queries_stay_within_the_budget(self, life):
        """At most attempts x questions; beside them only the probe, and one alibi for a hundred outcomes."""
        received = [entry for resolver in life.resolvers for entry in resolver.received]
        questions = {(channel is None, question) for _, channel, question in received}
        beside = len(received) - life.engine.stats.queries - PROBES * len(life.resolvers)

        assert life.engine.stats.queries <= ATTEMPTS * len(questions)
        assert sum(upstream.queries for upstream in life.upstreams) == len(received)
        assert 0 <= beside <= len(received) / Breaker.LEAST

    def test_no_channel_is_asked_the_same_twice(self, life):
        """c-ares would answer out of its own cache."""

        assert [resolver.repeats for resolver in life.resolvers] == [0, 0, 0]

    @pytest.mark.parametrize("window", [0.5, 1, 10, 60])
    def test_rate_is_kept_in_every_window(self, life, window):
        """A tenth of a second's queries may come at once, never more."""
        most = [most_within([moment for moment, *_ in resolver.received], window) for resolver in life.resolvers]

        assert max(most) <= RATE * (window + 0.1) + 1

    def test_resolver_is_left_alone_while_its_breaker_is_open(self, life):
        """What was to be sent when it opened goes elsewhere or waits."""
        sent = []
        for upstream, resolver in zip(life.upstreams, life.resolvers, strict=True):
            moments = [moment for moment, *_ in resolver.received]
            for opened, again in zip(upstream.breaker.moments, [*upstream.breaker.moments[1:], 2 * DAY], strict=True):
                end = min(opened + PERIOD - 1, again)
                sent.append(bisect_left(moments, end) - bisect_right(moments, opened))

        assert max(sent) == 0


@pytest.mark.timeout(60)
class TestRecovery:
    def test_definite_answers_come_within_two_periods(self, life):
        for _, end, weather in life.outages:
            first = min(one.done for one in life.done if one.done > end and (says_neither(one) or says_either(one)))

            assert first - end <= 2 * PERIOD, weather

    def test_all_is_well_two_periods_after_an_outage(self, life):
        """In the clear minutes after an outage every name comes to a verdict."""
        for _, end, _ in life.outages:
            later = [one for one in life.done if end + 2 * PERIOD <= one.asked < end + 9 * MINUTE]

            assert len(later) > 50
            assert undecided(later) == Counter()

    def test_names_that_come_at_once_after_an_outage_wait_for_the_trial(self):
        """A pause without names is no sign of failure: only time that names waited counts as waiting."""
        forecast = [(0.0, sky.silent), (10.0 * MINUTE, sky.clear)]
        plan = [(0, names_of(0, 200)), (15 * MINUTE, names_of(200, 200))]
        life = live_through([forecast, forecast], plan, rate=500.0)

        assert undecided([one for one in life.done if one.asked]) == Counter()


class TestSeveralResolvers:
    def test_absence_that_one_resolver_alone_sees_is_not_believed(self):
        """Flags, SOA and all: the second look is taken by another resolver, and that one knows better."""
        life = live_through([[(0.0, wrong_absences)], CLEAR], [(0, names_of(0, 400))])

        assert false_absences(life) == []
        assert all(says_neither(one) for one in life.done if kind_of(one.name) not in HAVING)

    def test_the_same_where_names_come_one_by_one(self):
        """Resolvers take turns, and no rhythm of questions brings the second look to the first resolver again."""
        plan = [(second, names_of(second, 1)) for second in range(100)]
        life = live_through([[(0.0, wrong_absences)], CLEAR], plan)

        assert false_absences(life) == []

    def test_hijacker_is_found_and_never_believed(self):
        life = live_through([[(0.0, sky.hijacking)], CLEAR], [(0, names_of(0, 400))])

        assert (false_absences(life), false_presences(life)) == ([], [])
        assert [warning for warning in life.engine.warnings if "r0" in warning] == life.engine.warnings
        assert len(life.engine.warnings) == 1
        assert undecided(life.done) == Counter()

    @pytest.mark.parametrize(
        "weather", [sky.silent, sky.closed, sky.servfail_only, sky.slow], ids=lambda one: one.__name__
    )
    def test_dead_one_costs_no_answer(self, weather):
        life = live_through([[(0.0, weather)], CLEAR], [(0, names_of(0, 2_000))])

        assert undecided(life.done) == Counter()
        assert life.resolvers[0].received[-1][0] < life.done[-1].done

    @pytest.mark.parametrize("weather", [sky.silent, sky.lossy, sky.rate_limited], ids=lambda one: one.__name__)
    def test_one_in_trouble_does_not_slow_down_the_others(self, weather):
        """With a third resolver in trouble, names take at most half as long again as with the two sound ones."""
        plan = [(0, names_of(0, 3_000))]
        alone = live_through([CLEAR, CLEAR], plan)
        with_it = live_through([CLEAR, CLEAR, [(0.0, weather)]], plan)

        assert with_it.done[-1].done < 1.5 * alone.done[-1].done
        assert undecided(with_it.done) == Counter()


class TestEnding:
    def test_stops_within_a_second_whatever_is_under_way(self):
        """Queries on their way, names that wait for a resolver to recover: all are given up at once."""

        async def stop_in_an_outage():
            upstreams = [
                SimulatedResolver(str(n), Random(n), [(0.0, sky.silent)]).upstream(rate=RATE) for n in range(2)
            ]
            async with Engine(upstreams, now=wall_time, random=Random(1), probe=False) as engine:
                asking = asyncio.create_task(engine.run(map(Inquiry, names_of(0, 1_000)), lambda inquiry: None))
                await asyncio.sleep(20)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            return asyncio.get_running_loop().time(), left

        ended, left = run_virtually(stop_in_an_outage())

        assert 20 <= ended < 21
        assert left == set()

    def test_whoever_has_seen_enough_may_leave(self):
        async def leave_early():
            upstream = SimulatedResolver("r0", Random(1), CLEAR).upstream(rate=RATE)
            async with Engine([upstream], now=wall_time, random=Random(1)) as engine:
                names = engine.inquire(names_of(0, 1_000))
                first = await anext(names)
                await names.aclose()
            return first, asyncio.all_tasks() - {asyncio.current_task()}

        (name, answers), left = run_virtually(leave_early())

        assert answers["MX"].status is AnswerStatus.PRESENT, name
        assert left == set()


class TestTheSimulationCatches:
    """Each safeguard taken away, one at a time: were it not needed, these would fail."""

    def live(self, **upstream):
        forecasts = [[(0.0, sky.absences_without_authority)], [(0.0, sky.poisoned)], [(0.0, sky.lossy)]]
        return live_through(forecasts, [(0, names_of(0, 400))], **upstream)

    def test_nothing_while_all_safeguards_stand(self):
        assert false_absences(self.live()) == []

    def test_absences_that_nobody_confirms(self, monkeypatch):
        monkeypatch.setattr(Inquiry, "_doubtful", lambda self: None)

        assert false_absences(self.live()) != []

    def test_confirmation_that_shows_no_flags(self):
        assert false_absences(self.live(show_confirming=as_cares_shows_it)) != []

    def test_judge_that_overlooks_flags(self, monkeypatch):
        absence = judging._absence
        monkeypatch.setattr(
            judging, "_absence", lambda reason, reply, at: absence(reason, replace(reply, vouched=None), at)
        )

        assert false_absences(self.live()) != []

    def test_judge_that_takes_silence_for_absence(self, monkeypatch):
        monkeypatch.setattr(
            judging, "unknown", lambda reason, at: judging.Answer(AnswerStatus.ABSENT, (), 0, Reason.NODATA, at)
        )

        assert false_absences(self.live()) != []

    def test_judge_that_overlooks_owners(self, monkeypatch):
        monkeypatch.setattr(
            judging, "_owned", lambda owner, rdtype, reply: [r for r in reply.answer if r.rdtype == rdtype]
        )

        assert false_presences(self.live()) != []

    def test_one_channel_for_all_attempts(self):
        """The replies that c-ares remembers are seen; a single resolver gets every attempt of a question."""
        forecasts = [[(0.0, sky.poisoned)]]
        sound = live_through(forecasts, [(0, names_of(0, 400))])
        broken = live_through(forecasts, [(0, names_of(0, 400))], attempts=1)

        assert sum(resolver.repeats for resolver in sound.resolvers) == 0
        assert sum(resolver.repeats for resolver in broken.resolvers) > 0


def wrong_absences(query):
    """A filter, or a zone gone wrong: sound flags, SOA, and nothing exists."""
    return 0.02, truth(query.question)._replace(rcode="noerror", answer=(), soa=900)
