"""Which header speaks for which column, on real (scrubbed) headers and on made-up ones."""

import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT, HEADER_COLUMN
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source
from poolsift.records import RECORD_COLUMNS

HOP = (
    "Received: from EUR04-HE1-obe.outbound.protection.outlook.com"
    " (mail-he1eur04on2082.outbound.protection.outlook.com [40.107.7.82])\r\n"
    "\tby mx.example.net (Postfix) with ESMTPS id 54B8F\r\n\tfor <ann@example.net>; Tue, 17 May 2022 07:33:53 -0700 (PDT)\r\n"
)
ENTRY = (
    "Received: from mail.contoso.com (203.0.113.7) by AM6EUR05FT013.mail.protection.outlook.com (10.233.240.165)"
    " with Microsoft SMTP Server id 15.20.1; Tue, 17 May 2022 14:33:50 +0000\n"
)
OTHER_HOP = "Received: from lists.example ([198.51.100.9]) by mail.example.org (Postfix) with ESMTP; Tue, 17 May 2022 15:00:00 +0000\n"
STAMP = (
    "X-MS-Exchange-Authentication-Results: spf=fail (sender IP is 203.0.113.7)\n smtp.mailfrom=contoso.com; dkim=none"
    " (message not signed)\n header.d=none;dmarc=fail action=none header.from=contoso.com;\n"
)
REPORT = "X-Forefront-Antispam-Report: CIP:203.0.113.7;SFV:NSPM;H:x;CAT:NONE;DIR:OUT;SFP:1101;\n"
FROM = "From: Ann <ann@contoso.com>\n"


def read(text, **options):
    data = text if isinstance(text, bytes) else text.encode()
    report = FileReport("test")
    batches = list(FORMAT.read(Source(data), report, ReadOptions(**options)))
    return [row for batch in batches for row in batch.to_pylist()], report


def record(text):
    """The recorded columns of the one message in ``text``."""
    rows, report = read(text)
    assert (len(rows), report.rows, report.rejects) == (1, 1, 0)
    return {name: value for name, value in rows[0].items() if value is not None and name != "row"}


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def outbound(label, address):
    return {
        "outbound_host": f"mail-{label}.outbound.protection.outlook.com",
        "outbound_ip": address,
        "direction": "outbound",
        "kind": "message",
    }


def hosted(label, address, time, domain, message_id, sfp, **more):
    return {
        **outbound(label, address), "time": time, "header_from": f"user@{domain}", "message_id": f"<user@{message_id}>",
        "sfp": sfp, "spam": False, "accepted": True, "submitted": True, **more,
    }  # fmt: skip


def relayed(label, address, time, domain, sfp, client, helo, tenant, **more):
    return {
        **outbound(label, address), "time": time, "header_from": f"user@{domain}", "message_id": f"<user@{domain}>", "sfp": sfp,
        "client_ip": client, "helo": helo, "tenant_id": f"00000000-0000-0000-0000-00000000000{tenant}", "dkim": "none",
        "spam": False, "submitted": False, **more,
    }  # fmt: skip


