"""Token bucket and circuit breaker: never faster than allowed, slower under strain, open and closed again."""

import math
from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from poolsift.dns.pacing import Breaker, TokenBucket
from tests.dns.simulated_day import most_within

#: Queries that may go out at once are those of so many seconds, and one.
BURST = 0.1
#: Two times that are equal may differ by so much as floats.
HAIR = 1e-9


def sent(bucket, moments):
    """When queries that ask at these moments are sent."""
    return sorted(moment + bucket.reserve(moment) for moment in moments)


@st.composite
def troubles(draw):
    """(gap in seconds, whether the pace is slowed down before the query) in order."""
    gaps = st.sampled_from((0.0, 0.0, 0.0, 0.001, 0.02, 0.5, 1.0, 5.0, 60.0))
    return draw(st.lists(st.tuples(gaps, st.sampled_from((False, False, False, True))), min_size=1, max_size=200))


class TestRate:
    @given(st.sampled_from((1.0, 2.0, 7.0, 50.0, 500.0)), troubles())
    def test_is_never_exceeded_in_any_window(self, rate, steps):
        """Whatever happens: at most the window's queries, a tenth of a second's burst and one."""
        bucket, now, moments = TokenBucket(rate), 0.0, []
        for gap, slow in steps:
            now += gap
            if slow:
                bucket.slow_down(now)
            moments.append(now + bucket.reserve(now))
        moments.sort()

        for window in (0.01, 0.1, 1.0, 10.0):
            assert most_within(moments, window - HAIR) <= rate * (window + BURST) + 1

    @pytest.mark.parametrize("rate", [1.0, 20.0, 500.0])
    def test_is_reached(self, rate):
        """A thousand queries at once leave as fast as allowed, no slower."""
        moments = sent(TokenBucket(rate), [0.0] * 1_000)

        assert moments[0] == 0.0
        assert math.isclose(moments[-1], 1_000 / rate, abs_tol=BURST + 1 / rate)

    def test_pause_earns_no_more_than_the_burst(self):
        bucket = TokenBucket(500.0)
        sent(bucket, [0.0] * 100)
        moments = sent(bucket, [3_600.0] * 100)

        assert bisect_right(moments, 3_600.0) == 500 * BURST

    def test_below_ten_a_second_they_leave_one_by_one(self):
        assert sent(TokenBucket(2.0), [0.0] * 4) == [0.0, 0.5, 1.0, 1.5]

    def test_zero_is_no_limit(self):
        assert sent(TokenBucket(0), [0.0] * 10_000) == [0.0] * 10_000


class TestSlowingDown:
    def test_halves_the_rate_once_a_second(self):
        """A burst of failures is one sign, not many."""
        bucket = TokenBucket(400.0)
        for moment in (10.0, 10.0, 10.3, 10.9):
            bucket.slow_down(moment)
        once = bucket.rate
        bucket.slow_down(11.0)

        assert (once, bucket.rate) == (200.0, 100.0)

    def test_halved_rate_is_kept_in_every_window(self):
        bucket = TokenBucket(400.0)
        bucket.slow_down(0.0)
        moments = sent(bucket, [0.0] * 400)

        assert most_within(moments, 0.9) <= 200 * (0.9 + BURST) + 1

    @pytest.mark.parametrize(("rate", "least"), [(500.0, 500 / 64), (50.0, 2.0), (1.0, 1.0)])
    def test_never_stops(self, rate, least):
        bucket = TokenBucket(rate)
        for second in range(100):
            bucket.slow_down(float(second))

        assert bucket.rate == least

    @given(st.sampled_from((1.0, 10.0, 50.0, 500.0)), st.integers(1, 30), st.sampled_from((0.3, 1.0, 1.7)))
    def test_comes_back_to_the_ceiling_and_never_beyond(self, rate, halvings, step):
        """Within a third of a minute of quiet, however often it was halved."""
        bucket = TokenBucket(rate)
        for second in range(halvings):
            bucket.slow_down(float(second))
        now, rates = float(halvings), []
        while now < halvings + 24:
            bucket.reserve(now)
            rates.append(bucket.rate)
            now += step

        assert rates == sorted(rates)
        assert max(rates) == rates[-1] == rate

    def test_without_limit_it_begins_at_what_was_sent(self):
        bucket = TokenBucket(0)
        sent(bucket, [5.0] * 3_000)
        bucket.slow_down(5.5)
        first = bucket.rate
        bucket.slow_down(6.5)

        assert (first, bucket.rate) == (3_000.0, 1_500.0)

    def test_without_limit_it_is_unlimited_again_at_last(self):
        bucket = TokenBucket(0)
        sent(bucket, [5.0] * 3_000)
        bucket.slow_down(5.5)
        sent(bucket, [float(second) for second in range(6, 200)])

        assert bucket.rate == math.inf


def feed(breaker, outcomes, now=0.0):
    for ok in outcomes:
        breaker.start()
        breaker.finish(ok, now)


def share(failures, of=100):
    """Outcomes of which so many in a hundred fail, evenly mixed."""
    return [(number * failures) % 100 >= failures for number in range(of)]


