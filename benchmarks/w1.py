"""W1: Arrow in memory, plain strings, fresh memo, against polars; every row's verdict must agree before a time counts."""

from __future__ import annotations

import bisect
import ipaddress
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import numpy as np
import polars as pl
import pyarrow as pa

import poolsift
from benchmarks import data
from benchmarks.measure import Timing, interleave
from benchmarks.peers import polars_peer
from poolsift import fixes, verdicts

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = 200_000


@dataclass(frozen=True)
class Setup:
    """Both sides, built and ready."""

    table: pa.Table
    classifier: poolsift.Classifier
    frame: pl.DataFrame
    peer: polars_peer.PeerTables


def tenant_text(tables: data.Tables) -> str:
    """The tenant file that holds the benchmark's tables."""
    accepted = ",\n".join(
        f'"{n}"' if not sub else f'{{ domain = "{n}", subdomains = true }}' for n, sub in tables.accepted
    )
    prefixes = ",\n".join(f'{{ prefix = "{p}", pool = "{pool}" }}' for p, pool in tables.prefixes)
    gateway = f'[[tenant.gateway]]\nname = "g"\nprefixes = ["{data.GATEWAY}"]\nenhanced_filtering = false\n'
    return f'[[tenant]]\nname = "bench"\naccepted_domains = [{accepted}]\n{gateway}[pools]\nprefixes = [{prefixes}]\n'


def build(rows: int, seed: int, dns_size: int) -> Setup:
    """Data, our classifier, the peer's frames."""
    names = data.domain_names(np.random.default_rng(seed), NAMES)
    tables = data.tables(seed, names=names, dns_size=dns_size)
    table = data.records(seed, rows, names)
    tenant = poolsift.Tenant.parse(tenant_text(tables), "bench.toml")
    snapshot = poolsift.Snapshot.from_dict({name: {"A": word, "MX": word} for name, word in tables.dns.items()})
    classifier = poolsift.Classifier(tenant, dns=snapshot)
    return Setup(table, classifier, pl.from_arrow(table), peer_tables(classifier.spec(), tables))


def peer_tables(spec: dict[str, Any], tables: data.Tables) -> polars_peer.PeerTables:
    """The kernel's own tables as frames: the contract's data are not the peer's to compute."""
    flat = np.frombuffer(spec["profiles"][0][1], np.uint8).reshape(-1, 4)
    verdict = pl.DataFrame({name: flat[:, n].copy() for n, name in enumerate(("pool", "rule", "candidates", "fix"))})
    states = {"present": 2, "absent": 1, "unknown": 0}
    starts4, pools4 = intervals(spec["prefixes"], 4)
    starts6, pools6 = intervals(spec["prefixes"], 16)
    return polars_peer.PeerTables(
        exact=pl.DataFrame({"domain": [name for name, _ in tables.accepted]}),
        parents=pl.DataFrame({"domain": [name for name, below in tables.accepted if below]}),
        own=pl.DataFrame({"domain": spec["tenants"][0]["own"]}, schema={"domain": pl.String}),
        dns=pl.DataFrame({"domain": list(tables.dns), "resolves": [states[word] for word in tables.dns.values()]}),
        intervals4=pl.DataFrame({"start": starts4, "pool": pools4}, schema={"start": pl.UInt32, "pool": pl.UInt8}).sort(
            "start"
        ),
        intervals6=lambda number: pools6[bisect.bisect_right(starts6, number) - 1],
        verdicts=verdict,
        fixes=pl.DataFrame({"fix": np.frombuffer(spec["fixes"], np.uint8).copy()}),
        gateway="203.0.113.",
    )


def intervals(
    prefixes: list[tuple[bytes, int, int | None, int | None, int]], width: int
) -> tuple[list[int], list[int | None]]:
    """Elementary intervals with the pool of the longest prefix in force today (the rows carry no time)."""
    kind = ipaddress.ip_network
    nets = [
        (kind((packed, length)), pool)
        for packed, length, _, until, pool in prefixes
        if len(packed) == width and until is None
    ]
    edges = sorted({0, *(int(net[0]) for net, _ in nets), *(int(net[-1]) + 1 for net, _ in nets)})
    edges = [edge for edge in edges if edge < 1 << (8 * width)]
    best: list[tuple[int, int | None]] = [(-1, None)] * len(edges)
    for net, pool in nets:
        first, last = bisect.bisect_left(edges, int(net[0])), bisect.bisect_right(edges, int(net[-1]))
        for at in range(first, last):
            if net.prefixlen >= best[at][0]:
                best[at] = (net.prefixlen, pool)
    return edges, [pool for _, pool in best]


def ours(setup: Setup) -> pa.Table:
    """Our verdicts, memo fresh."""
    return pa.table(setup.classifier.classify(setup.table))


def as_numbers(result: pa.Table, rules: list[str]) -> pl.DataFrame:
    """Our dictionary words as the peer's numbers."""
    orders = {
        "pool": verdicts.POOLS, "rule": rules, "observed_pool": verdicts.OBSERVED_POOLS,
        "agreement": verdicts.AGREEMENTS, "fix": fixes.FIX_NUMBERS,
    }  # fmt: skip
    frame = pl.from_arrow(result)
    columns = [
        pl.col(name)
        .cast(pl.String)
        .replace_strict({word: n for n, word in enumerate(order)}, return_dtype=pl.UInt8, default=None)
        for name, order in orders.items()
    ]
    return frame.select(*columns, "evidence", "candidates", "sender_domain")


def check(setup: Setup) -> int:
    """Number of rows; raises when one verdict differs."""
    mine = as_numbers(ours(setup), setup.classifier.spec()["rules"])
    theirs = polars_peer.classify(setup.frame, setup.peer)
    for name in mine.columns:
        left, right = mine[name], theirs[name].cast(mine[name].dtype)
        if name == "fix":
            right = right.replace(255, None)
        wrong = left.ne_missing(right).arg_true()
        if len(wrong):
            row = int(wrong[0])
            raise AssertionError(
                f"{name}: {len(wrong)} rows differ, first {row}: {left[row]} and {right[row]}: {setup.table.slice(row, 1).to_pylist()}"
            )
    return len(mine)


def run(rows: int, seed: int, rounds: int, dns_size: int = 1_000_000) -> dict[str, Any]:
    """Figures of W1: ns a row of each side and the ratio."""
    setup = build(rows, seed, dns_size)
    check(setup)
    work: Callable[[], object] = partial(ours, setup)
    timing: Timing = interleave(work, lambda: polars_peer.classify(setup.frame, setup.peer), rounds)
    return {
        "id": "W1", "rows": rows, "ours_ns": timing.ours_cpu / rows * 1e9, "peer": "polars", "peer_ns": timing.peer_cpu / rows * 1e9,
        "ratio": timing.ratio, "goal": ">= 12 (first stop 8, step 1: 5)", "gate": 5 * 0.6,
    }  # fmt: skip
