"""How fast one resolver is asked and when it is left alone: token bucket and circuit breaker. Time is an argument."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

#: Queries that may go out at once after a pause, as a share of a second's queries.
_BURST_SECONDS: Final = 0.1
#: The rate halves at most once in so many seconds, and comes back by a twentieth of the ceiling a second.
_HALVING_PAUSE: Final = 1.0
_RECOVERY: Final = 0.05
#: Never slower than this share of the ceiling, and never slower than this many a second.
_LEAST_SHARE: Final = 1 / 64
_LEAST_RATE: Final = 2.0


class TokenBucket:
    """At most ``rate`` queries a second (0: no limit), fewer while the resolver shows that it is too much.

    ``reserve`` books the next free moment and says how long to wait for it. ``slow_down`` halves the rate
    after signs of overload; without a limit it starts from what was really sent in the last second.
    """

    def __init__(self, rate: float) -> None:
        self.ceiling = rate or math.inf
        self.rate = self.ceiling
        self._free_at = 0.0
        self._halved_at = -math.inf
        self._grown_at = 0.0
        self._second = 0.0
        self._sent = 0
        self._sent_before = 0

    def reserve(self, now: float) -> float:
        """Seconds until the query may be sent."""
        self._count(now)
        if self.rate < self.ceiling:
            self._grow(now)
        if self.rate == math.inf:
            return 0.0
        tolerance = max(0.0, _BURST_SECONDS - 1 / self.rate)
        self._free_at = max(self._free_at, now)
        wait = self._free_at - tolerance - now
        self._free_at += 1 / self.rate
        return max(0.0, wait)

    def slow_down(self, now: float) -> None:
        """The resolver refuses or loses queries: halve, once a second at most."""
        if now - self._halved_at < _HALVING_PAUSE:
            return
        self._halved_at = self._grown_at = now
        base = self.rate if self.rate < math.inf else 2.0 * max(self._sent, self._sent_before, 1)
        least = (
            _LEAST_RATE
            if self.ceiling == math.inf
            else min(self.ceiling, max(_LEAST_RATE, self.ceiling * _LEAST_SHARE))
        )
        self.rate = max(least, base / 2)

    def _grow(self, now: float) -> None:
        elapsed = now - self._grown_at
        if elapsed < _HALVING_PAUSE:
            return
        self._grown_at = now
        if self.ceiling == math.inf:
            self.rate *= 1 + 2 * _RECOVERY * elapsed
            if self.rate > 1_000_000:
                self.rate = math.inf
        else:
            self.rate = min(self.ceiling, self.rate + self.ceiling * _RECOVERY * elapsed)

    def _count(self, now: float) -> None:
        if now - self._second >= 1.0:
            self._sent_before = self._sent if now - self._second < 2.0 else 0
            self._sent = 0
            self._second = now
        self._sent += 1


class Breaker:
    """Leaves a resolver alone when it fails too often, and tries it again with a few queries after a while.

    More than a fifth of the last thousand outcomes failing is suspicious: domains may be dead, or the resolver is.
    ``suspects`` asks for an alibi (a question it has answered before); ``acquit`` takes it. Beyond three fifths
    no alibi counts. After ``period`` seconds a few queries are let through; it closes if half of them are answered.
    """

    WINDOW: Final = 1_000
    LEAST: Final = 100
    SUSPICIOUS: Final = 0.2
    HOPELESS: Final = 0.6
    TRIALS: Final = 10
    RECENT: Final = 50
    STRAIN: Final = 0.1

    def __init__(self, period: float = 30.0) -> None:
        self.period = period
        self.opened = 0
        self._outcomes: deque[bool] = deque(maxlen=self.WINDOW)
        self._failures = 0
        self._recent: deque[bool] = deque(maxlen=self.RECENT)
        self._open_at: float | None = None
        self._trials_out = 0
        self._trials: list[bool] = []

    def wait(self, now: float) -> float:
        """Seconds until a query may go out; 0 is now. While trial queries are out, the others wait a little."""
        if self._open_at is None:
            return 0.0
        rest = self._open_at + self.period - now
        if rest > 0:
            return rest
        return 0.0 if self._trials_out + len(self._trials) < self.TRIALS else 0.25

    def start(self) -> None:
        """A query goes out."""
        if self.is_open:
            self._trials_out += 1

    def finish(self, ok: bool, now: float) -> None:
        """A query came to an end: ``ok`` where the resolver gave a definite answer."""
        self._recent.append(ok)
        if self._open_at is not None:
            self._finish_trial(ok, now)
            return
        if len(self._outcomes) == self.WINDOW:
            self._failures -= not self._outcomes[0]
        self._outcomes.append(ok)
        if ok:
            return
        self._failures += 1
        if self._share > self.HOPELESS and len(self._outcomes) >= self.LEAST:
            self.open(now)

    @property
    def is_open(self) -> bool:
        """Whether it is open, or tried."""
        return self._open_at is not None

    def is_tried(self, now: float) -> bool:
        """Whether it is open and trial queries may be or are out."""
        return self._open_at is not None and now >= self._open_at + self.period

    @property
    def suspects(self) -> bool:
        """Whether so many failed that an alibi is needed."""
        return not self.is_open and len(self._outcomes) >= self.LEAST and self._share > self.SUSPICIOUS

    @property
    def is_strained(self) -> bool:
        """Whether more than a tenth of the last queries failed; one lost packet is weather."""
        return len(self._recent) == self.RECENT and self._recent.count(False) > self.RECENT * self.STRAIN

    def withdraw(self) -> None:
        """A query that went out was given up before it came to an end."""
        self._trials_out = max(0, self._trials_out - 1)

    def acquit(self) -> None:
        """The resolver answers what it has answered before: the failures are those of the names."""
        self._outcomes.clear()
        self._failures = 0

    def open(self, now: float) -> None:
        """Leave the resolver alone for one period."""
        self.acquit()
        self._open_at = now
        self._trials_out = 0
        self._trials = []
        self.opened += 1

    @property
    def _share(self) -> float:
        return self._failures / len(self._outcomes) if self._outcomes else 0.0

    def _finish_trial(self, ok: bool, now: float) -> None:
        """Queries sent before it opened come in late; they say nothing new."""
        if self._trials_out == 0:
            return
        self._trials_out -= 1
        self._trials.append(ok)
        if sum(self._trials) * 2 >= self.TRIALS:
            self._open_at = None
        elif len(self._trials) - sum(self._trials) > self.TRIALS // 2:
            self.open(now)
