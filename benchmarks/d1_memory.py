"""D1M: `resolve` as a whole, cache and snapshot included: its peak memory and rate as the names grow."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import knot
from benchmarks.measure import PEAK

#: MiB for a million names.
GOAL = 300.0

CHILD = """
import json, sys, time
from poolsift import ResolveOptions, resolve_names
options = ResolveOptions(resolvers=["127.0.0.1:" + sys.argv[1]], cache=sys.argv[4], rate=0, zone_cap=0)
started = time.perf_counter()
result = resolve_names([sys.argv[2]], sys.argv[3], options=options)
assert not result.summary["unknown"], result.summary
print(json.dumps({
    "peak": peak(),
    "seconds": time.perf_counter() - started,
    "queries": result.summary["queries"],
}))
"""


def run(sizes: tuple[int, int]) -> dict[str, Any]:
    """Each size in a process of its own, with a new cache."""
    figures = [_resolve(size) for size in sizes]
    return {
        "id": "D1M",
        "names": sizes[1],
        "small_mib": figures[0]["peak"],
        "large_mib": figures[1]["peak"],
        "ratio": figures[1]["peak"] / GOAL,
        "goal": "at most 300 MiB",
        "gate_most": 1.0,
        "names_a_second": sizes[1] / figures[1]["seconds"],
        "queries_a_second": figures[1]["queries"] / figures[1]["seconds"],
    }


def _resolve(count: int) -> dict[str, float]:
    with knot.serving(count) as port, tempfile.TemporaryDirectory() as folder:
        names = Path(folder, "names.txt")
        with names.open("w", encoding="ascii") as out:
            out.writelines(f"{name}\n" for name in knot.names(count))
        places = [names, Path(folder, "dns.arrow"), Path(folder, "cache.sqlite")]
        done = subprocess.run(
            [sys.executable, "-c", PEAK + CHILD, str(port), *map(str, places)], stdout=subprocess.PIPE, check=True
        )
        figures: dict[str, float] = json.loads(done.stdout)
        return figures