#: Typed from reading each file.
SAMPLES = {
    "azhn-sfp1501-SPM-1": hosted("westcentralusazhn15012016", "52.102.133.16", utc(2023, 8, 30, 15, 8, 35), "org03.example", "org03.example", 1501, spam=True, recipient="user@vger.kernel.org"),
    "azlp-sfp1101-NSPM-1": hosted("westusazlp17010003", "40.93.1.3", utc(2025, 5, 5, 16, 30, 45), "org28.example", "org28.example", 1101),
    "azlp-sfp1102-NSPM-1": hosted("centralindiaazlp17011028", "40.93.132.28", utc(2025, 4, 24, 13, 55, 41), "org32.example", "org32.example", 1102),
    "azon-sfp1101-NSPM-1": hosted("westeuropeazon11012014", "52.101.71.14", utc(2025, 7, 10, 10, 2, 4), "org05.example", "5tem3jrlpxw5", 1101),
    "azon-sfp1102-NSPM-1": hosted("koreacentralazon11023131", "40.107.44.131", utc(2025, 7, 7, 2, 48, 41), "org19.example", "org19.example", 1102),
    "azrln-sfp1022-NSPM-1": relayed("southeastasiaazrln10222019", "52.103.193.19", utc(2024, 7, 16, 19, 40, 23), "org29.example", 1022, "203.0.113.12", "org38.example", 4, spf="none", dmarc="fail", accepted=False, forwarded=True),
    "hn-sfp1101-NSPM-1": relayed("db3eur04hn2232", "52.100.17.232", utc(2023, 4, 26, 14, 50, 38), "org08.example", 1501, "203.0.113.11", "org01.example", 5, spf="pass", dkim="pass", dkim_domain="org08.example", dmarc="pass", accepted=True, source_ip="104.47.13.55"),
    "hn-sfp1501-SPM-1": relayed("sgaapc01hn2219", "52.100.164.219", utc(2022, 9, 16, 1, 17, 34), "org08.example", 1501, "203.0.113.12", "org07.example", 1, spf="pass", dmarc="bestguesspass", accepted=False, spam=True, source_ip="203.0.113.11", message_id="<user@org05.example>"),
    "lp-sfp1101-NSPM-1": hosted("mw2nam10lp2042", "104.47.55.42", utc(2025, 4, 12, 11, 31, 43), "org28.example", "org28.example", 1101),
    "lp-sfp1102-NSPM-1": relayed("bn7nam10lp2041", "104.47.70.41", utc(2025, 5, 6, 9, 20, 35), "org11.example", 1102, "203.0.113.13", "org10.example", 6, spf="fail", dmarc="fail", accepted=True, source_ip="203.0.113.14"),
    "on-sfp1101-NSPM-1": relayed("dm6nam11on2071", "40.107.223.71", utc(2025, 7, 1, 12, 39, 58), "org15.example", 1101, "203.0.113.11", "org22.example", 2, spf="pass", dmarc="pass", accepted=True),
    "on-sfp1102-NSPM-1": relayed("dm3nam02on2095", "40.107.95.95", utc(2025, 7, 9, 9, 43, 27), "org11.example", 1102, "203.0.113.13", "org10.example", 6, spf="fail", dmarc="fail", accepted=True, source_ip="203.0.113.14"),
    "rlhn-sfp1023-SPM-1": relayed("lo2gbr01rlhn2162", "40.95.78.162", utc(2022, 10, 23, 23, 3, 28), "org04.example", 1023, "203.0.113.11", "org03.example", 3, spf="softfail", dmarc="fail", accepted=False, forwarded=True, spam=True, source_ip="203.0.113.12", recipient="user@vger.kernel.org"),
    "rlnn-sfp1022-NSPM-1": relayed("sgaapc01rlnn2082", "40.95.54.82", utc(2023, 12, 13, 19, 5, 43), "org13.example", 1022, "203.0.113.11", "org05.example", 4, spf="softfail", dmarc="fail", accepted=False, forwarded=True),
}  # fmt: skip


class TestSamples:
    @pytest.mark.parametrize("name", sorted(SAMPLES))
    def test_sample(self, shared, name):
        """Every recorded column of a real header, and no other."""
        data = (shared / "facts/samples/headers" / f"{name}.hdr").read_bytes()

        assert FORMAT.sniff(data)
        assert record(data) == SAMPLES[name]

    def test_all_samples_are_here(self, shared):
        """No sample was forgotten."""
        assert {path.stem for path in (shared / "facts/samples/headers").glob("*.hdr")} == set(SAMPLES)


class TestWhichHop:
    def test_above_the_hop_nothing_counts(self):
        """A later server's stamps, reports and checks are those of another passage."""
        above = (
            "X-MS-Exchange-SenderADCheck: 1\nX-Forefront-Antispam-Report: SFV:SPM;DIR:OUT;SFP:1501;\n"
            "X-MS-Exchange-Authentication-Results: spf=pass (sender IP is 198.51.100.9) smtp.mailfrom=x.example\n"
            "X-MS-Exchange-CrossTenant-Id: later\nX-MS-Exchange-AntiSpam-Relay: 1\nFrom: eve@evil.example\nMessage-ID: <later@x>\n"
        )
        plain = HOP + STAMP + ENTRY + FROM + REPORT

        assert record(above + plain) == record(plain)

    def test_the_topmost_hop(self):
        """Of two passages the later one counts."""
        earlier = HOP.replace("40.107.7.82", "40.107.1.1").replace("on2082", "on2001")

        assert record(HOP + ENTRY + earlier + FROM)["outbound_ip"] == "40.107.7.82"

    def test_a_hop_into_microsoft_is_not_one_out_of_it(self):
        """Between tenants the message does not leave."""
        inside = HOP.replace("mx.example.net", "DB5EUR.mail.protection.outlook.com")

        assert "outbound_ip" not in record(inside + FROM)
        assert record(HOP + inside + FROM)["outbound_host"] == "mail-he1eur04on2082.outbound.protection.outlook.com"

    def test_suffixes_are_a_parameter_of_the_table(self):
        """A host under no suffix of the table is no outbound host."""
        assert "outbound_host" not in record(HOP.replace("outbound.protection.outlook.com", "outbound.example") + FROM)


