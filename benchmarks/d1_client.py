"""One process of D1: asks MX and A of its share of the names, and prints what it took. Usage: PORT NAMES PROCESSES SHARE."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time

from benchmarks import knot
from poolsift.dns.inquiry import Inquiry
from poolsift.dns.live import open_engine
from poolsift.dns.servers import Server


async def ask(port: int, names: list[str]) -> dict[str, float]:
    """Everything that a run does but reading names and keeping answers: questions, judgement, confirmations."""
    done = 0

    def finished(_: Inquiry) -> None:
        nonlocal done
        done += 1

    async with open_engine([Server("127.0.0.1", port)], rate=0, zone_cap=0, probe=False) as engine:
        wall, cpu = time.perf_counter(), time.process_time()
        await engine.run((Inquiry(name, "full") for name in names), finished)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        stats = engine.stats
    if done != len(names) or any(word not in {"present", "absent"} for word in stats.answers):
        raise SystemExit(f"{done} of {len(names)} names, answers {dict(stats.answers)}")
    return {
        "rate": stats.queries / wall,
        "cpu": 1e6 * cpu / stats.queries,
        "confirmations": stats.confirmations,
        "retries": stats.retries,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
    }


def main() -> None:
    """Bound to one processor, as the goal says."""
    port, count, processes, share = map(int, sys.argv[1:])
    processors = sorted(os.sched_getaffinity(0), reverse=True)
    os.sched_setaffinity(0, {processors[share % len(processors)]})
    print(json.dumps(asyncio.run(ask(port, knot.names(count)[share::processes]))))


if __name__ == "__main__":
    main()
