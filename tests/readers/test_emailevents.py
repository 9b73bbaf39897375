"""EmailEvents: envelopes, wrappers and bare rows, and what each field records."""

import json
from datetime import UTC, datetime

import pytest

from poolsift.readers.emailevents import FORMAT, sniff
from tests.readers.trace_files import read_all

BASE = {
    "Timestamp": "2024-05-02T08:00:00Z",
    "NetworkMessageId": "00000000-0000-0000-0000-000000000009",
    "InternetMessageId": "<1@contoso.com>",
    "SenderMailFromAddress": "bounce@contoso.com",
    "SenderFromAddress": "ann@contoso.com",
    "SenderIPv4": "203.0.113.9",
    "RecipientEmailAddress": "bob@partner.example",
    "EmailDirection": "Outbound",
    "DeliveryAction": "Delivered",
    "DeliveryLocation": "On-premises/external",
}
TENANT = "00000000-0000-0000-0000-000000000001"


def enveloped(row):
    return {
        "time": "2030-01-01T00:00:00Z", "tenantId": TENANT, "operationName": "Publish",
        "category": "AdvancedHunting-EmailEvents", "properties": row,
    }  # fmt: skip


def lines(*objects, end="\r\n"):
    return "".join(json.dumps(each) + end for each in objects).encode()


def one(**fields):
    records, report = read_all(FORMAT, lines({**BASE, **fields}))

    assert (len(records), report.rejects) == (1, 0)
    return records[0]


class TestShapes:
    def test_the_published_row(self, shared):
        """A streamed record as Azure wrote it: time of the row, not of the envelope; the client, since it is inbound."""
        records, report = read_all(FORMAT, (shared / "facts/samples/emailevents_stream_crlf.ndjson").read_bytes())

        assert records == [
            {
                "time": datetime(2026, 7, 18, 14, 8, 56, tzinfo=UTC),
                "tenant_id": TENANT,
                "message_id": "<da09dfe0-fe1c-49ee-974d-3d20ad913757@az.westeurope.microsoft.com>",
                "network_message_id": "3c7b1317-ac21-4754-5a76-08dee4d61558",
                "direction": "inbound",
                "mail_from": "azure-noreply@microsoft.com",
                "header_from": "azure-noreply@microsoft.com",
                "recipient": "user1@tenant.example",
                "client_ip": "20.105.209.76",
                "spf": "pass",
                "dkim": "pass",
                "dmarc": "pass",
                "status": "delivered",
                "row": 1,
            }
        ]
        assert not report.field_errors

    def test_envelopes_wrappers_and_bare_rows_in_one_file(self):
        """Each entry of a wrapper is a row."""
        data = lines(enveloped(BASE), {"records": [enveloped(BASE), enveloped(BASE)]}, BASE, {"records": []}, end="\n")
        records, report = read_all(FORMAT, data)

        assert [(one["row"], one.get("tenant_id")) for one in records] == [
            (1, TENANT), (2, TENANT), (2, TENANT), (3, None),
        ]  # fmt: skip
        assert report.rows == 4

    def test_a_wrapper_without_rows(self):
        assert read_all(FORMAT, lines({"records": []}))[0] == []

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_encodings(self, encoding):
        expected, _ = read_all(FORMAT, lines(enveloped(BASE), BASE))

        assert read_all(FORMAT, lines(enveloped(BASE), BASE).decode().encode(encoding))[0] == expected

    @pytest.mark.parametrize(
        ("value", "code", "field"),
        [
            (None, "not_object", None),
            ([], "not_object", None),
            ({"records": [1]}, "not_object", None),
            ({"records": 1}, "not_object", None),
            ({"properties": None}, "structure", "properties"),
            ({**enveloped(BASE), "category": "AdvancedHunting-EmailUrlInfo"}, "structure", "category"),
            ({**BASE, "Timestamp": "yesterday"}, "timestamp", "Timestamp"),
            ({**BASE, "Timestamp": 5}, "timestamp", "Timestamp"),
            ({**BASE, "SenderFromAddress": 5}, "type", "SenderFromAddress"),
            ({**BASE, "RecipientEmailAddress": ["a@x.example"]}, "type", "RecipientEmailAddress"),
            ({**BASE, "RecipientEmailAddress": "a@x.example;b@x.example"}, "list", "recipient"),
            ({**BASE, "AuthenticationDetails": 5}, "type", "AuthenticationDetails"),
            ({**BASE, "SenderMailFromAddress": "a\u0000@x.example"}, "control_character", "mail_from"),
        ],
    )
    def test_bad_rows_are_rejected_and_the_others_stay(self, value, code, field):
        records, report = read_all(FORMAT, lines(BASE, value, BASE))

        assert [one["row"] for one in records] == [1, 3]
        assert [(one.row, one.line, one.field, one.code) for one in report.kept] == [(2, 2, field, code)]

    def test_a_field_that_stands_twice(self):
        data = lines(BASE).replace(b'"SenderIPv4"', b'"SenderFromAddress": "x@x.example", "SenderIPv4"')

        assert read_all(FORMAT, data)[1].kept[0].code == "duplicate_key"

    def test_extra_columns_have_one_schema(self):
        from poolsift.readers.base import ReadOptions
        from poolsift.readers.rejects import FileReport
        from poolsift.readers.source import Source

        data = lines(BASE, {**BASE, "To": ["a@x.example"], "UrlCount": 3})
        options = ReadOptions(extra=True, batch_rows=1)
        first, second = FORMAT.read(Source(data), FileReport("x"), options)

        assert first.schema == second.schema
        assert (second["To"].to_pylist(), second["UrlCount"].to_pylist()) == (['["a@x.example"]'], ["3"])
        assert first["SenderFromAddress"].to_pylist() == ["ann@contoso.com"]

    def test_sniffing(self):
        assert sniff(lines(enveloped(BASE)))
        assert sniff(b"\xef\xbb\xbf" + lines({"records": [enveloped(BASE)]}))
        assert not sniff(b'{"mail_from": "a@x.example"}')
        assert not sniff(b"RecipientEmailAddress,SenderFromAddress\n")