class TestWhichStamp:
    OWN = "Authentication-Results: spf=softfail (sender IP is 203.0.113.8) smtp.mailfrom=contoso.com; dkim=pass header.d=b.example\n"
    ARC = "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass (sender ip is 203.0.113.9) smtp.mailfrom=contoso.com; dkim=fail header.d=c.example\n"
    SUBMITTED = "Authentication-Results: dkim=none (message not signed) header.d=none;dmarc=none action=none header.from=contoso.com;\n"
    SUBMITTED_ARC = "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=contoso.com; dkim=pass header.d=contoso.com; arc=none\n"

    def results(self, stamps):
        found = record(HOP + stamps + ENTRY + FROM)
        return found.get("spf"), found.get("dkim"), found.get("client_ip")

    def test_the_order_of_kinds(self):
        """X-MS-Exchange-Authentication-Results, else Microsoft's own form, else ARC of Microsoft."""
        assert self.results(self.ARC + self.OWN + STAMP) == ("fail", "none", "203.0.113.7")
        assert self.results(self.ARC + self.OWN) == ("softfail", "pass", "203.0.113.8")
        assert self.results(self.ARC) == ("pass", "fail", "203.0.113.9")

    def test_others_do_not_count(self):
        """A form with authserv-id, another's ARC and Microsoft's own form without spf= are passed over."""
        others = (
            "Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=x.example\n"
            "Authentication-Results: dkim=pass header.d=x.example\n"
            "ARC-Authentication-Results: i=2; mx.example.net; spf=pass (sender ip is 203.0.113.5) smtp.mailfrom=x.example\n"
        )

        assert self.results(others) == (None, None, "203.0.113.7")

    def test_submission_stamps_are_not_recorded(self):
        """They tell nothing about how the message came."""
        assert self.results(self.SUBMITTED + self.SUBMITTED_ARC) == (None, None, "203.0.113.7")
        assert self.results(self.SUBMITTED_ARC + self.OWN)[0] == "softfail"

    def test_a_stamp_that_the_message_brought_along(self):
        """What stands below the entry is asked only when Microsoft 365 itself stamped nothing."""
        forged = STAMP.replace("spf=fail", "spf=pass")

        assert record(HOP + self.OWN + ENTRY + forged + FROM)["spf"] == "softfail"
        assert record(HOP + ENTRY + forged + FROM)["spf"] == "pass"

    def test_an_unknown_word_is_counted(self):
        """A result word that is none becomes unknown."""
        rows, report = read(HOP + STAMP.replace("spf=fail", "spf=hardfail") + ENTRY + FROM)

        assert (rows[0]["spf"], rows[0]["dkim"], dict(report.field_errors)) == (None, "none", {"spf": 1})


