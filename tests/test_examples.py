"""The twelve records that trip a careless reading, through the reference and through the library."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from tests.reference.accepted import read_tenant_file, with_tenant_pools
from tests.reference.evidence import World
from tests.reference.networks import Tables
from tests.reference.verdict import VERDICT_COLUMNS, classify


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def examples(shared: Path) -> list[dict]:
    lines = read_lines(shared / "design" / "examples.ndjson")
    for line in lines:
        if "time" in line["record"]:
            line["record"]["time"] = datetime.fromisoformat(line["record"]["time"])
    return lines


@pytest.fixture(scope="module")
def world(shared: Path, tables: Tables) -> World:
    tenants, names, prefixes = read_tenant_file(shared / "design" / "examples.tenant.toml")
    snapshot = {
        (line["name"], rdtype.upper()): (line[rdtype], False)
        for line in read_lines(shared / "design" / "examples.dns.ndjson")
        for rdtype in ("a", "mx")
    }
    return World(with_tenant_pools(tables, names, prefixes), tenants, snapshot)


@pytest.fixture(scope="module")
def classifier(shared: Path):
    import poolsift

    return poolsift.Classifier(
        poolsift.Tenant.load(shared / "design" / "examples.tenant.toml"),
        dns=poolsift.Snapshot.open(shared / "design" / "examples.dns.ndjson"),
        rules="2023-11",
    )


def test_there_are_twelve(examples):
    """None of the examples got lost."""
    assert len(examples) == 12


def test_reference_gives_the_expected_verdicts(examples, world):
    """The slow twin reads the contract as its author does."""
    for line in examples:
        verdict = classify(line["record"], world)

        assert {name: verdict[name] for name in line["expect"]} == line["expect"], line["why"]


def test_classify_record_gives_the_expected_verdicts(examples, classifier):
    """One record at a time."""
    for line in examples:
        verdict = classifier.classify_record(line["record"])

        assert {name: getattr(verdict, name) for name in line["expect"]} == line["expect"], line["why"]


def test_classify_gives_the_expected_verdicts(examples, classifier, world):
    """All of them in one table, in every column that the reference knows."""
    import pyarrow as pa

    from poolsift.records import record_schema

    table = pa.Table.from_pylist([line["record"] for line in examples], schema=record_schema())
    found = pa.table(classifier.classify(table)).to_pylist()

    for line, verdict in zip(examples, found, strict=True):
        assert {name: verdict[name] for name in line["expect"]} == line["expect"], line["why"]
        assert {name: verdict[name] for name in VERDICT_COLUMNS} == classify(line["record"], world), line["why"]
