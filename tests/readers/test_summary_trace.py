"""The enhanced summary report: one row a message, one record a recipient."""

from datetime import UTC, datetime

import pytest

from poolsift.errors import InputError
from poolsift.readers.summary_trace import FORMAT, sniff
from tests.readers.trace_files import SUMMARY, csv_bytes, read_all

BASE = {
    "origin_timestamp_utc": "2024-05-02T08:00:00.0000000Z",
    "sender_address": "ann@contoso.com",
    "recipient_status": "bob@partner.example##Receive, Send",
    "message_subject": "hello",
    "message_id": "<1@contoso.com>",
    "network_message_id": "0" * 32,
    "original_client_ip": "203.0.113.9",
    "directionality": "Originating",
}
REPORT = {
    "sender_address": "postmaster@contoso.com",
    "message_subject": "Undeliverable: hello",
    "original_client_ip": "",
}


def one(**cells):
    records, report = read_all(FORMAT, csv_bytes([{**BASE, **cells}], SUMMARY))

    assert (len(records), report.rejects) == (1, 0)
    return records[0]


class TestColumns:
    def test_the_sender_may_be_either(self):
        """sender_address becomes mail_from and is marked as of a trace."""
        assert one() == {
            "time": datetime(2024, 5, 2, 8, tzinfo=UTC),
            "message_id": "<1@contoso.com>",
            "network_message_id": "0" * 32,
            "mail_from": "ann@contoso.com",
            "sender_from_trace": True,
            "recipient": "bob@partner.example",
            "client_ip": "203.0.113.9",
            "status": "delivered",
            "row": 1,
        }

    def test_each_recipient_is_a_record_and_a_row(self):
        """The cell is quoted because of its comma and names three recipients."""
        status = "a@x.example##Receive, Send;b@y.example##Receive, Fail;c@z.example##Receive, Deliver"
        records, report = read_all(FORMAT, csv_bytes([{**BASE, "recipient_status": status}], SUMMARY))

        assert [(one["recipient"], one["status"], one["row"]) for one in records] == [
            ("a@x.example", "delivered", 1), ("b@y.example", "failed", 1), ("c@z.example", "delivered", 1),
        ]  # fmt: skip
        assert report.rows == 3

    def test_only_quoted_cells_that_need_it(self):
        data = (
            b"origin_timestamp,sender_address,recipient_status,message_id\n"
            b'2024-05-02T08:00:00Z,ann@contoso.com,"bob@partner.example##Receive, Fail",<1@contoso.com>\n'
        )
        records, _ = read_all(FORMAT, data)

        assert (records[0]["status"], records[0]["time"]) == ("failed", datetime(2024, 5, 2, 8, tzinfo=UTC))

    def test_an_unknown_step_is_counted(self):
        row = {**BASE, "recipient_status": "bob@partner.example##Receive, Vanish"}
        records, report = read_all(FORMAT, csv_bytes([row], SUMMARY))

        assert "status" not in records[0]
        assert report.field_errors["recipient_status"] == 1

    @pytest.mark.parametrize(("word", "direction"), [("1", "inbound"), ("2", "outbound"), ("Incoming", None)])
    def test_direction(self, word, direction):
        assert one(directionality=word).get("direction") == direction

    def test_the_connector(self):
        assert one(connector_id="Inbound from on-prem")["connector"] == "Inbound from on-prem"

    def test_srs_is_forwarding(self):
        assert one(sender_address="bounces+SRS=HnE87=C7@contoso.com")["forwarded"] is True


class TestWithoutClient:
    def test_a_report(self):
        """No client, postmaster, and a subject that begins with a word for Undeliverable."""
        record = one(**REPORT)

        assert record["kind"] == "ndr"
        assert "submitted" not in record

    @pytest.mark.parametrize(
        "cells",
        [
            {"original_client_ip": "203.0.113.9"},
            {"message_subject": "Re: Undeliverable: hello"},
            {"sender_address": "ann@contoso.com"},
        ],
    )
    def test_all_three_signs_are_needed(self, cells):
        assert "kind" not in one(**{**REPORT, **cells})

    def test_a_localised_report(self):
        assert one(**{**REPORT, "message_subject": "Unzustellbar: hallo"})["kind"] == "ndr"

    def test_a_mailbox_submitted_it(self):
        assert one(original_client_ip="")["submitted"] is True

    @pytest.mark.parametrize(
        "cells",
        [
            {"directionality": "Incoming"},
            {"directionality": "1"},
            {"connector_id": "Inbound from on-prem"},
            {"sender_address": "postmaster@contoso.com"},
            {"sender_address": ""},
            {"sender_address": "<>"},
        ],
    )
    def test_what_came_otherwise_was_not_submitted(self, cells):
        assert "submitted" not in one(**{"original_client_ip": "", **cells})

    def test_a_file_without_the_column_does_not_say(self):
        columns = [name for name in SUMMARY if name != "original_client_ip"]
        records, _ = read_all(FORMAT, csv_bytes([BASE, {**BASE, **REPORT}], columns))

        assert not any({"kind", "submitted"} & set(record) for record in records)


class TestFiles:
    ROWS = [BASE, {**BASE, "message_subject": 'a "b"\r\nc'}]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be"])
    def test_encodings_and_order(self, encoding):
        expected, _ = read_all(FORMAT, csv_bytes(self.ROWS, SUMMARY))
        data = csv_bytes(self.ROWS, ["extra", *reversed(SUMMARY)], newline="\n").decode().encode(encoding)

        assert read_all(FORMAT, data)[0] == expected

    def test_a_repeated_header_is_no_row(self):
        assert len(read_all(FORMAT, csv_bytes(self.ROWS, SUMMARY) * 2)[0]) == 4

    def test_missing_columns_are_named(self):
        with pytest.raises(InputError, match="sender_address"):
            read_all(FORMAT, b"origin_timestamp,recipient_status,message_id\n")

    def test_sniffing(self):
        assert sniff(csv_bytes(self.ROWS, SUMMARY))
        assert not sniff(b"date_time_utc,event_id,message_id,recipient_address,recipient_status,sender_address\n")