class TestSender:
    def mail_from(self, text):
        return record(text + FROM).get("mail_from")

    def test_return_path_right_above_the_hop(self):
        """With nothing between, Return-Path is the MAIL FROM of the hop, the null one included."""
        assert self.mail_from("Return-Path: <bob@fabrikam.com>\n" + HOP) == "bob@fabrikam.com"
        assert self.mail_from("Return-Path: <>\n" + HOP) == "<>"

    def test_return_path_of_a_copy(self):
        """Behind another hop it counts only if Microsoft 365 stamped the same domain."""
        copy = "Return-Path: <list@example.org>\n" + OTHER_HOP + HOP + STAMP + ENTRY

        assert self.mail_from(copy) is None
        assert self.mail_from(copy.replace("list@example.org", "ann@Contoso.com")) == "ann@Contoso.com"

    def test_the_arc_of_a_submission_names_the_domain(self):
        """Without a stamp made on arrival, the ARC results tell whose Return-Path it is."""
        arc = "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=contoso.com; arc=none\n"
        copy = "Return-Path: <ann@contoso.com>\n" + OTHER_HOP + HOP

        assert self.mail_from(copy) is None
        assert self.mail_from(copy + arc) == "ann@contoso.com"

    def test_what_the_hop_names(self):
        """Exim writes MAIL FROM into the hop itself."""
        exim = HOP.replace("(Postfix)", "(envelope-from <bounces+SRS=44ldt=IX@contoso.com>)")
        found = record("Return-Path: <list@example.org>\n" + OTHER_HOP + exim + FROM)

        assert (found["mail_from"], found["forwarded"]) == ("bounces+SRS=44ldt=IX@contoso.com", True)

    def test_a_domain_is_no_address(self):
        """smtp.mailfrom counts only as a whole address."""
        assert self.mail_from(OTHER_HOP + HOP + STAMP + ENTRY) is None
        assert (
            self.mail_from(OTHER_HOP + HOP + STAMP.replace("=contoso.com;", "=bob@contoso.com;") + ENTRY)
            == "bob@contoso.com"
        )

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ('From: "x@evil.example" <ann@contoso.com>\n', "ann@contoso.com"),
            ("From: ann@contoso.com, bob@contoso.com\nSender: eve@contoso.com\n", "eve@contoso.com"),
            ("From: ann@contoso.com, bob@contoso.com\n", None),
            ("Sender: eve@contoso.com\n", "eve@contoso.com"),
            ("From: ann@contoso.com\nSender: eve@contoso.com\n", "ann@contoso.com"),
            ("From: ann@contoso.com\nFrom: bob@contoso.com\n", None),
            ("From: undisclosed\n", None),
        ],
    )
    def test_header_from(self, fields, expected):
        """From; Sender only where From cannot be one author."""
        assert record(HOP + fields).get("header_from") == expected

    def test_a_from_that_was_rewritten_later(self):
        """From differs from the header.from that Microsoft 365 stamped: the author is not recorded."""
        rows, report = read(HOP + STAMP + ENTRY + "From: Ann via List <list@example.org>\n")

        assert (rows[0]["header_from"], dict(report.field_errors)) == (None, {"header_from": 1})


