"""Runs workloads and prints one table: machine, versions, commit, seed, figures. Exit code 1 when a gate of the smoke run fails."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from typing import Any

SEED = 20260701
WORKLOADS = ["W1", "W12", "WI", "D1", "D1M", "S1"]


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next(
            (line.partition(":")[2].strip() for line in info if line.startswith("model name")), platform.machine()
        )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("poolsift", "pyarrow", "polars", "aiodns", "pycares", "pyspf")
    )
    return {
        "cpu": f"{model}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit or "unknown",
    }


def run(name: str, *, smoke: bool) -> dict[str, Any]:
    """One workload by id."""
    if name == "W1":
        from benchmarks import w1

        return w1.run(300_000, SEED, 3, 250_000) if smoke else w1.run(2_000_000, SEED, 7)
    if name == "W12":
        from benchmarks import w12

        # Below a million records the buffers of reading and writing are not full yet, and memory rightly grows.
        return w12.run((1_000_000, 2_000_000) if smoke else (1_000_000, 10_000_000), SEED)
    if name == "WI":
        from benchmarks import wi

        return wi.run(300_000, SEED, 3) if smoke else wi.run(10_000_000, SEED, 3)
    if name == "D1":
        from benchmarks import d1

        return d1.run(10_000, 2) if smoke else d1.run(100_000, 5)
    if name == "D1M":
        from benchmarks import d1_memory

        return d1_memory.run((5_000, 20_000) if smoke else (100_000, 1_000_000))
    if name == "S1":
        from benchmarks import s1

        return s1.run(300, 50, SEED, 3, 2_000) if smoke else s1.run(2_000, 100, SEED, 7, 10_000)
    raise SystemExit(f"unknown workload {name}: known are {', '.join(WORKLOADS)}")


def failed(figures: dict[str, Any]) -> bool:
    """A ratio below 60 % of its goal, or memory that grows."""
    return figures["ratio"] < figures.get("gate", 0) or figures["ratio"] > figures.get("gate_most", float("inf"))


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("ids", nargs="*", default=WORKLOADS)
    parser.add_argument("--smoke", action="store_true", help="small data; fail on the gates")
    parser.add_argument("--json", metavar="FILE", help="store the figures")
    options = parser.parse_args()
    if os.environ.get("POOLSIFT_DEBUG") == "1":
        raise SystemExit("a debug build is not measured")
    report: dict[str, Any] = {"seed": SEED, **machine(), "figures": []}
    print("\n".join(f"{key:9}{value}" for key, value in report.items() if key != "figures"))
    for name in options.ids:
        figures = run(name, smoke=options.smoke)
        report["figures"].append(figures)
        print(
            "  ".join(
                f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in figures.items()
            )
        )
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    return int(options.smoke and any(map(failed, report["figures"])))


if __name__ == "__main__":
    sys.exit(main())
