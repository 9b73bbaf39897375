"""An event loop whose clock jumps to the next timer: hours of waiting pass in no time, in an order that repeats."""

import asyncio
import selectors
from datetime import UTC, datetime, timedelta

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


class Stuck(RuntimeError):
    """Everybody waits, and nothing is planned that could wake anybody."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for sockets it moves the time; nothing here ever comes over a socket."""

    now = 0.0

    def select(self, timeout=None):
        if timeout is None:
            raise Stuck("no timer is left and no task can go on")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is virtual seconds since the loop was made."""

    def __init__(self):
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        # asyncio runs what is due within this; finer than a float of many days can show, it would turn for ever.
        self._clock_resolution = 1e-6

    def time(self):
        return self._jumping.now


def run_virtually(coroutine):
    """What the coroutine gives, run to its end on a fresh virtual loop. Raises Stuck where it would wait for ever."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def wall_time():
    """The wall time that belongs to the running loop's time: it began at midnight."""
    return MIDNIGHT + timedelta(seconds=asyncio.get_running_loop().time())