class TestColumns:
    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ("", "message"),
            ("X-Auto-Response-Suppress: All\n", "message"),
            ("Auto-Submitted: auto-replied; owner-email=x\n", "auto_reply"),
            ("Auto-Submitted: auto-generated\n", "message"),
            ("X-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied\n", "ndr"),
            ('Content-Type: multipart/report; boundary="x";\n report-type="delivery-status"\n', "ndr"),
            (
                "Content-Type: multipart/report; report-type=delivery-status\nSubject: Delivery delayed: hello\n",
                "delay",
            ),
            (
                "Content-Type: multipart/report; report-type=delivery-status\nSubject: Delayed Mail (still being retried)\n",
                "delay",
            ),
            ("Content-Type: multipart/report; report-type=delivery-status\nSubject: Relayed: hello\n", "receipt"),
            ("Content-Type: multipart/report; report-type=disposition-notification\n", "receipt"),
            ("Content-Type: multipart/mixed; report-type=delivery-status\n", "message"),
            ("X-MS-Exchange-Generated-Message-Source: Journal Agent\n", "journal"),
        ],
    )
    def test_kind(self, fields, kind):
        """Each kind by the field that tells it."""
        assert record(HOP + FROM + fields)["kind"] == kind

    def test_a_null_reverse_path_without_content_type(self):
        """Where the fields that would tell were not kept, the kind is not recorded."""
        bounced = "Return-Path: <>\n" + HOP + FROM

        assert "kind" not in record(bounced)
        assert record(bounced + "Content-Type: text/plain\n")["kind"] == "message"

    @pytest.mark.parametrize(("value", "accepted"), [("1", True), ("0", False), ("2", False), ("", None), ("3", None)])
    def test_accepted(self, value, accepted):
        """Microsoft's own word; any other value is unknown."""
        assert record(HOP + FROM + f"X-MS-Exchange-SenderADCheck: {value}\n").get("accepted") is accepted

    @pytest.mark.parametrize(
        "field",
        [
            "X-MS-Exchange-AntiSpam-Relay: 1",
            "X-MS-Exchange-ForwardingLoop: a@contoso.com;00000000-0000-0000-0000-000000000001",
            "X-MS-Exchange-Inbox-Rules-Loop: a@contoso.com",
            "Resent-From: <a@contoso.com>",
            "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
        ],
    )
    def test_forwarded(self, field):
        """Explicit evidence makes it true."""
        assert record(HOP + FROM + field + "\n")["forwarded"] is True

    def test_not_forwarded_is_never_recorded(self):
        """Relay flag 0 stands on forwarded mail too."""
        assert "forwarded" not in record(HOP + FROM + "X-MS-Exchange-AntiSpam-Relay: 0\n")

    def test_identifiers(self):
        """Tenant, network message id and connector."""
        found = record(
            HOP + FROM + "X-MS-Exchange-CrossTenant-Id: 00000000-0000-0000-0000-000000000001\n"
            "X-MS-Exchange-CrossTenant-Network-Message-Id: 5d4b0000-0000-0000-0000-08d9a0000000\n"
            "X-ExternalRecipientOutboundConnectors: 00000000-0000-0000-0000-0000000000c1\n"
        )

        assert found["tenant_id"] == "00000000-0000-0000-0000-000000000001"
        assert found["network_message_id"] == "5d4b0000-0000-0000-0000-08d9a0000000"
        assert (found["connector"], found["forwarded"]) == ("00000000-0000-0000-0000-0000000000c1", True)

    def test_client_and_gateway(self):
        """The attributed address is the client; the skipped listing names the source."""
        found = record(
            HOP
            + STAMP
            + ENTRY
            + FROM
            + "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: TenantId=x;Ip=[203.0.113.20];Helo=[gw.example]\n"
            "X-MS-Exchange-SkipListedInternetSender: ip=[198.51.100.77];domain=User\n"
        )

        assert (found["client_ip"], found["helo"], found["source_ip"]) == (
            "203.0.113.20",
            "gw.example",
            "198.51.100.77",
        )

    @pytest.mark.parametrize(
        ("stamped", "direction"), [("INB", "inbound"), ("INT", "internal"), ("OUT", "outbound"), ("X", None)]
    )
    def test_direction_without_a_hop(self, stamped, direction):
        """A message that was not seen to leave has the direction of its topmost report."""
        found = record(FROM + REPORT.replace("DIR:OUT", f"DIR:{stamped}"))

        assert found.get("direction") == direction
        assert found.get("sfp") == (1101 if stamped == "OUT" else None)

    def test_a_report_of_another_direction_below_a_hop(self):
        """The inbound report of a forwarded message is not the outbound verdict."""
        found = record(HOP + FROM + REPORT.replace("DIR:OUT", "DIR:INB").replace("NSPM", "SPM"))

        assert not {"direction", "sfp", "spam"} & set(found)

    def test_time(self):
        """The hop's date, else the arrival, else Date."""
        arrival = "X-MS-Exchange-CrossTenant-OriginalArrivalTime: 17 May 2022 14:00:00.1234 (UTC)\n"
        written = "Date: Tue, 17 May 2022 13:00:00 +0000\n"
        undated = HOP.replace("; Tue, 17 May 2022 07:33:53 -0700 (PDT)", "")

        assert record(HOP + arrival + written)["time"] == utc(2022, 5, 17, 14, 33, 53)
        assert record(undated + arrival + written)["time"] == utc(2022, 5, 17, 14, 0, 0, 123400)
        assert record(undated + written)["time"] == utc(2022, 5, 17, 13)
        assert "time" not in record(undated + "Date: soon\n")


