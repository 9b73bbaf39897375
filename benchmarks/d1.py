"""D1: A and MX of many names on loopback, the engine over aiodns against dnsperf, both asking the same knot."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import knot

GOAL = 0.09
#: CI fails below 60 % of a goal.
GATE = 0.6 * GOAL
_DNSPERF_SECONDS = 5


def run(count: int, rounds: int) -> dict[str, Any]:
    """The best of ``rounds`` of each, by turns; queries a second. Raises MissingToolError."""
    if shutil.which("dnsperf") is None:
        raise knot.MissingToolError("dnsperf is missing: apt-get install dnsperf")
    with knot.serving(count) as port, tempfile.TemporaryDirectory() as folder:
        questions = Path(folder) / "questions.txt"
        questions.write_text("".join(f"{n} {t}\n" for n in knot.names(count) for t in ("MX", "A")), encoding="ascii")
        ours: list[dict[str, Any]] = []
        peers: list[float] = []
        for _ in range(rounds):
            peers.append(_dnsperf(port, questions))
            ours += _clients(port, count, 1)
        two = _clients(port, count, 2)
    best = max(one["rate"] for one in ours)
    return {
        "id": "D1",
        "names": count,
        "rounds": rounds,
        "ratio": best / max(peers),
        "goal": GOAL,
        "gate": GATE,
        "ours": best,
        "ours_least": min(one["rate"] for one in ours),
        "dnsperf": max(peers),
        "dnsperf_least": min(peers),
        "cpu_us_a_query": min(one["cpu"] for one in ours),
        "two_processes": sum(one["rate"] for one in two),
        "confirmations": ours[0]["confirmations"],
        "retries": sum(one["retries"] for one in ours),
        "rss_mib": max(one["rss"] for one in ours),
    }


def _dnsperf(port: int, questions: Path) -> float:
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(questions), "-q", "200", "-l"]
    done = subprocess.run([*command, str(_DNSPERF_SECONDS)], capture_output=True, text=True, check=True)
    found = re.search(r"Queries per second:\s+([\d.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"dnsperf said no rate: {done.stdout[-500:]}")
    return float(found[1])


def _clients(port: int, count: int, processes: int) -> list[dict[str, Any]]:
    """So many processes at once, each on a processor of its own where there are as many, each its share of the names."""
    command = [sys.executable, "-m", "benchmarks.d1_client", str(port), str(count), str(processes)]
    started = [subprocess.Popen([*command, str(share)], stdout=subprocess.PIPE) for share in range(processes)]
    answers = [client.communicate()[0] for client in started]
    if any(client.returncode for client in started):
        raise RuntimeError("a client failed")
    return [json.loads(answer) for answer in answers]
