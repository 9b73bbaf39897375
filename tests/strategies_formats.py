"""Files in every format that poolsift reads, as text, and the same text in other encodings and compressions.

Built value by value from a `Random` that Hypothesis drives, so that a failing file shrinks. Example domains only.
"""

import csv
import gzip
import io
import json
from random import Random
from typing import Any

import zstandard
from hypothesis import strategies as st

RANDOMS = st.randoms(use_true_random=False)
#: How many rows a file has; most files stay small so that a difference is easy to see.
ROWS = (0, 1, 1, 2, 3, 5, 8)

TIMES = (
    "2024-05-02T08:00:00Z",
    "2017-05-22T17:33:35.632Z",
    "2020-11-09T04:50:06.3312635",
    "2026-06-25T00:00:00.0000000Z",
    "2023-12-31T23:59:59.999999Z",
)
BAD_TIMES = ("yesterday", "2024-13-01T00:00:00Z", "2024-05-02T24:30:00Z", "2024-05-02T08:00:60Z", "1714636800000")
SENDERS = (
    "ann@contoso.com",
    "Ann.Lee@Fabrikam.com",
    "postmaster@contoso.onmicrosoft.com",
    "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com",
    "ann+SRS=44ldt=IX=fabrikam.com=bob@contoso.com",
    "bounces+srs=obr2j=p5@contoso.com",
    "SRS0=HHH=TT=fabrikam.com=bob@forward.example",
    '"a b"@contoso.com',
    "用户@例え.example",
    "scanner@mfp.local",
)
RECIPIENTS = ("bob@partner.example", "Carol@partner.example", "dave@mail.example", "sales@contoso.com")
ADDRESSES = ("203.0.113.9", "198.51.100.20", "2001:db8::25", "")
SUBJECTS = (
    "",
    "plain",
    'with "quotes", and; more',
    "two\r\nlines",
    "two\nlines",
    "Undeliverable: offer",
    "undeliverable: OFFER",
    "Unzustellbar: Angebot",
    "not Undeliverable: at all",
    "=HYPERLINK()",
    "é😀",
)
GUIDS = ("00000000-0000-0000-0000-000000000009", "13fad5b739c546e7130e08d4a138ac67", "")
MESSAGE_IDS = ("<1@contoso.com>", "<72872e16-f4c2@AS8P19.EURP191.PROD.OUTLOOK.COM>", "")
TENANT = "00000000-0000-0000-0000-000000000001"


def often(random: Random, usual: Any, rare: tuple[Any, ...]) -> Any:
    """`usual` three times of four."""
    return random.choice((usual, usual, usual, random.choice(rare)))


# ── Encodings and compressions ────────────────────────────────────────────────

ENCODINGS = ("utf-8", "utf-8-mark", "utf-16-le", "utf-16-be", "utf-16-le-mark", "utf-16-be-mark")
COMPRESSIONS = ("none", "gzip", "gzip-members", "zstd", "zstd-frames")


def encoded(text: str, encoding: str) -> bytes:
    """The text in that encoding, with a byte order mark where the name ends so."""
    name = encoding.removesuffix("-mark")
    return (("\ufeff" if encoding.endswith("-mark") else "") + text).encode(name)


def compressed(data: bytes, compression: str, cut: int) -> bytes:
    """The bytes compressed; in two members or frames, cut at `cut`, where the name says so."""
    pieces = [data[:cut], data[cut:]] if compression in {"gzip-members", "zstd-frames"} else [data]
    if compression == "none":
        return data
    pack = gzip.compress if compression.startswith("gzip") else zstandard.ZstdCompressor(level=1).compress
    return b"".join(map(pack, pieces))


# ── CSV ───────────────────────────────────────────────────────────────────────


