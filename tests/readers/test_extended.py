"""The extended report: what each kind of tracking row records, and the shapes that files come in."""

from datetime import UTC, datetime

import pytest

from poolsift.errors import InputError
from poolsift.readers.extended import FORMAT, sniff
from tests.readers.trace_files import EXTENDED, csv_bytes, read_all

BASE = {
    "date_time_utc": "2024-05-02T08:00:00.1234567Z",
    "source": "SMTP",
    "event_id": "RECEIVE",
    "message_id": "<1@contoso.com>",
    "network_message_id": "0" * 32,
    "recipient_address": "bob@partner.example",
    "sender_address": "ann@contoso.com",
    "return_path": "bounce@contoso.com",
    "directionality": "Originating",
}


def one(**cells):
    records, report = read_all(FORMAT, csv_bytes([{**BASE, **cells}], EXTENDED))

    assert (len(records), report.rejects) == (1, 0)
    return records[0]


class TestColumns:
    def test_the_plain_columns(self):
        """Time is UTC, return_path is MAIL FROM, sender_address is From."""
        record = one(tenant_id="00000000-0000-0000-0000-000000000001")

        assert record == {
            "time": datetime(2024, 5, 2, 8, 0, 0, 123456, tzinfo=UTC),
            "tenant_id": "00000000-0000-0000-0000-000000000001",
            "message_id": "<1@contoso.com>",
            "network_message_id": "0" * 32,
            "mail_from": "bounce@contoso.com",
            "header_from": "ann@contoso.com",
            "recipient": "bob@partner.example",
            "row": 1,
        }

    def test_the_null_reverse_path(self):
        assert one(return_path="<>")["mail_from"] == "<>"

    def test_an_empty_return_path_is_not_the_null_one(self):
        assert "mail_from" not in one(return_path="")

    @pytest.mark.parametrize(
        ("word", "direction"),
        [("1", "inbound"), ("2", "outbound"), ("Originating", None), ("Incoming", None), ("", None)],
    )
    def test_direction(self, word, direction):
        assert one(directionality=word).get("direction") == direction

    def test_an_unknown_directionality_is_counted(self):
        _, report = read_all(FORMAT, csv_bytes([{**BASE, "directionality": "Sideways"}], EXTENDED))

        assert report.field_errors["directionality"] == 1


class TestClient:
    def test_a_receive_row_names_the_client(self):
        record = one(client_ip="203.0.113.9", client_hostname="mfp.contoso.com", connector_id="Inbound from on-prem")

        assert (record["client_ip"], record["helo"], record["connector"]) == (
            "203.0.113.9", "mfp.contoso.com", "Inbound from on-prem",
        )  # fmt: skip

    def test_the_original_client_wins_and_takes_no_other_hosts_name(self):
        record = one(client_ip="10.0.0.1", client_hostname="edge.example", original_client_ip="203.0.113.9")

        assert record["client_ip"] == "203.0.113.9"
        assert "helo" not in record

    @pytest.mark.parametrize("original", ["198.51.100.40", "203.0.113.100", ""])
    def test_no_row_names_the_address_before_a_gateway(self, original):
        """The original client is client_ip, be it the sender or the gateway; who was before is not in a trace."""
        record = one(client_ip="203.0.113.100", client_hostname="gw.contoso.com", original_client_ip=original)

        assert record["client_ip"] == (original or "203.0.113.100")
        assert "source_ip" not in record

    def test_a_send_row_names_neither_client_nor_outbound_address(self):
        """Its client is Microsoft's own host, its server the destination, its connector the way out."""
        record = one(
            event_id="SEND", client_ip="10.1.1.1", client_hostname="AM0PR01MB0001", server_ip="198.51.100.25",
            server_hostname="mx.partner.example", connector_id="Outbound to partner",
        )  # fmt: skip

        assert not {"client_ip", "helo", "outbound_ip", "outbound_host", "connector"} & set(record)
        assert record["status"] == "delivered"

    def test_an_inner_hop_is_not_the_client(self):
        record = one(client_ip="2603:10a6::1", client_hostname="AM0PR01MB0001.eurprd01.prod.outlook.com")

        assert not {"client_ip", "helo", "connector"} & set(record)

    def test_a_connector_of_the_server_itself_is_not_the_tenants(self):
        assert "connector" not in one(connector_id=r"AM0PR01MB0001\Default AM0PR01MB0001")

    def test_a_mailbox_submission(self):
        assert one(source="STOREDRIVER")["submitted"] is True
        assert one(source="STOREDRIVER", event_id="SUBMIT")["submitted"] is True

    def test_a_delivery_to_a_mailbox_is_no_submission(self):
        assert "submitted" not in one(source="STOREDRIVER", event_id="DELIVER")