class TestBreakerOpens:
    def test_stays_closed_while_few_fail(self):
        """Up to a fifth is the weather of domains."""
        breaker = Breaker()
        feed(breaker, share(20, 5_000))

        assert (breaker.is_open, breaker.suspects, breaker.wait(0.0)) == (False, False, 0.0)

    def test_more_than_a_fifth_is_suspicious(self):
        breaker = Breaker()
        feed(breaker, share(25))

        assert (breaker.is_open, breaker.suspects) == (False, True)

    def test_alibi_clears_the_suspicion(self):
        breaker = Breaker()
        feed(breaker, share(25))
        breaker.acquit()

        assert not breaker.suspects

    def test_more_than_three_fifths_open_it_without_a_question(self):
        breaker = Breaker()
        feed(breaker, share(65))

        assert breaker.is_open
        assert breaker.opened == 1

    def test_few_outcomes_say_nothing(self):
        breaker = Breaker()
        feed(breaker, [False] * 99)

        assert (breaker.is_open, breaker.suspects) == (False, False)

    def test_what_is_long_past_does_not_count(self):
        """Only the last thousand outcomes do."""
        breaker = Breaker()
        feed(breaker, share(20, 1_000))
        feed(breaker, [True] * 900)
        feed(breaker, [False] * 180)

        assert not breaker.suspects
        feed(breaker, [False] * 30)

        assert breaker.suspects

    def test_strain_is_seen_before(self):
        """More than a tenth of the last fifty."""
        breaker = Breaker()
        feed(breaker, [True] * 45 + [False] * 5)
        before = breaker.is_strained
        breaker.finish(ok=False, now=0.0)

        assert (before, breaker.is_strained) == (False, True)


@pytest.fixture
def opened():
    """A breaker that opened at 100 with a period of 30."""
    breaker = Breaker(30.0)
    breaker.open(100.0)
    return breaker


class TestBreakerRecovers:
    def test_nobody_is_let_through_for_one_period(self, opened):
        assert [opened.wait(now) for now in (100.0, 110.0, 129.0)] == [30.0, 20.0, 1.0]

    def test_then_ten_queries_try(self, opened):
        waits = []
        for _ in range(12):
            waits.append(opened.wait(130.0))
            if not waits[-1]:
                opened.start()

        assert waits == [0.0] * 10 + [0.25] * 2

    def test_closes_when_half_of_them_are_answered(self, opened):
        for _ in range(10):
            opened.start()
        states = []
        for ok in (False, False, True, True, False, False, True, True, True):
            opened.finish(ok, 131.0)
            states.append(opened.is_open)

        assert states == [True] * 8 + [False]
        assert opened.wait(131.0) == 0.0

    def test_opens_for_another_period_when_more_than_half_fail(self, opened):
        for _ in range(10):
            opened.start()
        for _ in range(6):
            opened.finish(ok=False, now=132.0)

        assert (opened.opened, opened.wait(132.0)) == (2, 30.0)

    def test_outcomes_of_before_say_nothing(self, opened):
        """Queries that were out when it opened end in time-outs; they are no trial."""
        for _ in range(300):
            opened.finish(ok=False, now=101.0)

        assert (opened.opened, opened.wait(130.0)) == (1, 0.0)

    def test_trial_that_was_given_up_gives_its_place_back(self, opened):
        for _ in range(10):
            opened.start()
        full = opened.wait(130.0)
        opened.withdraw()

        assert (full, opened.wait(130.0)) == (0.25, 0.0)

    def test_forgets_the_failures_when_it_closes(self, opened):
        feed(opened, [True] * 5, now=131.0)
        feed(opened, share(20, 200), now=132.0)

        assert (opened.is_open, opened.suspects) == (False, False)


class BreakerUse(RuleBasedStateMachine):
    """A resolver that is up or down, asked by queries that come and go as they like."""

    @initialize()
    def begin(self):
        self.breaker = Breaker(30.0)
        self.now = 0.0
        self.out = 0
        self.trials = 0
        self.open_since = None

    def note(self):
        if not self.breaker.is_open:
            self.open_since, self.trials = None, 0

    @rule(seconds=st.sampled_from((0.125, 1.0, 29.0, 30.0, 300.0)))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule(count=st.integers(1, 150), ok=st.booleans())
    def queries_are_asked_and_answered(self, count, ok):
        for _ in range(count):
            if self.breaker.wait(self.now) > 0:
                break
            opened = self.breaker.opened
            self.breaker.start()
            self.breaker.finish(ok, self.now)
            if self.breaker.opened > opened:
                self.open_since = self.now
        self.note()

    @rule(count=st.integers(1, 50))
    def queries_go_out(self, count):
        for _ in range(count):
            if self.breaker.wait(self.now) > 0:
                break
            self.breaker.start()
            self.out += 1

    @precondition(lambda self: self.out)
    @rule(ok=st.booleans(), cancelled=st.booleans())
    def query_ends(self, ok, cancelled):
        self.out -= 1
        opened = self.breaker.opened
        if cancelled:
            self.breaker.withdraw()
        else:
            self.breaker.finish(ok, self.now)
        if self.breaker.opened > opened:
            self.open_since = self.now
        self.note()

    @precondition(lambda self: self.breaker.is_open)
    @rule()
    def resolver_recovers(self):
        """However it got there: when nothing is out and all is well, one period later it closes."""
        while self.out:
            self.out -= 1
            self.breaker.withdraw()
        self.now += 30.0
        for _ in range(Breaker.TRIALS):
            if self.breaker.is_open:
                assert self.breaker.wait(self.now) == 0.0
            self.breaker.start()
            self.breaker.finish(ok=True, now=self.now)

        assert not self.breaker.is_open
        self.note()

    @invariant()
    def wait_is_a_bounded_time(self):
        if hasattr(self, "breaker"):
            assert 0.0 <= self.breaker.wait(self.now) <= 30.0

    @invariant()
    def open_means_waiting_for_one_period(self):
        if getattr(self, "open_since", None) is not None and self.now < self.open_since + 30.0:
            assert self.breaker.wait(self.now) > 0.0


TestBreakerInUse = BreakerUse.TestCase
