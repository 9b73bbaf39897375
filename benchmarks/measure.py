"""Interleaved timing: ours and the peer in turn, minimum CPU time of each and the median of the pairwise ratios."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Timing:
    """`cpu` and `wall` in seconds, the least of all rounds; `ratio` is peer over ours, the median of the rounds."""

    ours_cpu: float
    ours_wall: float
    peer_cpu: float
    peer_wall: float
    ratio: float


def once(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call, garbage collection off."""
    gc.collect()
    gc.disable()
    try:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return time.process_time() - cpu, time.perf_counter() - wall
    finally:
        gc.enable()


def interleave(ours: Callable[[], object], peer: Callable[[], object], rounds: int) -> Timing:
    """A B A B …: what disturbs the machine disturbs both."""
    pairs = [(once(ours), once(peer)) for _ in range(rounds)]
    return Timing(
        min(a[0] for a, _ in pairs), min(a[1] for a, _ in pairs), min(b[0] for _, b in pairs), min(b[1] for _, b in pairs),
        statistics.median(b[0] / a[0] for a, b in pairs),
    )  # fmt: skip


#: For a process of its own: its peak in MiB. Not `ru_maxrss`, which a child inherits from whoever started it.
PEAK = """
def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
"""
