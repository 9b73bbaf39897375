"""Writes the demo archive: two extended traces, EmailEvents of the same mail, canonical Parquet, a tenant file and a DNS snapshot."""

from __future__ import annotations

import csv
import gzip
import io
import random
from typing import TYPE_CHECKING, Any, NamedTuple

from poolsift.demo.messages import CONTOSO, TAILSPIN, Message, draw_messages
from poolsift.demo.render import EXTENDED_COLUMNS, canonical_rows, emailevents_lines, extended_rows
from poolsift.demo.zone import snapshot_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TENANT_FILE = f"""\
# Tenant file of the demo: what `poolsift tenant init` writes, filled in.
[[tenant]]
id = "{CONTOSO}"
name = "contoso"
accepted_domains = ["contoso.com", "fabrikam.com", {{ domain = "lab.contoso.com", subdomains = true }}]
initial_domain = "contoso.onmicrosoft.com"
licenses = 1200

[[tenant.gateway]]
name = "mail filter in front"
prefixes = ["203.0.113.96/27"]
enhanced_filtering = false

[[tenant.gateway]]
name = "on-prem edge"
prefixes = ["203.0.113.0/27"]
connector = "Inbound from on-prem"
enhanced_filtering = true

[[tenant]]
id = "{TAILSPIN}"
name = "tailspin"
accepted_domains = ["tailspin.example"]
initial_domain = "tailspin.onmicrosoft.com"
"""
LINES_A_FILE = 100_000  # a historical search gives no more


class Archive(NamedTuple):
    """Where the pieces lie; `inputs` are the log files, `rows` what they hold."""

    folder: Path
    inputs: list[Path]
    tenant: Path
    snapshot: Path
    rows: dict[str, int]


def write_archive(folder: Path, *, messages: int = 60_000, seed: int = 1) -> Archive:
    """Half of the messages are in the extended trace and in EmailEvents, the other half are canonical Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = list(draw_messages(messages // 2, seed))
    dice = random.Random(seed + 1)
    trace, rows_trace = _write_extended(folder, (row for message in shared for row in extended_rows(message, dice)))
    events, rows_events = _write_events(folder / "emailevents.ndjson.gz", shared)
    records, rows_records = _write_records(folder / "records.parquet", draw_messages(messages - len(shared), seed + 2))
    tenant = folder / "tenant.toml"
    tenant.write_text(TENANT_FILE, encoding="utf-8")
    rows = {"extended trace": rows_trace, "EmailEvents": rows_events, "canonical Parquet": rows_records}
    return Archive(folder, [*trace, events, records], tenant, _write_snapshot(folder / "dns.ndjson"), rows)


def _write_extended(folder: Path, rows: Iterable[dict[str, str]]) -> tuple[list[Path], int]:
    """Files as Exchange Online hands them out: UTF-16LE without byte order mark; every second one re-saved as UTF-8 and gzipped."""
    paths: list[Path] = []
    total = 0
    for number, lines in enumerate(_chunks(rows, LINES_A_FILE)):
        text = io.StringIO()
        writer = csv.DictWriter(text, EXTENDED_COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(lines)
        path = folder / (f"extended-{number}.csv" if number % 2 == 0 else f"extended-{number}.csv.gz")
        data = text.getvalue().encode("utf-16-le" if number % 2 == 0 else "utf-8")
        path.write_bytes(data if number % 2 == 0 else gzip.compress(data, 6, mtime=0))
        paths.append(path)
        total += len(lines)
    return paths, total


def _chunks(rows: Iterable[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    chunk: list[dict[str, str]] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _write_events(path: Path, messages: list[Message]) -> tuple[Path, int]:
    lines = [line for message in messages for line in emailevents_lines(message)]
    path.write_bytes(gzip.compress(b"".join(lines), 6, mtime=0))
    return path, len(lines)


def _write_records(path: Path, messages: Iterable[Message]) -> tuple[Path, int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from poolsift.records import record_schema

    rows: list[dict[str, Any]] = [row for message in messages for row in canonical_rows(message)]
    given = [field for field in record_schema() if field.name in rows[0]]
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(given)), path, write_page_checksum=True)
    return path, len(rows)


def _write_snapshot(path: Path) -> Path:
    """The full form of a DNS snapshot: one brand has neither A nor MX, one partner could not be asked."""
    import orjson

    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in snapshot_rows()))
    return path
