"""What if: how many messages of a finished run some changes would move from pool to pool, alone and together."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from poolsift.analysis.best_changes import BestChange, best_changes
from poolsift.analysis.change_effects import needed_columns
from poolsift.analysis.scenario import EffectsOf, Scenario
from poolsift.analysis.stored_run import StoredRun
from poolsift.analysis.stored_scan import scan
from poolsift.errors import InputError, UsageError
from poolsift.overlay import ChangeKind
from poolsift.verdicts import SCHEMA_VERSION, Pool
from poolsift.writers.columns import METADATA

if TYPE_CHECKING:
    from poolsift.analysis.moves import Moves
    from poolsift.analysis.pool_tables import PoolTables
    from poolsift.analysis.stored_rows import StoredRows
    from poolsift.dns.snapshot import Snapshot
    from poolsift.overlay import Change, Overlay
    from poolsift.tenant import Tenant

#: What stands for all changes together in the result as a table.
TOGETHER = "all together"

RESULT_SCHEMA = pa.schema(
    [
        pa.field("change", pa.string()),
        pa.field("sender_domain", pa.string()),
        pa.field("from_pool", pa.string()),
        pa.field("to_pool", pa.string()),
        pa.field("possibly_normal", pa.bool_()),
        pa.field("messages", pa.int64()),
        pa.field("recipients", pa.int64()),
    ],
    metadata=METADATA,
)


@dataclass(frozen=True)
class WhatIf:
    """What changes would move in a finished run, counted against its stored verdicts.

    ``together`` and ``alone`` are the changes of the overlay; a single change is counted once, as both. ``best``
    are single changes found in the data, most messages to the normal pool first. ``remarks`` are to be read first.
    """

    out: str
    records: int
    rules: str
    assumed: dict[str, str]
    remarks: tuple[str, ...]
    together: Moves | None
    alone: tuple[Moves, ...]
    best: tuple[BestChange, ...] | None

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "out": self.out,
            "records": self.records,
            "rules": self.rules,
            "assumed": self.assumed,
            "remarks": list(self.remarks),
            "together": None if self.together is None else self.together.as_dict(),
            "alone": [moves.as_dict() for moves in self.alone],
            "best": None if self.best is None else [change.as_dict() for change in self.best],
        }

    def table(self) -> pa.Table:
        """The moves by sender domain: each change alone, then all together where there are several."""
        named = [(moves.changes[0], moves) for moves in self.alone]
        if self.together is not None and (len(self.together.changes) > 1 or not named):
            named.append((TOGETHER, self.together))
        parts = [_flat(name, moves.domains) for name, moves in named]
        return pa.concat_tables(parts) if parts else RESULT_SCHEMA.empty_table()


def _flat(name: str, domains: pa.Table) -> pa.Table:
    """The moves of one scenario as rows of the result."""
    place = domains.schema.get_field_index("possibly_normal")
    domains = domains.set_column(place, "possibly_normal", pc.equal(domains["possibly_normal"], "yes"))
    return domains.add_column(0, "change", pa.array([name] * len(domains), pa.string())).cast(RESULT_SCHEMA)


def what_if(
    out: str | os.PathLike[str],
    overlay: Overlay | None = None,
    *,
    tenant: Tenant | str | None = None,
    snapshot: Snapshot | str | None = None,
    together: bool = True,
    alone: bool = True,
    best: int = 0,
    threads: int = 2,
    memory: int = 1 << 30,
) -> WhatIf:
    """Read the evidence of ``out`` (the -o of classify) again under the changes of ``overlay``; nothing is written.

    Counted are messages (records of the output) and recipients (``recipient_count``) whose pool is then another
    than the stored one. ``tenant`` and ``snapshot`` stand in for the files that the run used; the snapshot is asked
    for the SPF of source addresses only. ``best``: find that many single changes that move most messages to the
    normal pool. ``memory`` bounds the tables by sender domain and address; what a thread reads is bounded anyway.
    Raises UsageError when there is nothing to do, OverlayError, InputError for a damaged output.
    """
    changes = tuple(overlay) if overlay is not None else ()
    if not changes and not best:
        raise UsageError("no change to look at", expected="an overlay with at least one change, or best")
    run = StoredRun(os.fspath(out), tenant=tenant, snapshot=snapshot, memory=memory)
    _check_run(run, changes, best)
    if overlay is not None:
        overlay.check(run.tenant)
    counted = _counted(run, changes, together=together, alone=alone, threads=threads)
    found = best_changes(run, best, threads) if best else None
    return WhatIf(
        out=run.out,
        records=run.records,
        rules=str(run.said["rules"]),
        assumed=dict(run.said["assumed"]),
        remarks=(*run.remarks, *_overlay_remarks(run, changes), *_sending_remark(run, counted)),
        together=counted.together,
        alone=counted.alone,
        best=None if found is None else tuple(found),
    )


def _check_run(run: StoredRun, changes: tuple[Change, ...], best: int) -> None:
    """Refuse what would be counted wrongly: what an address stands for is known by the gateways of the tenant file."""
    path = run.said["tenant_file"]
    if path is not None and run.tenant is None and (best or any(one.kind is ChangeKind.AUTHORIZE for one in changes)):
        expected = "--tenant FILE: its gateways decide which address SPF is about"
        raise UsageError("the tenant file of the run is gone", path=run.out, found=path, expected=expected)
    lines = [] if run.said.get("overlay") is None else run.said["overlay"]["lines"]
    filtered = next((line for line in lines if line.startswith(ChangeKind.ENHANCED_FILTERING)), None)
    if filtered is not None:
        expected = "the output of a run without that line: what it replaced is no longer known"
        raise UsageError("the run took a gateway for filtered", path=run.out, found=filtered, expected=expected)


def _sending_remark(run: StoredRun, counted: _Counted) -> list[str]:
    """Key columns do not keep every sign of sending."""
    moved = [counted.together, *counted.alone]
    moves = [move for one in moved if one is not None for move in one.moves if move.to_pool == Pool.NOT_OUTBOUND]
    if not moves or run.manifest["options"]["columns"] != "key":
        return []
    text = "mail to a domain that becomes accepted counts as not sent on unless its verdict shows what sent it"
    return [f"{text}; an output of classify --columns all is exact"]


@dataclass
class _Counted:
    together: Moves | None = None
    alone: tuple[Moves, ...] = ()


def _counted(run: StoredRun, changes: tuple[Change, ...], *, together: bool, alone: bool, threads: int) -> _Counted:
    """One pass: every change alone, all together, and whether the rules give the stored pools at all."""
    if not changes:
        return _Counted()
    effects_of = EffectsOf(run)
    single = [Scenario(run, [change], effects_of) for change in changes] if alone or len(changes) == 1 else []
    whole = [Scenario(run, changes, effects_of)] if together and len(changes) > 1 else []
    check = BaselineCheck(run.tables)
    times = ["time"] if any(one.needs_time for one in [run.tables, *_tables(single + whole)]) else []
    scan(run, [*needed_columns(changes), *times], [*single, *whole, check], threads)
    if check.rows != run.records:
        found, expected = f"{check.rows:,} rows", f"{run.records:,}, as the manifest says"
        raise InputError("output_damaged", f"found {found}, expected {expected}", run.out)
    if check.different:
        run.remarks.append(
            f"{check.different:,} records were put into another pool than rules {run.said['rules']} give today: "
            "counted against the stored pool, but what these changes move is mixed with that"
        )
    moves = tuple(scenario.result() for scenario in single)
    return _Counted(whole[0].result() if whole else moves[0] if together and moves else None, moves if alone else ())


def _tables(scenarios: list[Scenario]) -> list[PoolTables]:
    return [scenario.tables for scenario in scenarios if scenario.tables is not None]


@dataclass
class BaselineCheck:
    """Counts rows whose stored pool is not what the rules give for their evidence; it is its own piece counter."""

    tables: PoolTables
    different: int = field(default=0)
    rows: int = field(default=0)

    def piece(self) -> BaselineCheck:
        """A fresh count."""
        return BaselineCheck(self.tables)

    def add(self, rows: StoredRows) -> None:
        """Compare one batch."""
        pools, _ = self.tables.lookup(rows.evidence, rows.times)
        self.different += int(np.count_nonzero(pools != rows.pools))
        self.rows += len(pools)

    def merge(self, piece: BaselineCheck) -> None:
        """Take one piece."""
        self.different += piece.different
        self.rows += piece.rows


def _overlay_remarks(run: StoredRun, changes: tuple[Change, ...]) -> list[str]:
    """What limits the answer, a line each."""
    kinds = {change.kind for change in changes}
    remarks = []
    if (
        ChangeKind.PUBLISH_DNS in kinds
        and run.said["assumed"].get("domain_resolves") == "yes"
        and run.said["dns"] == "off"
    ):
        remarks.append("the run assumed that sender domains resolve (DNS off): publish-dns moves little or nothing")
    on = {gateway.name for gateway in run.gateways if gateway.enhanced_filtering is True}
    remarks += [
        f"gateway {change.target!r} has enhanced filtering already: turning it on moves nothing"
        for change in changes
        if change.kind is ChangeKind.ENHANCED_FILTERING and change.target in on
    ]
    if ChangeKind.ENHANCED_FILTERING in kinds and run.dns is None:
        remarks.append(
            "without a DNS snapshot SPF of the source addresses is unknown: --snapshot FILE (poolsift resolve) tells it"
        )
    return remarks