class TestFields:
    def test_senders(self):
        record = one()

        assert (record["mail_from"], record["header_from"]) == ("bounce@contoso.com", "ann@contoso.com")

    def test_an_empty_text_is_not_recorded_and_not_the_null_path(self):
        assert "mail_from" not in one(SenderMailFromAddress="")
        assert one(SenderMailFromAddress="<>")["mail_from"] == "<>"

    def test_the_client_is_known_on_inbound_rows_only(self):
        assert "client_ip" not in one()
        assert "client_ip" not in one(EmailDirection="Intra-org")
        assert one(EmailDirection="Inbound")["client_ip"] == "203.0.113.9"
        assert "source_ip" not in one(EmailDirection="Inbound")
        assert one(EmailDirection="Inbound", SenderIPv4="", SenderIPv6="2001:db8::1")["client_ip"] == "2001:db8::1"

    @pytest.mark.parametrize(
        ("word", "direction"),
        [("Inbound", "inbound"), ("OUTBOUND", "outbound"), ("Intra-org", "internal"), ("Up", None)],
    )
    def test_direction(self, word, direction):
        assert one(EmailDirection=word).get("direction") == direction

    @pytest.mark.parametrize(
        ("action", "location", "status"),
        [
            ("Delivered", "Inbox/folder", "delivered"), ("Delivered", "On-premises/external", "delivered"),
            ("Junked", "Junk folder", "delivered"), ("Blocked", "Quarantine", "quarantined"),
            ("Blocked", "Failed", "failed"), ("Blocked", "Dropped", "dropped"), ("Blocked", None, None),
            ("Replaced", "Inbox/folder", "delivered"), ("Delivered", None, "delivered"), (None, None, None),
        ],
    )  # fmt: skip
    def test_status(self, action, location, status):
        assert one(DeliveryAction=action, DeliveryLocation=location).get("status") == status

    def test_a_connector_and_a_submitter(self):
        record = one(Connectors="Inbound from on-prem", SenderObjectId=TENANT)

        assert (record["connector"], record["submitted"]) == ("Inbound from on-prem", True)
        assert "submitted" not in one(SenderObjectId="")


