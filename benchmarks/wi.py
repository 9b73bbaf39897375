"""WI: `what_if` of four changes, alone and together, over a Parquet output; against reading the same columns with pyarrow."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import poolsift
from benchmarks import data, w1
from benchmarks.measure import interleave
from poolsift.analysis.change_effects import needed_columns
from poolsift.analysis.stored_run import StoredRun
from poolsift.analysis.whatif import what_if
from poolsift.engines.finished import read_piece

if TYPE_CHECKING:
    from poolsift.overlay import Overlay

#: The generator knows 50,000 names; more records of them are the same work over again.
NAMES = 50_000
A_FILE = 1_000_000


def build(folder: Path, rows: int, seed: int) -> Path:
    """An output of `rows` records. The first million is classified, further ones are made of other senders and addresses."""
    names = data.domain_names(np.random.default_rng(seed), NAMES)
    tables = data.tables(seed, names=names, dns_size=NAMES)
    (folder / "tenant.toml").write_text(w1.tenant_text(tables), encoding="utf-8")
    files = []
    for start in range(0, rows, A_FILE):
        records = data.records(seed + start, min(A_FILE, rows - start), names, 100_000)
        files.append(folder / f"in-{start // A_FILE:05}.parquet")
        pq.write_table(records, files[-1])
    poolsift.classify_files(files, folder / "out", tenant=poolsift.Tenant.load(str(folder / "tenant.toml")), threads=2)
    for file in files:
        file.unlink()
    return folder / "out"


def overlay(out: Path) -> Overlay:
    """Four changes: the sender domains of most relayed mail, and the gateway of the tenant file."""
    part = next(iter(sorted(out.glob("part-*.parquet"))))
    table = pq.read_table(part, columns=["pool", "sender_domain"])
    relayed = table.filter(pc.equal(table["pool"].cast(pa.string()), "relay"))["sender_domain"]
    counted = pc.value_counts(relayed.combine_chunks().cast(pa.string()).drop_null()).to_pylist()
    first, second, third, *_ = (entry["values"] for entry in sorted(counted, key=lambda one: -one["counts"]))
    return poolsift.Overlay.parse(
        f"accept-domain {first}\nauthorize {data.GATEWAY} = {second}\nsign-dkim {third}\nenhanced-filtering g\n"
    )


def read(out: Path, changes: Overlay) -> int:
    """The floor: the same columns in the same batches, by one thread."""
    run = StoredRun(str(out))
    columns = [name for name in needed_columns(changes) if name in run.columns]
    return sum(batch.num_rows for piece in run.pieces for batch in read_piece(piece, columns))


def run(rows: int, seed: int, rounds: int) -> dict[str, Any]:
    """CPU time against reading, and the wall time of two threads."""
    with tempfile.TemporaryDirectory() as folder:
        out = build(Path(folder), rows, seed)
        changes = overlay(out)
        found = what_if(out, changes)
        if found.records != rows or found.together is None or not found.together.moved.messages:
            raise AssertionError(f"{found.records} records, {found.together}")
        timing = interleave(partial(what_if, out, changes), partial(read, out, changes), rounds)
    return {
        "id": "WI", "rows": rows, "moved": found.together.moved.messages, "ours_s": timing.ours_wall,
        "ours_ns": timing.ours_cpu / rows * 1e9, "peer": "pyarrow, reading alone", "peer_ns": timing.peer_cpu / rows * 1e9,
        "ratio": timing.ratio, "goal": "10^7 rows < 10 s", "gate": 0.15,
    }  # fmt: skip
