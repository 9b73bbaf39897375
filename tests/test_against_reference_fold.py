"""Folding by partitions, with and without spill, gives the records that plain lists give."""

from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa
import pytest

from poolsift.readers.fold import Folder
from poolsift.records import record_schema
from tests.reference.fold import fold

COLUMNS = record_schema().names
START = datetime(2026, 1, 1, tzinfo=UTC)
GUID = "0a1b2c3d-0000-0000-0000-00000000000{}"

VALUES = {
    "tenant_id": (None, None, "t1", "t1", "T1", "t2", ""),
    "recipient": (None, "ann@a.example", "Ann@A.example", "bob@b.example", "bob@b.example", ""),
    "direction": (None, "outbound", "inbound", "Inbound"),
    "mail_from": (None, "", "x@a.example", "y@a.example"),
    "header_from": (None, "", "h@a.example"),
    "spf": (None, None, None, "pass", "fail", ""),
    "dkim": (None, None, None, "pass", "none"),
    "dkim_domain": (None, "a.example"),
    "dmarc": (None, "pass"),
    "client_ip": (None, "192.0.2.1", "192.0.2.2"),
    "helo": (None, "one.example", "two.example"),
    "outbound_ip_pool_name": (None, "RegularRelayOutboundPool"),
    "status": (None, "delivered", "failed", "pending", ""),
    "status_code": (None, "5.1.8", "2.0.0"),
    "spam": (None, True, False),
    "forwarded": (None, None, True),
    "sfp": (None, 1101, 1501),
}


def random_rows(seed: int, count: int) -> list[dict]:
    """Rows of few messages, so that most of them meet others."""
    random = Random(seed)
    rows = []
    for number in range(count):
        row = {name: random.choice(values) for name, values in VALUES.items()}
        guid = GUID.format(random.randrange(4))
        row["network_message_id"] = random.choice((None, guid, guid.replace("-", ""), guid.upper(), ""))
        row["message_id"] = random.choice((None, f"<{random.randrange(3)}@a.example>", ""))
        row["time"] = random.choice((None, START + timedelta(seconds=random.randrange(4))))
        row |= {"input": random.choice("ab"), "row": number + 1}
        rows.append(row)
    return rows


def batches(rows: list[dict], size: int) -> list[pa.RecordBatch]:
    fields = [*record_schema(), pa.field("row", pa.int64()), pa.field("input", pa.string())]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields)).to_batches(max_chunksize=size)


def plain(record: dict) -> dict:
    """What was recorded; an empty string is so in `mail_from` alone; tenant ids ignore case."""
    shown = {**record, "tenant_id": (record.get("tenant_id") or "").lower()}
    return {name: value for name, value in shown.items() if value is not None and (value != "" or name == "mail_from")}


@pytest.mark.parametrize("memory", [1 << 28, 1 << 10])
@pytest.mark.parametrize("seed", range(8))
def test_fold(seed, memory, tmp_path):
    """Same records, same places, and no row is lost."""
    rows = random_rows(seed, 6 + 9 * seed)
    with Folder(tmp_path, memory) as folder:
        for batch in batches(rows, 1 + seed % 7):
            folder.add(batch)
        found = [row for batch in folder.finish() for row in batch.to_pylist()]
        folded = folder.folded
    expected = fold(rows)

    assert len(found) + folded == len(rows)
    assert by_place(found) == by_place(expected)


def by_place(records: list[dict]) -> dict:
    return {(record["input"], record["row"]): plain(record) for record in records}
