"""One and the same setting for both sides: a tenant file and a snapshot, as the reference and as the library hold them."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests import strategies
from tests.reference.accepted import read_tenant_file, with_tenant_pools
from tests.reference.dns import Snapshot
from tests.reference.evidence import World
from tests.reference.networks import load_tables
from tests.reference.rules import PROFILES

DATA = Path(find_spec("poolsift").origin).parent / "data"
TENANT_FILES = {"several": strategies.TENANTS, "single": strategies.SINGLE_TENANT, "none": None}


@dataclass(frozen=True)
class Case:
    """What is asked of both sides. `assume` None means the default assumptions."""

    tenants: str = "several"
    dns: bool = True
    rules: str = "2023-11"
    assume: tuple[tuple[str, str], ...] | None = None
    compare: tuple[str, ...] = ()

    def assumed(self) -> Mapping[str, str] | None:
        return None if self.assume is None else dict(self.assume)

    def assume_text(self) -> str | None:
        """As on the command line."""
        return None if self.assume is None else ",".join(f"{fact}={value}" for fact, value in self.assume) or "none"


CASES = (
    Case(),
    Case(compare=("2026-06", "2016-08")),
    *(Case(rules=profile) for profile in (*PROFILES, "by-date") if profile != "2023-11"),
    Case(tenants="single"),
    Case(tenants="single", dns=False, compare=("measured",)),
    Case(tenants="none"),
    Case(dns=False),
    Case(assume=()),
    Case(assume=(("spf_pass", "no"), ("spam", "no"))),
    Case(rules="measured", assume=(("domain_resolves", "no"), ("blocked", "yes"), ("outbound", "yes"))),
    Case(rules="by-date", assume=(), compare=("2021-07", "measured")),
)


def snapshot() -> Snapshot:
    """The generator's DNS as the dict of the reference."""
    return {(row["name"], row["rdtype"]): (row["status"], row["rdata"] == ["0 ."]) for row in snapshot_rows()}


def snapshot_rows() -> list[dict[str, Any]]:
    """The generator's DNS as rows of a snapshot (semantics section 8)."""
    rdata = {"A": ["192.0.2.1"], "MX": ["10 mail.example.com"], "AAAA": ["2001:db8::1"]}
    rows = []
    for name, a, mx, aaaa, null_mx in strategies.DNS:
        for rdtype, status in (("A", a), ("MX", mx), ("AAAA", aaaa)):
            data = ["0 ."] if null_mx and rdtype == "MX" else rdata[rdtype]
            row = {"name": name, "rdtype": rdtype, "status": status, "rdata": data if status == "present" else []}
            rows += [row] if status else []
    return sorted(rows, key=lambda row: (row["name"], row["rdtype"]))


@cache
def reference_world(tenants: str, dns: bool) -> World:
    """The setting as the reference holds it."""
    tables, text = load_tables(DATA), TENANT_FILES[tenants]
    if text is None:
        return World(tables, (), snapshot() if dns else None)
    found, names, prefixes = read_tenant_file(tenant_path(text))
    return World(with_tenant_pools(tables, names, prefixes), found, snapshot() if dns else None)


@cache
def tenant_path(text: str) -> Path:
    """The text as a file that lives as long as this process."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False, encoding="utf-8") as file:
        file.write(text)
    return Path(file.name)


@cache
def classifier(case: Case) -> Any:
    """The setting as the library holds it."""
    import poolsift

    text = TENANT_FILES[case.tenants]
    return poolsift.Classifier(
        None if text is None else poolsift.Tenant.parse(text),
        dns=poolsift.Snapshot.from_rows(snapshot_rows()) if case.dns else None,
        rules=case.rules,
        assume=case.assume_text(),
        compare=case.compare,
    )