class TestStatus:
    @pytest.mark.parametrize(
        ("event", "status"),
        [
            ("SEND", "delivered"), ("SENDEXTERNAL", "delivered"), ("DELIVER", "delivered"), ("FAIL", "failed"),
            ("EXPAND", "expanded"), ("DROP", "dropped"), ("DEFER", "pending"), ("RECEIVE", None), ("AGENTINFO", None),
            ("HAREDIRECT", None), ("HADISCARD", None), ("send", "delivered"),
        ],
    )  # fmt: skip
    def test_events(self, event, status):
        assert one(event_id=event).get("status") == status

    def test_the_text_and_the_code_of_a_failure(self):
        text = "[{LED=550 5.7.26 ip: [40.95.31.57]};{MSG=};{FQDN=mx.partner.example};{IP=192.0.2.25};{LRT=}]"
        record = one(event_id="FAIL", recipient_status=text)

        assert (record["status"], record["status_code"], record["status_text"]) == ("failed", "5.7.26", text)

    def test_a_text_in_quotes_loses_them(self):
        record = one(event_id="FAIL", recipient_status="'550 5.1.8 Access denied, bad outbound sender; x'")

        assert record["status_text"] == "550 5.1.8 Access denied, bad outbound sender; x"

    def test_the_reason_may_stand_in_the_context(self):
        record = one(event_id="FAIL", source_context="550 5.7.520 Access denied", recipient_status="")

        assert (record["status_code"], record["status_text"]) == ("5.7.520", "550 5.7.520 Access denied")

    def test_a_success_records_no_code(self):
        assert "status_code" not in one(event_id="SEND", recipient_status="250 2.0.0 OK")

    def test_a_deferral_leaves_the_code_to_the_end(self):
        record = one(event_id="DEFER", recipient_status="450 4.4.317 Cannot connect")

        assert "status_code" not in record
        assert "status_text" not in record

    def test_steps_tell_where_the_event_does_not(self):
        record = one(recipient_status="bob@partner.example##Receive, Send")

        assert (record["recipient"], record["status"]) == ("bob@partner.example", "delivered")

    def test_recipients_may_stand_in_the_steps_alone(self):
        row = {
            **BASE,
            "recipient_address": "",
            "recipient_status": "a@x.example##Receive, Send;b@y.example##Receive, Fail",
        }
        records, report = read_all(FORMAT, csv_bytes([row], EXTENDED))

        assert [(one["recipient"], one["status"]) for one in records] == [
            ("a@x.example", "delivered"), ("b@y.example", "failed"),
        ]  # fmt: skip
        assert report.rows == 2


class TestRecipients:
    def test_a_row_counts_as_its_recipients(self):
        """Three recipients, three records of one row, three rows in."""
        records, report = read_all(
            FORMAT,
            csv_bytes([{**BASE, "recipient_address": 'a@x.example;"b;c"@x.example;d@x.example'}, BASE], EXTENDED),
        )

        assert [(one["recipient"], one["row"]) for one in records] == [
            ("a@x.example", 1), ('"b;c"@x.example', 1), ("d@x.example", 1), ("bob@partner.example", 2),
        ]  # fmt: skip
        assert report.rows == 4

    def test_each_recipient_takes_its_own_text(self):
        row = {
            **BASE, "event_id": "FAIL", "recipient_address": "a@x.example;b@y.example",
            "recipient_status": "'550 5.1.1 no; really';550 5.7.1 never",
        }  # fmt: skip
        records, _ = read_all(FORMAT, csv_bytes([row], EXTENDED))

        assert [one["status_code"] for one in records] == ["5.1.1", "5.7.1"]
        assert records[0]["status_text"] == "550 5.1.1 no; really"

    def test_a_row_without_recipient_still_speaks_of_its_message(self):
        record = one(recipient_address="", custom_data="S:OutboundIpPoolName=RegularRelayOutboundPool")

        assert record["outbound_ip_pool_name"] == "RegularRelayOutboundPool"
        assert "recipient" not in record

    def test_an_expanded_group_and_its_members(self):
        """The group was expanded; its members got the message passed on and end on rows of their own."""
        row = {
            **BASE, "event_id": "EXPAND", "recipient_address": "a@x.example;b@y.example",
            "related_recipient_address": "all@contoso.com",
        }  # fmt: skip
        records, _ = read_all(FORMAT, csv_bytes([row], EXTENDED))

        assert [(one["recipient"], one.get("status"), one.get("forwarded")) for one in records] == [
            ("a@x.example", None, True), ("b@y.example", None, True), ("all@contoso.com", "expanded", None),
        ]  # fmt: skip


