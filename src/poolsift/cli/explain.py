"""``poolsift explain``: one verdict in words."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.completing import PATH, profiles
from poolsift.errors import InputError, UsageError

if TYPE_CHECKING:
    from poolsift.engines.lookup import FinishedRun
    from poolsift.tenant import Tenant

#: Records of one message that are explained; a message may have thousands of recipients.
_MOST: Final = 5

_ONLY_RECORD: Final = ("tenant", "rules", "assume", "snapshot")


@click.command()
@click.argument("out", metavar="OUT|-", type=PATH)
@click.option("--row", type=click.IntRange(min=1), metavar="N", help="The N-th record of the output.")
@click.option("--message-id", metavar="ID", help="The records with this message id or network message id.")
@click.option("--tenant", metavar="FILE", type=PATH, help="Tenant file, for a record on stdin.")
@click.option("--rules", metavar="PROFILE", shell_complete=profiles, help="Rule profile, for a record on stdin.")
@click.option("--assume", metavar="FACTS", help="Assumptions, for a record on stdin.")
@click.option("--snapshot", metavar="FILE", type=PATH, help="DNS snapshot, for a record on stdin.")
def command(out: str, row: int | None, message_id: str | None, **options: str | None) -> None:
    """Explain a record of OUT (the -o of classify), or one canonical NDJSON record on stdin (-)."""
    if out == "-":
        if row is not None or message_id is not None:
            raise UsageError("has no effect on a record from stdin", key="--row" if row else "--message-id")
        lines = _explained_record(_record_from_stdin(), options)
    else:
        given = [name for name in _ONLY_RECORD if options[name] is not None]
        if given:
            raise UsageError("has no effect on a finished run: its manifest holds what was used", key=f"--{given[0]}")
        if (row is None) == (message_id is None):
            found = "neither" if row is None else "both"
            raise UsageError("which record is unclear", found=found, expected="--row N or --message-id ID")
        lines = _explained_output(out, row, message_id)
    click.echo("\n".join(lines))


def _record_from_stdin() -> dict[str, Any]:
    import orjson

    lines = [line for line in sys.stdin.buffer.read().splitlines() if line.strip()]
    if len(lines) != 1:
        raise UsageError("one record is explained at a time", path="-", found=f"{len(lines)} lines", expected="one")
    try:
        record = orjson.loads(lines[0])
    except orjson.JSONDecodeError as error:
        raise InputError("json_syntax", str(error), "-") from None
    if not isinstance(record, dict):
        raise UsageError("not a record", path="-", found=type(record).__name__, expected="a JSON object")
    return record


def _explained_record(record: dict[str, Any], options: dict[str, str | None]) -> list[str]:
    from poolsift.classifier import Classifier
    from poolsift.dns.snapshot import Snapshot
    from poolsift.explain import explain_verdict
    from poolsift.rules import DEFAULT
    from poolsift.tenant import Tenant

    tenant = None if options["tenant"] is None else Tenant.load(options["tenant"])
    dns = None if options["snapshot"] is None else Snapshot.open(options["snapshot"])
    classifier = Classifier(tenant, dns=dns, rules=options["rules"] or DEFAULT, assume=options["assume"])
    verdict = classifier.classify_record(record)
    record = {**record, "time": _time(record.get("time"))}
    table = classifier.tables[classifier.profile_at(record["time"]).name]
    return explain_verdict(record, verdict, table, tenant, snapshot=options["snapshot"])


def _explained_output(out: str, row: int | None, message_id: str | None) -> list[str]:
    from poolsift.engines.lookup import FinishedRun

    run = FinishedRun(out)
    found = [run.record(row)] if row is not None else run.records_of(message_id or "", _MOST + 1)
    lines: list[str] = []
    for record in found[:_MOST]:
        lines += ["", "", *_explained(run, record)] if lines else _explained(run, record)
    return [*lines, "", f"and more than {_MOST} records in all"] if len(found) > _MOST else lines


def _explained(run: FinishedRun, kept: dict[str, Any]) -> list[str]:
    """The lines for one record of an output; its first input row adds the columns that the output left out."""
    from poolsift.analysis.escaping import shown
    from poolsift.classifier import Classifier
    from poolsift.evidence import decode_evidence
    from poolsift.explain import explain_verdict
    from poolsift.verdicts import OVERLAID, VERDICT_COLUMNS, Verdict

    said = run.manifest["verdicts"]
    assume = ",".join(f"{fact}={value}" for fact, value in said["assumed"].items()) or "none"
    classifier = Classifier(rules=said["rules"], assume=assume)
    tenant, tenant_remark = _tenant(said)
    again, remark = run.input_row(kept["input"], kept["row"])
    values = {name: kept[name] for name in VERDICT_COLUMNS}
    overlaid = kept.get(OVERLAID) or 0
    verdict = Verdict(**values, facts=decode_evidence(kept["evidence"]), compared={}, overlaid=overlaid)
    record = {**(again or {}), **{name: value for name, value in kept.items() if value is not None}}
    record["time"] = _time(record.get("time"))
    table = classifier.tables[classifier.profile_at(record["time"]).name]
    rows = "" if kept["rows"] == 1 else f", the first of {kept['rows']} rows"
    head = [f"record: {shown(kept['input'])} row {kept['row']}{rows}"]
    head += [f"note: {shown(text)}" for text in (remark, tenant_remark) if text]
    snapshot = None if said["dns"] == "off" else said["dns"]
    return [*head, *explain_verdict(record, verdict, table, tenant, snapshot=snapshot)]


def _tenant(said: dict[str, Any]) -> tuple[Tenant | None, str | None]:
    """The tenant file of the run, and a remark when it is no longer the one that was used."""
    from poolsift.engines.manifest import file_hash
    from poolsift.tenant import Tenant

    path = said["tenant_file"]
    if path is None:
        return None, None
    if file_hash(path) is None:
        return None, f"{path} is gone; fixes that depend on it may differ"
    remark = None if file_hash(path) == said["tenant_file_sha256"] else f"{path} has changed since the run"
    return Tenant.load(path), remark


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None