def table(random: Random, rows: list[dict[str, str]], required: tuple[str, ...], optional: tuple[str, ...]) -> str:
    """A CSV text: columns in any order, optional ones missing, others beside them; blank lines, repeated headers."""
    names = [*required, *(name for name in optional if random.random() < 0.85)]
    names += random.sample(("x_note", "x_other"), random.randrange(3))
    if random.random() < 0.5:
        random.shuffle(names)
    text = io.StringIO()
    end = random.choice(("\r\n", "\n"))
    quoting = random.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL))
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerow(names)
    for row in rows:
        if random.random() < 0.05:
            text.write(end)
        if random.random() < 0.05:
            writer.writerow(names)
        cells = [row.get(name, "extra") for name in names]
        broken = random.random()
        writer.writerow(
            cells[:-1] if broken < 0.03 and len(cells) > 2 else [*cells, "more"] if broken > 0.97 else cells
        )
    written = text.getvalue()
    return written.removesuffix(end) if random.random() < 0.1 else written


def damaged(random: Random, row: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Seldom, a control character in a used cell: the row must be rejected."""
    if random.random() < 0.04:
        name = random.choice(names)
        return row | {name: row.get(name, "") + random.choice("\x00\x07\x1b\x7f")}
    return row


EXTENDED_REQUIRED = (
    "date_time_utc",
    "event_id",
    "source",
    "recipient_address",
    "message_id",
    "return_path",
    "custom_data",
)
EXTENDED_OPTIONAL = (
    "client_ip", "client_hostname", "server_ip", "server_hostname", "source_context", "connector_id",
    "internal_message_id", "network_message_id", "recipient_status", "total_bytes", "recipient_count",
    "related_recipient_address", "reference", "message_subject", "sender_address", "message_info",
    "directionality", "tenant_id", "original_client_ip", "original_server_ip",
)  # fmt: skip
EVENTS = (
    ("SMTP", "RECEIVE"), ("STOREDRIVER", "RECEIVE"), ("DSN", "RECEIVE"), ("MAILBOXRULE", "RECEIVE"),
    ("STOREDRIVER", "SUBMIT"), ("SMTP", "SEND"), ("SMTP", "SENDEXTERNAL"), ("STOREDRIVER", "DELIVER"),
    ("SMTP", "FAIL"), ("ROUTING", "FAIL"), ("AGENT", "FAIL"), ("SMTP", "DEFER"), ("ROUTING", "EXPAND"),
    ("AGENT", "DROP"), ("ROUTING", "DROP"), ("DSN", "DSN"), ("DSN", "BADMAIL"), ("AGENT", "AGENTINFO"),
    ("ROUTING", "TRANSFER"), ("ROUTING", "RESOLVE"), ("ROUTING", "REDIRECT"), ("SMTP", "HAREDIRECT"),
    ("SMTP", "SUPPRESSED"), ("STOREDRIVER", "NOTIFYMAPI"), ("STOREDRIVER", "DUPLICATEDELIVER"), ("", ""),
)  # fmt: skip
DIRECTIONALITY = ("1", "2", "Originating", "Incoming", "")
STEPS = (
    "Receive, Send", "Receive, Deliver", "Receive, Fail", "Receive, Expand", "Receive, Drop", "Receive, Defer", "Receive",
)  # fmt: skip
FAILURES = (
    "550 5.1.8 Access denied, bad outbound sender",
    "550 5.7.233 tenant exceeded its daily limit",
    "'550 5.7.1 denied; see https://help.example/5.7.1'",
    "[{LED=550 5.1.10 RESOLVER.ADR.RecipientNotFound};{MSG=};{FQDN=};{IP=};{LRT=}]",
    "no code here",
)
CUSTOM_DATA = (
    "",
    "S:OutboundIpPoolName=RegularRelayOutboundPool",
    "S:DeliveryPriority=Normal;S:OutboundIpPoolName=HighRiskOutboundPool;S:OutboundIpPool=1501;",
    "'S:AS.ReqStats=AddressCount=1;OutboundIpPoolName=Wrong;LT.R=1;';S:OutboundIpPoolName=RegularOutboundPool",
    "Dbl:BudgUse.T[]=80.4;I32:ATE.C[DC-01]=1;F:ADS.AL[DC-01]=1.8;S:OutboundIpPoolName=",
    "S:SFA=SUM|SFV=SPM|IPV=CAL|SCL=9|DI=SN|CIP=203.0.113.9|SFP=1501|ASF=1",
    "S:SFA=SUM|SFV=NSPM|IPV=NLI|SCL=1|DI=SN|SFP=1101;",
    "S:SFA=SUM|SFV=NSPM|IPV=NLI|SCL=1|DI=SN|SFP=1023;S:OutboundIpPoolName=HighRiskRelayOutboundPool",
    "S:AMA=SUM|v=1|action=b|error=|atch=1;S:AMA=EV|engine=M|v=1|sig=1.155",
    "S:TRA=ETR|ruleId=19a25eb2|action=RedirectMessage|sev=1|mode=Enforce",
    "S:TRA=ETR|ruleId=19a25eb2|action=ApplyHtmlDisclaimer|sev=1|mode=Enforce",
)


def extended_row(random: Random) -> dict[str, str]:
    source, event = random.choice(EVENTS)
    recipients = random.sample(RECIPIENTS, random.choice((1, 1, 1, 2, 3, 0)))
    plain = random.random() < 0.5
    status = random.choice(("", random.choice(FAILURES) if event in {"FAIL", "DEFER"} else ""))
    if not plain:
        status = ";".join(f"{who}##{random.choice(STEPS)}" for who in recipients)
    return {
        "date_time_utc": often(random, random.choice(TIMES), ("", *BAD_TIMES)),
        "client_ip": random.choice(ADDRESSES),
        "client_hostname": random.choice(("gw.contoso.com", "EX01", "")),
        "server_ip": "52.101.1.1",
        "server_hostname": "EX02",
        "source_context": random.choice(("08D1;2024-05-02T08:00:00Z;0", "")),
        "connector_id": random.choice(("Inbound from on-prem", "")),
        "source": source,
        "event_id": event,
        "internal_message_id": "64712272257893",
        "message_id": random.choice(MESSAGE_IDS),
        "network_message_id": random.choice(GUIDS),
        "recipient_address": ";".join(recipients),
        "recipient_status": status,
        "total_bytes": random.choice(("7631", "1e5", "007")),
        "recipient_count": str(len(recipients)),
        "related_recipient_address": random.choice(("", "all@contoso.com")) if event == "EXPAND" else "",
        "reference": "",
        "message_subject": random.choice(SUBJECTS),
        "sender_address": random.choice((*SENDERS, "")),
        "return_path": random.choice((*SENDERS, "<>")),
        "message_info": random.choice(("2024-05-02T08:00:00.000Z", "11a", "")),
        "directionality": random.choice(DIRECTIONALITY),
        "tenant_id": random.choice((TENANT, "")),
        "original_client_ip": random.choice(ADDRESSES),
        "original_server_ip": "",
        "custom_data": random.choice(CUSTOM_DATA),
    }


def extended_file(random: Random) -> str:
    used = ("message_id", "return_path", "recipient_address")
    rows = [damaged(random, extended_row(random), used) for _ in range(random.choice(ROWS))]
    return table(random, rows, EXTENDED_REQUIRED, EXTENDED_OPTIONAL)


SUMMARY_REQUIRED = ("origin_timestamp_utc", "sender_address", "recipient_status", "message_id")
SUMMARY_OPTIONAL = (
    "message_subject", "total_bytes", "network_message_id", "original_client_ip", "directionality", "connector_id",
    "delivery_priority",
)  # fmt: skip


def summary_row(random: Random) -> dict[str, str]:
    recipients = random.sample(RECIPIENTS, random.choice((1, 1, 2, 3)))
    return {
        "origin_timestamp_utc": often(random, random.choice(TIMES), ("", *BAD_TIMES)),
        "sender_address": random.choice(SENDERS),
        "recipient_status": ";".join(f"{who}##{random.choice(STEPS)}" for who in recipients),
        "message_subject": random.choice(SUBJECTS),
        "total_bytes": "96627",
        "message_id": random.choice(MESSAGE_IDS),
        "network_message_id": random.choice(GUIDS),
        "original_client_ip": random.choice(ADDRESSES),
        "directionality": random.choice(DIRECTIONALITY),
        "connector_id": random.choice(("Inbound from on-prem", "")),
        "delivery_priority": "Normal",
    }


def summary_file(random: Random) -> str:
    used = ("message_id", "sender_address")
    rows = [damaged(random, summary_row(random), used) for _ in range(random.choice(ROWS))]
    return table(random, rows, SUMMARY_REQUIRED, SUMMARY_OPTIONAL)


# ── NDJSON ────────────────────────────────────────────────────────────────────

BAD_LINES = ("null", "1", '"x"', "[]", "{", '{"a":1,}', "{'a':1}", '{"a":NaN}', "{} {}", '{"a":"\\ud800"}')


def ndjson(random: Random, values: list[Any]) -> str:
    """One value a line; blank lines and broken ones between them; now and then no end of the last line."""
    end = random.choice(("\r\n", "\n"))
    separators = random.choice(((",", ":"), (", ", ": "), (" , ", " : ")))
    ascii_only = random.random() < 0.5
    lines = []
    for value in values:
        if random.random() < 0.08:
            lines.append(random.choice(("", "  ", *BAD_LINES)))
        lines.append(json.dumps(value, ensure_ascii=ascii_only, separators=separators))
    return "".join(line + end for line in lines)


def keys_in_any_order(random: Random, row: dict[str, Any]) -> dict[str, Any]:
    names = [name for name in row if random.random() < 0.9]
    random.shuffle(names)
    return {name: row[name] for name in names}


DETAILS = (
    None,
    "",
    '{"SPF":"pass","DKIM":"pass","DMARC":"pass","CompAuth":"pass"}',
    '{"SPF":"softfail","DKIM":"none","DMARC":"fail"}',
    '{"SPF":"Fail","DKIM":"timeout","DMARC":"bestguesspass","CompAuth":"none"}',
    '{"SPF":"temperror"}',
    '{"DKIM":"fail"}',
    '{"DKIM":"none","DMARC":"none"}',
    '{"SPF":"","DKIM":"none","DMARC":"none"}',
    '{"SPF":"strange","DKIM":"odd","DMARC":"pass"}',
    '{ "SPF" : "none" }',
    "{}",
    "not json",
    "[]",
)
THREATS = (None, "", "Spam", "Phish", "Malware", "Spam, Phish", "Malware,Spam", "phish")
PLACES = (
    "Inbox/folder", "On-premises/external", "Junk folder", "Quarantine", "Failed", "Dropped", "Deleted items", None,
)  # fmt: skip


def emailevents_row(random: Random) -> dict[str, Any]:
    row = {
        "Timestamp": often(random, random.choice(TIMES), (None, *BAD_TIMES)),
        "NetworkMessageId": random.choice(GUIDS),
        "InternetMessageId": random.choice(MESSAGE_IDS),
        "SenderMailFromAddress": random.choice((*SENDERS, "", None)),
        "SenderFromAddress": random.choice((*SENDERS, None)),
        "SenderDisplayName": 'Ann "\\" Lee: {x',
        "SenderObjectId": random.choice((None, "", TENANT)),
        "SenderIPv4": random.choice((None, "", "203.0.113.9")),
        "SenderIPv6": random.choice((None, "2001:db8::25")),
        "RecipientEmailAddress": random.choice(RECIPIENTS),
        "Subject": random.choice(SUBJECTS),
        "EmailClusterId": 2898195034,
        "EmailDirection": random.choice(("Inbound", "Outbound", "Intra-org", None, "Sideways")),
        "DeliveryAction": random.choice(("Delivered", "Junked", "Blocked", "Replaced", None)),
        "DeliveryLocation": random.choice(PLACES),
        "ThreatTypes": random.choice(THREATS),
        "AuthenticationDetails": random.choice(DETAILS),
        "Connectors": random.choice((None, "", "Inbound from on-prem")),
        "ForwardingInformation": random.choice((None, "", "[]", '[{"Type":"SMTP"}]')),
        "To": ["bob@partner.example"],
        "Cc": [],
        "IsFirstContact": True,
    }
    if random.random() < 0.3:
        row["OriginalThreatTypes"] = random.choice(THREATS)
    wrong = random.random()
    if wrong < 0.03:
        row["SenderMailFromAddress"] = random.choice((1, True, ["ann@contoso.com"], {"a": 1}))
    if wrong > 0.97:
        row["InternetMessageId"] = "<1\u0000@contoso.com>"
    return keys_in_any_order(random, row) | {name: row[name] for name in ("SenderFromAddress", "RecipientEmailAddress")}


def emailevents_value(random: Random) -> Any:
    """A bare row, an envelope, or a wrapper of envelopes."""
    form = random.choice(("bare", "envelope", "wrapper"))
    if form == "bare":
        return emailevents_row(random)
    if form == "envelope":
        return envelope(random)
    return {"records": [envelope(random) for _ in range(random.randrange(4))]}


def envelope(random: Random) -> dict[str, Any]:
    return {
        "time": "2030-01-01T00:00:00Z",
        "tenantId": TENANT,
        "operationName": "Publish",
        "category": "AdvancedHunting-EmailEvents",
        "properties": emailevents_row(random),
        "Tenant": "DefaultTenant",
    }


def emailevents_file(random: Random) -> str:
    return ndjson(random, [emailevents_value(random) for _ in range(random.choice(ROWS))])


def canonical_row(random: Random) -> dict[str, Any]:
    row: dict[str, Any] = {
        "time": often(random, random.choice(TIMES), BAD_TIMES),
        "tenant_id": TENANT,
        "message_id": random.choice(MESSAGE_IDS),
        "network_message_id": random.choice(GUIDS),
        "kind": random.choice(("message", "NDR", "auto_reply", "delay", "receipt", "journal")),
        "direction": random.choice(("outbound", "inbound", "internal")),
        "mail_from": random.choice((*SENDERS, "<>")),
        "header_from": random.choice(SENDERS),
        "recipient": often(random, random.choice(RECIPIENTS), ("a@x.example,b@y.example", "a@x.example;b@y.example")),
        "recipient_count": often(random, random.randrange(1, 9), (2**31,)),
        "client_ip": random.choice(ADDRESSES[:3]),
        "helo": "gw.contoso.com",
        "outbound_ip": "40.95.54.82",
        "outbound_host": "mail-sgaapc01rlnn2082.outbound.protection.outlook.com",
        "outbound_ip_pool_name": "RegularRelayOutboundPool",
        "sfp": random.choice((1101, 1501, 1022)),
        "spf": random.choice(("pass", "fail", "softfail", "none", "temperror")),
        "dkim": random.choice(("pass", "none", "timeout")),
        "dmarc": random.choice(("pass", "fail")),
        "dkim_domain": "contoso.com,fabrikam.com",
        "status": random.choice(("delivered", "failed", "pending", "quarantined")),
        "status_code": "5.7.233",
        "status_text": 'he said "no", 1.10\tNULL' if random.random() < 0.2 else "550 5.7.233 limit",
        "connector": "NA",
    }
    row |= {name: random.choice((True, False)) for name in ("accepted", "spam", "forwarded", "submitted")}
    return {name: value for name, value in row.items() if random.random() < 0.8}


def canonical_csv_file(random: Random) -> str:
    rows = [canonical_row(random) for _ in range(random.choice(ROWS))]
    names = ("message_id", "mail_from", "spf", *(row for row in canonical_names() if random.random() < 0.7))
    names = tuple(dict.fromkeys(names))
    cells = [{name: cell(row.get(name)) for name in names} for row in rows]
    return table(random, [damaged(random, row, ("mail_from",)) for row in cells], names[:3], names[3:])


def canonical_names() -> list[str]:
    """Every column that a generated canonical row may have, in no row's order."""

    class Always(Random):
        def random(self) -> float:
            return 0.0

    return list(canonical_row(Always(0)))


def cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def canonical_ndjson_file(random: Random) -> str:
    rows = []
    for _ in range(random.choice(ROWS)):
        row = canonical_row(random) | {"message_id": "<1@contoso.com>"}
        flip = random.random()
        if flip < 0.06:
            row["mail_from"] = random.choice((1, False, ["ann@contoso.com"], "", None, "a\u0000@contoso.com"))
        if flip > 0.94:
            row[random.choice(("recipient_count", "accepted", "time"))] = random.choice(("x", [], {}, 1.5))
        rows.append(row | {"x_note": {"deep": [1, 2]}})
    return ndjson(random, rows)


# ── Headers ───────────────────────────────────────────────────────────────────

HOSTS = (
    ("APC01-SG2-obe", "mail-sgaapc01rlnn2082", "40.95.54.82"),
    ("nam02-dm3-obe", "mail-dm3nam02on2095", "40.107.95.95"),
    ("EUR03-VE1-obe", "mail-ve1eur03hn2225", "52.100.3.4"),
    ("GBR01-LO2-obe", "mail-lo2gbr01rlhn2162", "40.95.78.162"),
)
SUFFIX = ".outbound.protection.outlook.com"
STAMPS = (
    "X-MS-Exchange-Authentication-Results: spf=softfail (sender IP is 203.0.113.11)\n"
    " smtp.mailfrom=fabrikam.com; dkim=none (message not signed)\n header.d=none;dmarc=fail action=none header.from=fabrikam.com;",
    "X-MS-Exchange-Authentication-Results: spf=pass (sender IP is 203.0.113.11) smtp.mailfrom=contoso.com; dkim=pass"
    " (signature was verified) header.d=contoso.com;dmarc=pass action=none header.from=contoso.com;",
    "Authentication-Results: spf=fail (sender IP is 203.0.113.11) smtp.mailfrom=contoso.com; dkim=fail (body hash did"
    " not verify) header.d=contoso.com;dmarc=fail action=oreject header.from=contoso.com;compauth=fail reason=000",
    "Authentication-Results: dkim=none (message not signed)\n header.d=none;dmarc=none action=none header.from=contoso.com;",
    "Authentication-Results: mx.partner.example; spf=pass smtp.mailfrom=contoso.com",
    "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=softfail (sender ip\n is 203.0.113.11)"
    " smtp.rcpttodomain=partner.example smtp.mailfrom=fabrikam.com;\n dmarc=fail (p=none sp=quarantine pct=100)"
    " action=none header.from=fabrikam.com; dkim=none (message not signed); arc=none (0)",
    "ARC-Authentication-Results: i=1; mx.microsoft.com 1; spf=pass smtp.mailfrom=contoso.com; dmarc=pass action=none"
    " header.from=contoso.com; dkim=pass header.d=contoso.com; arc=none",
    "ARC-Authentication-Results: i=2; list.example; spf=fail smtp.mailfrom=contoso.com",
)
LATER = (
    "Authentication-Results: spf=pass (sender IP is 192.0.2.77) smtp.mailfrom=list.example; dkim=pass header.d=list.example",
    "X-MS-Exchange-Authentication-Results: spf=none (sender IP is 192.0.2.77) smtp.mailfrom=list.example",
    "Received: from list.example (list.example [192.0.2.77])\n\tby final.example (Postfix) with ESMTPS id 1;"
    "\n\tWed, 13 Dec 2023 19:06:00 +0000 (UTC)",
    "Authentication-Results: list.example; dkim=pass header.d=contoso.com",
)
INSIDE = (
    "Received: from SI2PR06CA0010.apcprd06.prod.outlook.com (2603:1096:4:186::6) by\n"
    " SEZPR03MB6571.apcprd03.prod.outlook.com (2603:1096:101:76::12) with Microsoft\n SMTP Server id 15.20.7068.33;"
    " Wed, 13 Dec 2023 19:05:36 +0000",
    "Received: from gw.fabrikam.com (203.0.113.11) by\n SG1PEPF000082E3.mail.protection.outlook.com (10.167.240.6) with"
    " Microsoft SMTP Server\n id 15.20.7091.26 via Frontend Transport; Wed, 13 Dec 2023 19:05:35 +0000",
)
#: What a gateway and the hosts before it write, below the hop into Microsoft 365.
BEFORE = (
    "Received: from filter2.fabrikam.com (10.1.2.3) by gw.fabrikam.com (10.1.2.4) with ESMTP; Wed, 13 Dec 2023 19:05:34 +0000",
    "Received: by gw.fabrikam.com with LMTP id 7; Wed, 13 Dec 2023 19:05:34 +0000",
    "Received: from mail.partner.example (mail.partner.example [198.51.100.40])\n\tby mx.fabrikam.com (Postfix) with ESMTPS"
    " id 1;\n\tWed, 13 Dec 2023 19:05:33 +0000 (UTC)",
    "Received: from mail.partner.example by mx.fabrikam.com with ESMTP; Wed, 13 Dec 2023 19:05:33 +0000",
    "Received: from pc.partner.example (198.51.100.41) by mail.partner.example (198.51.100.40) with ESMTP;"
    " Wed, 13 Dec 2023 19:05:32 +0000",
)


def hop(random: Random) -> str:
    helo, host, address = random.choice(HOSTS)
    return (
        f"Received: from {helo}{SUFFIX} ({host}{SUFFIX} [{address}])\n\tby mx.partner.example (Postfix) with ESMTPS id"
        f" 7150FE8\n\tfor <{random.choice(RECIPIENTS[:3])}>; Wed, 13 Dec 2023 11:05:{random.randrange(10, 60)} -0800 (PST)"
    )


def message(random: Random) -> str:
    """One header block: stamps above and below one or two hops, and what Exchange adds at the end."""
    lines = random.choice(([], [f"Return-Path: <{random.choice(SENDERS[:2])}>"], ["Return-Path: <>"]))
    lines += random.sample(LATER, random.randrange(3))
    if random.random() < 0.85:
        lines.append(hop(random))
    lines += random.sample(STAMPS, random.randrange(4))
    lines.append(INSIDE[0])
    if random.random() < 0.8:
        lines += [*random.sample(STAMPS, random.randrange(2)), INSIDE[1]]
    if random.random() < 0.2:
        lines += [hop(random), *random.sample(STAMPS, random.randrange(2))]
    lines += random.sample(BEFORE, random.randrange(3))
    lines += marks(random)
    return "\n".join(lines) + "\n"


def marks(random: Random) -> list[str]:
    author = random.choice(SENDERS[:2])
    fields = {
        "From": random.choice((author, f'"Ann Lee" <{author}>', f"Ann Lee <{author}>")),
        "Date": "Wed, 13 Dec 2023 21:05:28 +0200",
        "Message-ID": "<1@contoso.com>",
        "X-MS-Exchange-SenderADCheck": random.choice(("0", "1", "2", "9")),
        "X-MS-Exchange-AntiSpam-Relay": random.choice(("0", "1")),
        "X-Forefront-Antispam-Report": "CIP:203.0.113.11;CTRY:TW;LANG:en;SCL:1;SRV:;IPV:CAL;SFV:"
        f"{random.choice(('NSPM', 'SPM'))};H:gw.fabrikam.com;PTR:x;CAT:{random.choice(('NONE', 'OSPM'))};"
        f"DIR:{random.choice(('OUT', 'OUT', 'INB', 'INT'))};SFP:{random.choice((1101, 1501, 1022))};",
        "X-MS-Exchange-CrossTenant-OriginalAttributedTenantConnectingIp": f"TenantId={TENANT};Ip=[203.0.113.11];"
        "Helo=[gw.fabrikam.com]",
        "X-MS-Exchange-CrossTenant-AuthAs": random.choice(("Internal", "Anonymous")),
        "X-MS-Exchange-SkipListedInternetSender": "ip=[198.51.100.20];domain=fabrikam.com",
        "X-MS-Exchange-ForwardingLoop": "ann@contoso.com;1",
        "Resent-From": "ann@contoso.com",
        "Content-Type": random.choice(("text/plain", "multipart/report; report-type=delivery-status; boundary=x")),
        "Auto-Submitted": random.choice(("auto-replied", "no")),
        "X-MS-Exchange-Message-Is-Ndr": "",
    }
    chance = {
        "X-MS-Exchange-ForwardingLoop": 0.1,
        "Resent-From": 0.1,
        "X-MS-Exchange-Message-Is-Ndr": 0.1,
        "Auto-Submitted": 0.2,
        "X-MS-Exchange-SkipListedInternetSender": 0.2,
    }
    return [f"{name}: {value}" for name, value in fields.items() if random.random() < chance.get(name, 0.8)]


def headers_file(random: Random) -> str:
    """A single message, or an mbox whose bodies hold `From` lines of text."""
    if random.random() < 0.3:
        return message(random) + random.choice(("", "\nbody\n"))
    body = "\nHello\n>From me\nFrom here on, text\nReceived: no header\n\n"
    count = random.choice(ROWS[1:])
    text = "".join(f"From ann@contoso.com Wed Dec 13 19:06:02 2023\n{message(random)}{body}" for _ in range(count))
    return text if random.random() < 0.5 else text.replace("\n", "\r\n")