class TestFilter:
    OUTBOUND = "S:AMA=SUM|v=1;S:SFA=SUM|SFV=SPM|SCL=9|DI=SN|CIP=203.0.113.9|SFP=1501|LAT=1;S:CompCost=|ETR=0"

    def test_spam_and_pool_number(self):
        record = one(source="AGENT", event_id="AGENTINFO", custom_data=self.OUTBOUND)

        assert (record["spam"], record["sfp"]) == (True, 1501)

    def test_a_pool_number_makes_it_an_outbound_verdict(self):
        record = one(source="AGENT", event_id="AGENTINFO", custom_data=self.OUTBOUND, directionality="Incoming")

        assert (record["spam"], record["sfp"]) == (True, 1501)

    def test_an_inbound_verdict_is_none_of_ours(self):
        record = one(event_id="AGENTINFO", custom_data="S:SFA=SUM|SFV=SPM|DI=SJ|SFP=", directionality="Incoming")

        assert "spam" not in record
        assert "sfp" not in record

    def test_not_spam(self):
        assert one(event_id="AGENTINFO", custom_data="S:SFA=SUM|SFV=NSPM|DI=SN")["spam"] is False

    @pytest.mark.parametrize(("disposition", "spam"), [("SN", True), ("SO", True), ("SQ", None)])
    def test_without_origin_the_disposition_tells(self, disposition, spam):
        record = one(event_id="AGENTINFO", custom_data=f"S:SFA=SUM|SFV=SPM|DI={disposition}", directionality="")

        assert record.get("spam") is spam

    @pytest.mark.parametrize("event", ["SEND", "FAIL", "AGENTINFO", "TRANSFER", "UNHEARDOF"])
    def test_the_pool_name_counts_on_every_event(self, event):
        record = one(
            event_id=event, custom_data="'S:X=a;b';S:OutboundIpPoolName=HighRiskOutboundPool;I32:OutboundIpPool=1501"
        )

        assert record["outbound_ip_pool_name"] == "HighRiskOutboundPool"


class TestForwarding:
    @pytest.mark.parametrize(
        "cells",
        [
            {"source": "MAILBOXRULE"},
            {"source": "ROUTING", "event_id": "REDIRECT", "related_recipient_address": "ann@contoso.com"},
            {"return_path": "ann+SRS=HnE87=C7=fabrikam.com=bob@contoso.com"},
            {"return_path": "bounces+srs=obr2j=p5@contoso.com"},
            {"source": "AGENT", "event_id": "AGENTINFO", "custom_data": "S:TRA=ETR|ruleId=1|action=RedirectMessage|sev=1"},
        ],
    )  # fmt: skip
    def test_evidence(self, cells):
        assert one(**cells)["forwarded"] is True

    @pytest.mark.parametrize(
        "cells",
        [
            {"source": "ROUTING", "event_id": "RESOLVE", "related_recipient_address": "ann@contoso.com"},
            {"event_id": "HAREDIRECT"},
            {"source": "MAILBOXRULE", "return_path": "<>"},
            {"source": "AGENT", "event_id": "AGENTINFO", "custom_data": "S:TRA=ETR|action=ApplyHtmlDisclaimer"},
        ],
    )  # fmt: skip
    def test_no_evidence(self, cells):
        assert "forwarded" not in one(**cells)


class TestKind:
    NULL = {"return_path": "<>", "sender_address": "postmaster@contoso.com"}

    @pytest.mark.parametrize(
        ("cells", "kind"),
        [
            ({"source": "DSN", "event_id": "DSN", "return_path": "<>"}, "ndr"),
            ({"source": "DSN", "event_id": "DSN", "return_path": "", "sender_address": "postmaster@contoso.com"}, "ndr"),
            # the row is about the mail that caused the report
            ({"source": "DSN", "event_id": "DSN"}, None),
            ({"source": "DSN", "event_id": "DSN", "message_subject": "Delivery delayed: x", **NULL}, "delay"),
            ({"event_id": "SEND", "message_subject": "Undeliverable: x", **NULL}, "ndr"),
            ({"event_id": "SEND", "message_subject": "Unzustellbar: x", **NULL}, "ndr"),
            ({"event_id": "SEND", "message_subject": "Your rule ran", **NULL}, None),
            ({"event_id": "SEND", "message_subject": "Undeliverable: x", "return_path": "ann@contoso.com"}, None),
            ({"source": "AGENT", "source_context": "Journaling"}, "journal"),
            ({"source": "STOREDRIVER", "event_id": "SUBMIT", "return_path": "<>", "source_context":
              "MDB:1, Mailbox:2, Event:3, MessageClass:IPM.Note.Rules.OofTemplate.Microsoft, CreationTime:x"}, "auto_reply"),
            ({"source": "STOREDRIVER", "event_id": "SUBMIT", "source_context": "MDB:1, MessageClass:IPM.Note"}, None),
            ({"source": "STOREDRIVER", "event_id": "SUBMIT", "return_path": "<>",
              "source_context": "MessageClass:REPORT.IPM.Note.IPNRN, x"}, "receipt"),
        ],
    )  # fmt: skip
    def test_kinds(self, cells, kind):
        assert one(**cells).get("kind") == kind


