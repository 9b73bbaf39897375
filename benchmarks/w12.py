"""W12: peak memory of `classify` over a growing canonical archive, each size in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmarks import data
from benchmarks.measure import PEAK

CHILD = """
import sys, poolsift
poolsift.classify_files(sys.argv[2:], out=sys.argv[1], tenant=None)
print(peak())
"""


def peak(inputs: list[Path], out: Path) -> float:
    """MiB at the highest point of one run."""
    done = subprocess.run(
        [sys.executable, "-c", PEAK + CHILD, str(out), *map(str, inputs)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])


def run(sizes: tuple[int, int], seed: int) -> dict[str, Any]:
    """Peak at the small and at the large size; files of a million rows, the same data under other names."""
    names = data.domain_names(np.random.default_rng(seed), 50_000)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number in range(sizes[1] // sizes[0]):
            path = Path(folder, f"records-{number}.parquet")
            pq.write_table(data.records(seed + number, sizes[0], names, 100_000), path)
            files.append(path)
        small = peak(files[:1], Path(folder, "small"))
        large = peak(files, Path(folder, "large"))
    return {
        "id": "W12",
        "rows": sizes[1],
        "small_mib": small,
        "large_mib": large,
        "ratio": large / small,
        "goal": "flat",
        "gate_most": 1.3,
    }
