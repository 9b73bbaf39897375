"""Any bytes, and real-shaped headers with damage, are read without an error: rows = records + rejects."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from poolsift.errors import InputError, UsageError
from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

LINES = [
    b"From ann@example.com Thu Jan  1 00:00:00 2026\n",
    b"Return-Path: <bounces+SRS=44ldt=IX@contoso.com>\n",
    (
        b"Received: from EUR04.outbound.protection.outlook.com (mail-he1eur04on2082.outbound.protection.outlook.com"
        b" [40.107.7.82])\n\tby mx.example.net (Postfix) with ESMTPS id 5 for <ann@example.net>; Tue, 17 May 2022 07:33:53 -0700 (PDT)\n"
    ),
    b"Received: from mail.contoso.com (203.0.113.7) by A.mail.protection.outlook.com (10.0.0.1); Tue, 17 May 2022 14:33:50 +0000\n",
    b"Received: from a.example (b.example [IPv6:2001:db8::1]) by c.example\n",
    (
        b"X-MS-Exchange-Authentication-Results: spf=fail (sender IP is 203.0.113.7)\n smtp.mailfrom=contoso.com; dkim=pass"
        b" header.d=contoso.com;dmarc=fail action=none header.from=contoso.com;\n"
    ),
    b"ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass (sender ip is 203.0.113.7) smtp.mailfrom=contoso.com\n",
    b"X-Forefront-Antispam-Report: CIP:203.0.113.7;SFV:SPM;CAT:OSPM;DIR:OUT;SFP:1501;\n",
    b"X-MS-Exchange-SenderADCheck: 2\n",
    b"X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp: TenantId=x;Ip=[203.0.113.7];Helo=[h.example]\n",
    b'From: "Ann (a)" <ann@contoso.com>\n',
    b"Date: Tue, 17 May 2022 13:00:00 +0000\n",
    b"Content-Type: multipart/report; report-type=delivery-status\n",
    b"\n",
    b"\r\n",
    b"odd line\n",
    b"body\n",
]
JUNK = st.binary(max_size=8) | st.sampled_from(
    [b'"', b"(", b")", b";", b"<", b"\\", b"\x00", b"\xff", b"[", b"\r", b"\n", b":"]
)


@st.composite
def damaged(draw):
    """Lines of real headers in any order, with junk put over some of their bytes."""
    data = bytearray(b"".join(draw(st.lists(st.sampled_from(LINES), max_size=25))))
    for place, junk in draw(st.lists(st.tuples(st.integers(0, max(len(data), 1)), JUNK), max_size=6)):
        data[place : place + draw(st.integers(0, 4))] = junk
    return bytes(data)


def check(data, size):
    report = FileReport("fuzz")
    try:
        batches = list(FORMAT.read(Source(data), report, ReadOptions(block_bytes=size, batch_rows=3)))
    except (InputError, UsageError):
        return  # the source refused it: bytes that look like a damaged or an unsupported container
    for batch in batches:
        batch.validate(full=True)
    assert report.rows == sum(batch.num_rows for batch in batches) + report.rejects
    assert not batches or pa.Table.from_batches(batches)["row"].null_count == 0


@given(st.binary(max_size=400), st.integers(1, 100))
def test_any_bytes(data, size):
    """Bytes of any kind."""
    check(data, size)


@given(damaged(), st.integers(1, 300))
def test_damaged_headers(data, size):
    """Headers that are almost right."""
    FORMAT.sniff(data)
    check(data, size)
