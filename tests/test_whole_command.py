"""The command from files to verdicts: the examples of the contract, real headers, and one mail told by two formats."""

import csv
import gzip
import io
import itertools
import json
import random
import subprocess
import sys

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift import Classifier, Tenant, classify_files
from poolsift.demo.messages import Drawer
from poolsift.demo.render import EXTENDED_COLUMNS, emailevents_lines, extended_rows
from poolsift.readers.base import ReadOptions
from poolsift.readers.detect import detect
from poolsift.readers.fold import Folder
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

TENANT = '[[tenant]]\nname = "contoso"\naccepted_domains = ["contoso.com", "fabrikam.com"]\n'


def run(*arguments):
    """The command; its standard error is shown when it fails."""
    done = subprocess.run([sys.executable, "-m", "poolsift", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_the_examples_through_the_command(shared, tmp_path):
    """The twelve records, written as canonical NDJSON, get the verdicts written beside them."""
    design = shared / "design"
    examples = [json.loads(line) for line in (design / "examples.ndjson").read_text(encoding="utf-8").splitlines()]
    records = tmp_path / "records.ndjson"
    records.write_bytes(b"".join(orjson.dumps(example["record"]) + b"\n" for example in examples))
    known = ["--tenant", design / "examples.tenant.toml", "--snapshot", design / "examples.dns.ndjson"]
    run("classify", records, *known, "-o", tmp_path / "out.ndjson")
    verdicts = [json.loads(line) for line in (tmp_path / "out.ndjson").read_text(encoding="utf-8").splitlines()]

    assert len(examples) == 12
    assert [example["expect"] for example in examples] == [
        {name: verdict[name] for name in example["expect"]} for example, verdict in zip(examples, verdicts, strict=True)
    ]


def test_real_headers_through_the_command(shared, tmp_path):
    """Observed pools equal the labels of all 2,491 messages; relay is predicted for the 24 relay messages and no other."""
    mail = shared / "real-mail"
    run("classify", mail / "dev.mbox.gz", "--dns", "off", "-o", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet").sort_by("row")
    with open(mail / "dev.labels.csv", encoding="utf-8", newline="") as labels:
        expected = [row["pool"] for row in csv.DictReader(labels)]

    assert len(expected) == 2491
    assert expected == table["observed_pool"].to_pylist()
    assert [pool == "relay" for pool in expected] == [pool == "relay" for pool in table["pool"].to_pylist()]


def test_learned_domains_keep_relay_possible_for_relay_mail_only(shared, tmp_path):
    """With `accepted` learned per tenant and then ignored, relay is a candidate of the 24 relay messages and of no other."""
    mail = shared / "real-mail"
    run("classify", mail / "dev.mbox.gz", "--learn-accepted", "--ignore", "accepted", "-o", tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet").sort_by("row")
    with open(mail / "dev.labels.csv", encoding="utf-8", newline="") as labels:
        expected = [row["pool"] == "relay" for row in csv.DictReader(labels)]

    assert sum(expected) == 24
    assert expected == [bool(candidates & 4) for candidates in table["candidates"].to_pylist()]
    assert "relay" not in table["pool"].to_pylist()


def extended_file(rows):
    """Rows as one extended trace."""
    text = io.StringIO()
    writer = csv.DictWriter(text, EXTENDED_COLUMNS, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def told(seed):
    """A forward that nobody authenticated: rows of its extended trace, lines of EmailEvents."""
    message = Drawer(seed).forward_unauthenticated()
    message.recipients = message.recipients[:1]
    rows = [
        row for row in extended_rows(message, random.Random(seed)) if row["event_id"] in {"RECEIVE", "REDIRECT", "SEND"}
    ]
    return message, rows, list(emailevents_lines(message))


def batches_of(data, name):
    """Record batches of one small file, with their input column."""
    format_ = detect(data, name)
    report = FileReport(name)
    for batch in format_.read(Source(data), report, ReadOptions()):
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array([name] * batch.num_rows)], names=[*batch.schema.names, "input"]
        )


@pytest.mark.parametrize("seed", range(3))
def test_every_order_of_rows_gives_the_same_records(seed, tmp_path):
    """Five rows of two formats, one of them exported twice, in all 720 orders."""
    message, rows, lines = told(seed)
    files = [(extended_file([row]), f"extended-{n}.csv") for n, row in enumerate(rows)]
    files += [(line, f"events-{n}.ndjson") for n, line in enumerate(lines)]
    files.append((extended_file(rows[-1:]), "overlap.csv"))
    batches = [batch for data, name in files for batch in batches_of(data, name)]
    classifier = Classifier(Tenant.parse(TENANT, "tenant.toml"))
    expected = None
    for order in itertools.permutations(batches):
        with Folder(tmp_path) as folder:
            for batch in order:
                folder.add(batch)
            records = pa.Table.from_batches(list(folder.finish()))
            found = records.sort_by([("recipient", "ascending")]).to_pylist(), folder.folded
        expected = found if expected is None else expected
        assert expected == found
    sent = next(record for record in expected[0] if record["recipient"] == message.recipients[0])
    verdict = classifier.classify_record(
        {name: value for name, value in sent.items() if name not in {"input", "row", "rows"}}
    )

    assert len(batches) == 6
    assert (sent["spf"], sent["joined"], sent["outbound_ip_pool_name"]) == (
        message.spf,
        True,
        "RegularRelayOutboundPool",
    )
    assert (verdict.pool, verdict.observed_pool, verdict.agreement) == ("relay", "relay", "match")
    assert len(batches) == len(expected[0]) + expected[1]


def test_files_in_any_order_and_exported_twice(tmp_path):
    """The whole run: trace and events of forty mails, in both orders and with the trace given twice, make the same records."""
    mails = [Drawer(n).forward_unauthenticated() for n in range(20)] + [Drawer(n).hosted() for n in range(20)]
    dice = random.Random(1)
    trace = extended_file([row for mail in mails for row in extended_rows(mail, dice)])
    (tmp_path / "b.csv").write_bytes(trace)
    (tmp_path / "a.ndjson.gz").write_bytes(
        gzip.compress(b"".join(line for mail in mails for line in emailevents_lines(mail)))
    )
    (tmp_path / "again.csv.gz").write_bytes(gzip.compress(trace))
    tenant = Tenant.parse(TENANT, "tenant.toml")
    keys = ["message_id", "recipient", "pool", "rule", "observed_pool", "spf_from", "evidence", "client_ip"]
    found = []
    for number, names in enumerate(
        (["a.ndjson.gz", "b.csv"], ["b.csv", "a.ndjson.gz"], ["again.csv.gz", "a.ndjson.gz", "b.csv"])
    ):
        out = tmp_path / f"out-{number}.parquet"
        result = classify_files([tmp_path / name for name in names], out, tenant=tenant)
        account = result.manifest["accounting"]
        assert account["rows_in"] == account["records"] + account["folded"] + account["rejects"]
        found.append(
            pq.read_table(out)
            .select(keys)
            .sort_by([("message_id", "ascending"), ("recipient", "ascending")])
            .to_pylist()
        )

    assert found[0] == found[1] == found[2]
    assert {"relay", "normal"} <= {row["pool"] for row in found[0]}
    assert "joined" in {row["spf_from"] for row in found[0]}