class TestHostileFields:
    @pytest.mark.parametrize(
        ("name", "piece"),
        [
            ("X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp", "ip=["),
            ("X-MS-Exchange-SkipListedInternetSender", "ip=[[1"),
            ("Content-Type", "multipart/report; report-type "),
            ("X-Forefront-Antispam-Report", "DIR:OUT;"),
            ("Date", "1 Jan "),
            ("Return-Path", "<a@"),
            ("Subject", "=?utf-8?q?"),
        ],
    )
    def test_time_is_linear(self, name, piece):
        """A field of 250 KiB is read in little time."""
        started = time.process_time()
        record(HOP + FROM + f"{name}: {piece * (250_000 // len(piece))}\n")

        assert time.process_time() - started < 5

    def test_many_fields(self):
        """So are many short ones, and From lines without end."""
        started = time.process_time()
        record(HOP + FROM + "Received: by x\n" * 60_000)
        record(HOP + STAMP.replace("spf=fail", "spf=pass") + "Authentication-Results: spf\n" * 30_000 + FROM)
        read(TestFile.MBOX + b"A: 1\nFrom " + b"1:11 " * 150_000 + b"\nFrom " + b"1:11 " * 150_000 + b"\n")

        assert time.process_time() - started < 15


class TestFile:
    MBOX = b"From ann@example.com Thu Jan  1 00:00:00 2026\n"

    def test_rows_are_records_and_rejects(self):
        """Broken messages are rejected with their place; the others are read."""
        parts = [
            b"From: ann@contoso.com\n\nbody\n\n",
            b"no header at all\n\nbody\n\n",
            b"From: b\xff@contoso.com\n\n\n",
            b"Message-ID: <a\x00b@x>\n\n\n",
            b"Subject: " + b"x" * (300 << 10) + b"\n\n\n",
            b"A: 1\n" * 300_000 + b"\n\n",
            b"Subject: \xff\xfe\x00 in a field that is not used\n\n\n",
            b"From: zoe@contoso.com\nodd line\n\n\n",
        ]
        rows, report = read(b"".join(self.MBOX + part for part in parts))

        assert [row["row"] for row in rows] == [1, 7, 8]
        assert (report.rows, report.rejects, dict(report.field_errors)) == (8, 5, {"header": 1})
        assert [(reject.row, reject.code, reject.field) for reject in report.kept] == [
            (2, "structure", None), (3, "utf8", "header_from"), (4, "control_character", "message_id"),
            (5, "cell_limit", "subject"), (6, "row_limit", None),
        ]  # fmt: skip
        assert report.kept[0].line == 6
        assert report.kept[0].byte_offset == len(self.MBOX + parts[0])

    def test_batches(self):
        """The columns of a batch, its size, and the extra column."""
        data = b"".join(self.MBOX + b"From: a%d@contoso.com\nSubject: x\n\n\n" % number for number in range(5))
        batches = list(FORMAT.read(Source(data), FileReport("test"), ReadOptions(batch_rows=2, extra=True)))

        assert [batch.num_rows for batch in batches] == [2, 2, 1]
        assert batches[0].schema.names == [*RECORD_COLUMNS, "row", HEADER_COLUMN]
        table = pa.Table.from_batches(batches)
        assert table["row"].to_pylist() == [1, 2, 3, 4, 5]
        assert table[HEADER_COLUMN][4].as_py() == "From: a4@contoso.com\nSubject: x\n"

    def test_empty(self):
        """An empty file has no rows."""
        assert read(b"")[0] == []

    @pytest.mark.parametrize("size", [1, 7, 64, 4096])
    def test_block_size(self, size):
        """The result does not depend on block boundaries."""
        data = (self.MBOX.decode() + HOP + STAMP + ENTRY + FROM + "\nbody\n\n") * 3

        assert read(data, block_bytes=size)[0] == read(data)[0]

    @pytest.mark.parametrize(
        ("head", "expected"),
        [
            (b"From ann@example.com Thu Jan  1 00:00:00 2026\nReturn-Path: <a@b>\n", True),
            (b"Return-Path: <a@b>\r\nReceived: x\r\n", True),
            (b"\xef\xbb\xbfReceived: x\n", True),
            (b"Received,SenderAddress,RecipientAddress\n", False),
            (b'{"From": "x"}\n', False),
            (b"#Software: Microsoft Exchange Server\n#Fields: date-time,client-ip\n", False),
            (b"name: value\nother: value\n", False),
            (b"", False),
        ],
    )
    def test_sniff(self, head, expected):
        """Mail headers are told from logs."""
        assert FORMAT.sniff(head) is expected
