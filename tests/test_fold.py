"""Folding: rows of one message and recipient become one record, whatever their order, file or memory."""

import random
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from poolsift.readers.fold import Folder, message_key
from poolsift.records import RECORD_COLUMNS, record_schema
from tests.reference import fold as reference

NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)
SCHEMA = pa.schema([*record_schema(), pa.field("row", pa.int64()), pa.field("input", pa.string())])


def batch(rows, schema=SCHEMA):
    return pa.RecordBatch.from_pylist(rows, schema=schema)


def row(number, file="a.csv", **fields):
    fields = {
        "network_message_id": "11111111-2222-3333-4444-555555555555",
        "recipient": "bob@partner.example",
        **fields,
    }
    return {"row": number, "input": file, **fields}


def fold(rows, *, memory=1 << 24, size=3):
    """The records of `rows`, each without its nulls."""
    with Folder(memory=memory) as folder:
        for start in range(0, len(rows), size):
            folder.add(batch(rows[start : start + size]))
        records = [record for out in folder.finish() for record in out.to_pylist()]

        assert folder.rows_in == len(rows)
        assert folder.folded == len(rows) - len(records)
    return [{name: value for name, value in record.items() if value is not None} for record in records]


def test_columns_come_from_the_first_row_in_time_and_the_status_from_the_last():
    (record,) = fold(
        [
            row(2, time=NOON, status="failed", status_code="5.7.1", client_ip="192.0.2.2", spf="fail"),
            row(1, time=NOON - timedelta(seconds=5), status="pending", status_text="later", client_ip="192.0.2.1"),
        ]
    )

    assert record["client_ip"] == "192.0.2.1"
    assert record["spf"] == "fail"
    assert (record["status"], record["status_code"]) == ("failed", "5.7.1")
    assert "status_text" not in record
    assert (record["input"], record["row"], record["rows"]) == ("a.csv", 1, 2)


def test_rows_without_time_come_last_and_ties_go_by_input_and_row():
    (record,) = fold(
        [
            row(1, "a.csv", helo="no time"),
            row(9, "b.csv", time=NOON, helo="b"),
            row(7, "a.csv", time=NOON, helo="a7"),
            row(3, "a.csv", time=NOON),
        ]
    )

    assert record["helo"] == "a7"
    assert (record["input"], record["row"], record["rows"]) == ("a.csv", 3, 4)


def test_dashes_and_case_of_the_network_message_id_do_not_matter():
    records = fold([row(1), row(2, network_message_id="11111111222233334444555555555555")])

    assert [record["rows"] for record in records] == [2]


def test_two_recipients_are_two_records():
    assert len(fold([row(1), row(2, recipient="eve@partner.example")])) == 2


def test_message_id_is_the_key_only_without_network_message_id():
    rows = [row(n, network_message_id=None, message_id="<1@contoso.com>") for n in (1, 2)]

    assert len(fold(rows)) == 1
    assert len(fold([*rows, row(3, message_id="<1@contoso.com>")])) == 2


def test_rows_without_any_id_are_never_folded():
    assert len(fold([row(n, network_message_id=None) for n in range(5)])) == 5


def test_an_empty_id_is_not_recorded():
    assert len(fold([row(n, network_message_id="", message_id="") for n in range(2)])) == 2


def test_empty_text_and_unknown_words_give_way_to_what_was_recorded():
    (record,) = fold([row(1, spf="gibberish", kind="", helo=""), row(2, spf="pass", kind="ndr", helo="h")])

    assert (record["spf"], record["kind"], record["helo"]) == ("pass", "ndr", "h")


def test_the_null_reverse_path_is_recorded():
    (record,) = fold([row(1, mail_from=""), row(2, mail_from="ann@contoso.com")])

    assert record["mail_from"] == ""


def test_where_the_sender_comes_from_goes_with_the_sender():
    (record,) = fold(
        [
            row(1, time=NOON, sender_from_trace=True),
            row(2, time=NOON + timedelta(1), mail_from="ann@contoso.com", sender_from_trace=False),
        ]
    )

    assert record["sender_from_trace"] is False


class TestTenants:
    def test_a_row_without_tenant_belongs_to_the_only_one_named(self):
        (record,) = fold([row(1, time=NOON), row(2, tenant_id="T")])

        assert record["tenant_id"] == "T"

    def test_it_stands_alone_where_several_are_named(self):
        assert len(fold([row(1), row(2, tenant_id="T"), row(3, tenant_id="U"), row(4)])) == 4

    def test_two_tenants_are_two_records(self):
        assert len(fold([row(1, tenant_id="T"), row(2, tenant_id="U")])) == 2


class TestRowsWithoutRecipient:
    def test_they_lend_their_columns_to_every_record_and_count_as_folded(self):
        records = fold(
            [
                row(1, recipient=None, time=NOON, connector="edge"),
                row(2, time=NOON + timedelta(1)),
                row(3, time=NOON + timedelta(1), recipient="eve@partner.example", connector="other"),
            ]
        )

        assert [(record["connector"], record["row"], record["rows"]) for record in records] == [
            ("edge", 2, 1),
            ("edge", 3, 1),
        ]

    def test_alone_they_make_one_record(self):
        (record,) = fold([row(1, recipient=None), row(2, recipient="")])

        assert record["rows"] == 2


