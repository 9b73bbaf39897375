"""2,491 real messages: the pool they left from, the relay rule on them, and what a learned set changes."""

import csv
from collections import Counter

import pyarrow as pa
import pytest

from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

RELAY_CANDIDATE = 1 << 2


@pytest.fixture(scope="module")
def records(shared):
    """The messages as records, in order."""
    report = FileReport("dev.mbox.gz")
    table = pa.Table.from_batches(FORMAT.read(Source(str(shared / "real-mail/dev.mbox.gz")), report, ReadOptions()))
    assert (report.rows, report.rejects, dict(report.field_errors)) == (2491, 0, {})
    return table


@pytest.fixture(scope="module")
def labels(shared):
    with (shared / "real-mail/dev.labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def classify(records, tenant=None):
    import poolsift

    return pa.table(poolsift.Classifier(tenant, rules="2023-11").classify(records)).to_pylist()


@pytest.fixture(scope="module")
def verdicts(records):
    return classify(records)


def test_hosts_and_addresses(records, labels):
    """The hop that counts is found in every message."""
    found = list(zip(records["outbound_host"].to_pylist(), records["outbound_ip"].to_pylist(), strict=True))

    assert found == [(label["outbound_host"], label["outbound_ip"]) for label in labels]


def test_what_is_recorded(records):
    """How many messages have a sender check, a stamp made on arrival, a time and a tenant."""
    recorded = {
        name: len(records) - records[name].null_count
        for name in ("accepted", "spf", "time", "tenant_id", "header_from")
    }

    assert recorded == {"accepted": 2424, "spf": 616, "time": 2491, "tenant_id": 2489, "header_from": 2491}


def test_observed_pool(verdicts, labels):
    """The observed pool is the labelled one in all messages."""
    assert [verdict["observed_pool"] for verdict in verdicts] == [label["pool"] for label in labels]


def test_relay_is_predicted_for_exactly_the_relay_messages(verdicts, labels):
    """With Microsoft's own word on the sender: no relay message missed, none too many."""
    pairs = Counter((label["pool"], verdict["pool"]) for label, verdict in zip(labels, verdicts, strict=True))

    assert {pair: count for pair, count in pairs.items() if "relay" in pair} == {("relay", "relay"): 24}


def test_learned_sets_only_say_yes(records, verdicts, labels):
    """Without that word, domains learned from it leave all relay messages open and accuse no other."""
    import poolsift
    from poolsift.tenant import learned_tenants

    rows = records.to_pylist()
    pairs = [
        (row["tenant_id"], verdict["sender_domain"])
        for row, verdict in zip(rows, verdicts, strict=True)
        if row["accepted"]
    ]
    column = records.schema.get_field_index("accepted")
    blind = records.set_column(column, "accepted", pa.nulls(len(records), pa.bool_()))
    found = classify(blind, poolsift.Tenant.parse(learned_tenants(pairs)))

    assert Counter(
        label["pool"] for label, verdict in zip(labels, found, strict=True) if verdict["candidates"] & RELAY_CANDIDATE
    ) == {"relay": 24}
    assert "relay" not in {verdict["pool"] for verdict in found}