class TestFiles:
    ROWS = [BASE, {**BASE, "event_id": "SEND", "message_subject": 'line one\r\nline "two"'}]

    def test_order_extra_and_missing_columns_do_not_matter(self):
        """Shuffled columns, a new one, none of those that are not needed: the same records."""
        expected, _ = read_all(FORMAT, csv_bytes(self.ROWS, EXTENDED))
        columns = ["new_column", *sorted(BASE, reverse=True), "message_subject"]
        found, _ = read_all(FORMAT, csv_bytes(self.ROWS, columns))

        assert found == expected

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_encodings(self, encoding):
        """Exchange Online writes UTF-16LE, often without a mark; saved copies are UTF-8."""
        expected, _ = read_all(FORMAT, csv_bytes(self.ROWS, EXTENDED))
        found, _ = read_all(FORMAT, csv_bytes(self.ROWS, EXTENDED).decode().encode(encoding))

        assert found == expected

    def test_a_repeated_header_is_no_row(self):
        data = csv_bytes(self.ROWS, EXTENDED)
        records, report = read_all(FORMAT, data + data)

        assert len(records) == 4
        assert report.skipped["header_repeats"] == 1

    def test_noise_in_the_header_line(self):
        data = csv_bytes(self.ROWS, EXTENDED).replace(b'"date_time_utc"', '\ufeff"date_time_utc\u200b"'.encode())

        assert len(read_all(FORMAT, data)[0]) == 2

    @pytest.mark.parametrize("block_bytes", [1, 7, 64, 4096])
    def test_block_boundaries_do_not_matter(self, block_bytes):
        expected, _ = read_all(FORMAT, csv_bytes(self.ROWS, EXTENDED))
        found, _ = read_all(FORMAT, csv_bytes(self.ROWS, EXTENDED), block_bytes=block_bytes, batch_rows=1)

        assert found == expected

    def test_a_bad_time_rejects_its_row_alone(self):
        records, report = read_all(FORMAT, csv_bytes([{**BASE, "date_time_utc": "yesterday"}, BASE], EXTENDED))

        assert [one["row"] for one in records] == [2]
        reject = report.kept[0]
        assert (reject.row, reject.line, reject.field, reject.code) == (1, 2, "date_time_utc", "timestamp")
        assert reject.raw.startswith(b'"yesterday"')

    def test_a_line_break_in_an_address_rejects(self):
        _, report = read_all(FORMAT, csv_bytes([{**BASE, "return_path": "a@x.example\r\nb"}], EXTENDED))

        assert [(one.field, one.code) for one in report.kept] == [("mail_from", "control_character")]

    def test_an_empty_file_and_a_header_alone(self):
        assert read_all(FORMAT, b"")[0] == []
        assert read_all(FORMAT, csv_bytes([], EXTENDED))[0] == []

    def test_missing_columns_are_named(self):
        with pytest.raises(InputError, match="recipient_address, network_message_id"):
            read_all(FORMAT, b"date_time_utc,event_id\r\n")

    def test_extra_columns_are_kept_as_they_stand(self):
        """Those of another name than the record's own columns."""
        from poolsift.readers.base import ReadOptions
        from poolsift.readers.rejects import FileReport
        from poolsift.readers.source import Source

        batch = next(FORMAT.read(Source(csv_bytes([BASE], EXTENDED)), FileReport("x"), ReadOptions(extra=True)))

        assert batch.column("return_path").to_pylist() == ["bounce@contoso.com"]
        assert batch.schema.names.count("client_ip") == 1

    def test_sniffing(self):
        assert sniff(csv_bytes([BASE], EXTENDED))
        assert not sniff(b"time,mail_from\n")
        assert not sniff(b'{"event_id": 1}')