class TestJoin:
    INBOUND = {
        "direction": "Inbound",
        "recipient": "ann@contoso.com",
        "spf": "pass",
        "client_ip": "192.0.2.1",
        "helo": "mx",
    }

    def test_by_network_message_id(self):
        records = fold([row(1, direction="outbound", client_ip="10.0.0.1"), row(2, **self.INBOUND)])
        forwarded = next(record for record in records if record["row"] == 1)

        assert (forwarded["spf"], forwarded["client_ip"], forwarded["helo"]) == ("pass", "192.0.2.1", "mx")
        assert forwarded["joined"] is True
        assert "joined" not in next(record for record in records if record["row"] == 2)

    def test_never_over_a_recorded_result(self):
        records = fold([row(1, dkim="fail"), row(2, **self.INBOUND)])

        assert "spf" not in next(record for record in records if record["row"] == 1)

    def test_by_message_id_and_reverse_path(self):
        same = {"message_id": "<1@s.example>", "mail_from": "S@s.example"}
        records = fold(
            [
                row(1, network_message_id="f1", **same),
                row(2, network_message_id="f2", message_id="<1@s.example>", mail_from="other@s.example"),
                row(3, network_message_id="f3", **{**self.INBOUND, **same}),
            ]
        )

        assert {record["row"]: record.get("spf") for record in records} == {1: "pass", 2: None, 3: "pass"}

    def test_the_first_inbound_row_in_time_gives(self):
        records = fold(
            [
                row(1),
                row(2, **{**self.INBOUND, "spf": "fail", "time": NOON}),
                row(3, **{**self.INBOUND, "recipient": "c@contoso.com", "time": NOON - timedelta(1)}),
            ]
        )

        assert next(record for record in records if record["row"] == 1)["spf"] == "pass"


def random_rows(seed, count=400, directions=(None, "inbound", "outbound", "nonsense")):
    dice = random.Random(seed)
    pick = dice.choice
    rows = []
    for number in range(1, count + 1):
        rows.append({
            "input": pick(["a.csv", "b.csv", "c.ndjson"]), "row": number,
            "time": pick([None, NOON, NOON + timedelta(seconds=dice.randrange(9))]),
            "tenant_id": pick([None, None, "T", "U", ""]),
            "network_message_id": pick([None, "", *(f"{n:04x}-{n:04x}" for n in range(40))]),
            "message_id": pick([None, *(f"<{n}@x.example>" for n in range(30))]),
            "mail_from": pick([None, "", "<>", "a@x.example", "b@x.example"]),
            "recipient": pick([None, "", "r1@y.example", "r2@y.example"]),
            "direction": pick(directions),
            "spf": pick([None, None, None, "pass", "fail", "nonsense"]), "dkim": pick([None, None, None, "pass"]),
            "client_ip": pick([None, "192.0.2.1", "192.0.2.2"]), "helo": pick([None, "", "h"]),
            "status": pick([None, "delivered", "failed", "bogus"]), "status_code": pick([None, "5.1.8", "2.0.0"]),
            "status_text": pick([None, "text"]), "spam": pick([None, True, False]),
            "recipient_count": pick([None, 1, 2]), "sender_from_trace": pick([None, True]), "connector": pick([None, "c"]),
        })  # fmt: skip
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_result_depends_on_neither_order_nor_memory_nor_batch_size(seed):
    rows = random_rows(seed)
    first = fold(rows)
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)

    assert fold(shuffled, memory=1, size=50) == first
    assert sum(record["rows"] for record in first) <= len(rows)


def test_extra_columns_come_from_the_first_row_and_may_differ_by_file():
    one = pa.schema([*SCHEMA, pa.field("Subject", pa.string())])
    two = pa.schema([*SCHEMA, pa.field("Size", pa.string())])
    with Folder() as folder:
        folder.add(batch([row(1, time=NOON, Subject="hello")], one))
        folder.add(batch([row(2, Size="3")], two))
        folder.add(batch([row(3, recipient="c@x.example", Size="4")], two))
        (out,) = folder.finish()

    assert out.schema.names == [*RECORD_COLUMNS, "row", "Subject", "Size", "input", "rows"]
    assert [(r["Subject"], r["Size"]) for r in out.to_pylist()] == [("hello", None), (None, "4")]


def test_spilled_files_are_private_and_removed(tmp_path):
    with Folder(tmp_path, memory=1) as folder:
        folder.add(batch([row(1), row(2)]))
        (place,) = tmp_path.iterdir()
        (file,) = place.iterdir()

        assert place.stat().st_mode & 0o777 == 0o700
        assert file.stat().st_mode & 0o777 == 0o600
        list(folder.finish())

    assert not list(tmp_path.iterdir())


def test_nothing_in_nothing_out():
    with Folder() as folder:
        assert list(folder.finish()) == []


def test_keys_of_the_two_kinds_never_meet():
    keys = message_key(pa.array(["A-b", None, ""]), pa.array([None, "ab", "ab"]))

    assert keys.to_pylist() == ["n:ab", "m:ab", "m:ab"]


#: The twin does not know that the origin of the sender column goes with the column.
APART = {"sender_from_trace"}


def plain(record):
    """What was recorded; the case of a tenant id that was filled in is not the twin's matter."""
    shown = {**record, "tenant_id": (record.get("tenant_id") or "").lower()}
    return {name: value for name, value in shown.items() if value is not None and value != "" and name not in APART}


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_slow_twin(seed):
    rows = random_rows(seed, 300, directions=(None, "Inbound", "outbound"))
    for number, one in enumerate(rows, start=1):
        one["row"] = number
        for word in ("spf", "status"):
            one[word] = None if one[word] in {"nonsense", "bogus"} else one[word]
        one["mail_from"] = None if one["mail_from"] == "<>" else one["mail_from"]
    expected = {(record["input"], record["row"]): plain(record) for record in reference.fold(rows)}
    found = {(record["input"], record["row"]): plain(record) for record in fold(rows)}

    assert found == expected