class TestSpam:
    @pytest.mark.parametrize(
        ("fields", "spam"),
        [
            ({}, None),
            ({"ThreatTypes": None}, False),
            ({"ThreatTypes": ""}, False),
            ({"ThreatTypes": "Spam"}, True),
            ({"ThreatTypes": "Malware, Phish"}, True),
            ({"ThreatTypes": "Malware"}, None),
            ({"ThreatTypes": "Spam", "OriginalThreatTypes": "Malware"}, None),
            ({"ThreatTypes": None, "OriginalThreatTypes": "Phish"}, True),
            ({"ThreatTypes": "Phish", "OriginalThreatTypes": None}, True),
            ({"ThreatTypes": "Spam", "EmailDirection": "Inbound"}, None),
            ({"ThreatTypes": None, "EmailDirection": "Inbound"}, None),
            ({"ThreatTypes": None, "EmailDirection": "Intra-org"}, None),
        ],
    )
    def test_verdicts(self, fields, spam):
        """Only the outbound filter's verdict counts; recorded as nothing is no, a missing column is unknown."""
        assert one(**fields).get("spam") is spam

    def test_an_unknown_threat_is_counted(self):
        _, report = read_all(FORMAT, lines({**BASE, "ThreatTypes": "Weather"}))

        assert report.field_errors["spam"] == 1


class TestAuthentication:
    @pytest.mark.parametrize(
        ("details", "found"),
        [
            ('{"SPF":"pass","DKIM":"none","DMARC":"fail","CompAuth":"pass"}', ("pass", "none", "fail")),
            ('{"spf":"SoftFail","dkim":"","DMARC":null}', ("softfail", None, None)),
            ('{"SPF":"none"}', ("none", None, None)),
            ({"SPF": "fail"}, ("fail", None, None)),
            ("{}", (None, None, None)),
            ("", (None, None, None)),
            (None, (None, None, None)),
        ],
    )
    def test_results(self, details, found):
        record = one(AuthenticationDetails=details)

        assert tuple(record.get(name) for name in ("spf", "dkim", "dmarc")) == found

    @pytest.mark.parametrize("details", ["{", "[]", "7", "nonsense"])
    def test_what_is_no_object_is_counted(self, details):
        records, report = read_all(FORMAT, lines({**BASE, "AuthenticationDetails": details}))

        assert "spf" not in records[0]
        assert report.field_errors["AuthenticationDetails"] == 1

    def test_a_stamp_made_at_submission_says_nothing(self):
        """Mail of a mailbox is not checked on its way in: none means that nobody looked."""
        nothing = '{"SPF":"none","DKIM":"none","DMARC":"none"}'

        assert "spf" not in one(AuthenticationDetails=nothing, SenderObjectId=TENANT)
        assert one(AuthenticationDetails=nothing)["spf"] == "none"
        assert one(AuthenticationDetails='{"SPF":"pass","DKIM":"none"}', SenderObjectId=TENANT)["spf"] == "pass"


class TestForwardingAndKind:
    @pytest.mark.parametrize(
        ("fields", "forwarded"),
        [
            ({"ForwardingInformation": '[{"ForwardingUser":"ann@contoso.com","Type":"InboxRule"}]'}, True),
            ({"ForwardingInformation": [{"ForwardingUser": "ann@contoso.com"}]}, True),
            ({"ForwardingInformation": "[]"}, None),
            ({"ForwardingInformation": ""}, None),
            ({"SenderMailFromAddress": "ann+SRS=HnE87=C7=fabrikam.com=bob@contoso.com"}, True),
            ({"ExchangeTransportRule": '[{"Name":"x","Action":"RedirectMessage"}]'}, True),
            ({"ExchangeTransportRule": '[{"Name":"Disclaimer"}]'}, None),
        ],
    )
    def test_forwarding(self, fields, forwarded):
        assert one(**fields).get("forwarded") is forwarded

    def test_a_report(self):
        report = {"SenderFromAddress": "postmaster@contoso.com", "Subject": "Undeliverable: x", "SenderIPv4": None}

        assert one(**report)["kind"] == "ndr"
        assert "kind" not in one(**{**report, "SenderIPv4": "203.0.113.9"})
        assert "kind" not in one(**{**report, "Subject": "Your rule ran"})
        assert "kind" not in one(**{**report, "SenderFromAddress": "ann@contoso.com"})
