"""Adversarial canonical records: Hypothesis strategies and a fast seeded generator over the same values.

The values are chosen so that every rule, fix, agreement and observed source occurs often; `test_generator.py` counts.
Only example domains and documentation addresses are used beside Microsoft's own prefixes.
"""

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

TENANTS = """
[[tenant]]
id = "00000000-0000-0000-0000-00000000000A"
name = "contoso"
accepted_domains = ["contoso.com", "Fabrikam.com.", { domain = "lab.contoso.com", subdomains = true }, "xn--bcher-kva.example"]
initial_domain = "contoso.onmicrosoft.com"

[[tenant.gateway]]
name = "edge"
prefixes = ["203.0.113.0/24", "2001:db8:1::/48"]
enhanced_filtering = false

[[tenant.gateway]]
name = "inner"
prefixes = ["203.0.113.64/26"]
enhanced_filtering = true

[[tenant]]
id = "00000000-0000-0000-0000-00000000000b"
name = "tailspin"
learned = true
accepted_domains = ["tailspin.example", "contoso.com"]

[[tenant]]
id = "00000000-0000-0000-0000-00000000000c"
name = "wide"
accepted_domains = [{ domain = "example", subdomains = true }]
initial_domain = "wide.onmicrosoft.com"

[pools]
names = { "MyRegionPool" = "normal", "SpareRelay" = "high_risk" }
prefixes = [
  { prefix = "198.51.100.0/24", pool = "relay", since = 2026-01-01 },
  { prefix = "198.51.100.128/25", pool = "relay_high_risk", until = 2026-03-01 },
  { prefix = "40.107.0.0/16", pool = "high_risk", since = 2025-01-01, until = 2025-02-01 },
]
"""

#: One tenant without an id: it takes every record.
SINGLE = TENANTS.split("[[tenant]]")[1].replace('id = "00000000-0000-0000-0000-00000000000A"\n', "")
SINGLE_TENANT = "[[tenant]]" + SINGLE

TENANT_IDS = (
    None,
    "",
    "00000000-0000-0000-0000-00000000000a",
    "00000000-0000-0000-0000-00000000000A",
    "00000000-0000-0000-0000-00000000000B",
    "00000000-0000-0000-0000-00000000000c",
    "00000000-0000-0000-0000-00000000000d",
    "84DF9E7F-e9f6-40af-b435-aaaaaaaaaaaa",
)

DOMAINS = (
    "contoso.com",
    "CONTOSO.com",
    "fabrikam.com",
    "lab.contoso.com",
    "a.lab.contoso.com",
    "b.a.lab.contoso.com",
    "xlab.contoso.com",
    "app.contoso.com",
    "gone.contoso.com",
    "contoso.onmicrosoft.com",
    "contoso.mail.onmicrosoft.com",
    "x.contoso.onmicrosoft.com",
    "bücher.example",
    "xn--bcher-kva.example",
    "XN--BCHER-KVA.example",
    "BÜCHER.example",
    "tailspin.example",
    "supplier.example",
    "news.supplier.example",
    "evil.example",
    "brand.co.uk",
    "mail.brand.co.uk",
    "other.co.uk",
    "co.uk",
    "one.github.io",
    "two.github.io",
    "nowhere.com",
    "unknown.com",
    "half.com",
    "odd.com",
    "v6.com",
    "nullmx.com",
    "mfp.local",
    "here.local",
    "printer",
    "localhost",
    "host.home.arpa",
    "home.arpa",
    "a.test",
    "corp.internal",
    "x.onion",
    "xlocal",
    "notlocal.com",
    "faß.de",
    "fass.de",
    "例え.テスト",
    "xn--r8jz45g.xn--zckzah",
    "xn--",
    "xn--a",
    "xn--contoso-.com",
    "\u212aontoso.com",
    "conto\u017fo.com",
    "ｃontoso.com",
    "contoso。com",
    "contoso．com",
    "exam_ple.com",
    "_x.contoso.com",
    "-x.com",
    "x-.com",
    "a--b.com",
    "a..com",
    ".com",
    "",
    "contoso.com.",
    "contoso.com..",
    ".",
    "1.2.3.4",
    "a" * 63 + ".com",
    "a" * 64 + ".com",
    ".".join(["a" * 61] * 4) + ".com",
    ".".join(["a" * 61] * 4) + ".comm",
    "ü" * 40 + ".com",
    "\u200dx.com",
    "a\u0301.com",
    "א1.com",
    "1א.com",
    "contoso.com\0.evil.example",
    "con toso.com",
    "[40.95.1.1]",
    "[IPv6:2001:db8::1]",
    "[ipv6:2001:DB8::1]",
    "[IPv6:1.2.3.4]",
    "[2001:db8::1]",
    "[IPv6:::ffff:40.95.1.1]",
    "[1.2.3]",
    "[x]",
    "[40.95.1.1].",
    "[40.95.1.1",
)

#: Domains of ordinary senders, of which most resolve.
COMMON_DOMAINS = (
    "contoso.com",
    "Fabrikam.com",
    "a.lab.contoso.com",
    "app.contoso.com",
    "gone.contoso.com",
    "contoso.onmicrosoft.com",
    "tailspin.example",
    "supplier.example",
    "news.supplier.example",
    "evil.example",
    "mail.brand.co.uk",
    "brand.co.uk",
    "xn--r8jz45g.xn--zckzah",
    "fass.de",
    "nowhere.com",
    "v6.com",
    "nullmx.com",
)

#: Names with the status of A, MX and AAAA, and whether the MX is a null MX; names not listed are unknown.
DNS = (
    ("contoso.com", "present", "present", "absent", False),
    ("fabrikam.com", "absent", "present", None, False),
    ("lab.contoso.com", "present", "absent", None, False),
    ("a.lab.contoso.com", "present", "unknown", None, False),
    ("app.contoso.com", "present", None, None, False),
    ("gone.contoso.com", "absent", "absent", "absent", False),
    ("contoso.onmicrosoft.com", "present", "present", None, False),
    ("contoso.mail.onmicrosoft.com", "absent", "absent", None, False),
    ("xn--bcher-kva.example", "absent", "absent", None, False),
    ("tailspin.example", "present", "present", None, False),
    ("supplier.example", "present", "present", None, False),
    ("news.supplier.example", "absent", "present", None, False),
    ("evil.example", "present", "present", "present", False),
    ("mail.brand.co.uk", "present", "present", None, False),
    ("brand.co.uk", "present", "present", None, False),
    ("one.github.io", "present", "absent", None, False),
    ("nowhere.com", "absent", "absent", "absent", False),
    ("unknown.com", "unknown", "unknown", None, False),
    ("half.com", "absent", "unknown", "present", False),
    ("odd.com", "invalid", "absent", None, False),
    ("v6.com", "absent", "absent", "present", False),
    ("nullmx.com", "absent", "present", None, True),
    ("here.local", "present", "unknown", None, False),
    ("mfp.local", "absent", "absent", "present", False),
    ("localhost", "unknown", "unknown", "present", False),
    ("xn--r8jz45g.xn--zckzah", "present", "present", None, False),
    ("fass.de", "present", "present", None, False),
    ("xn--fa-hia.de", "absent", "absent", None, False),
    ("exam_ple.com", "absent", "present", None, True),
    ("1.2.3.4", "absent", "absent", None, False),
)

LOCALS = (
    "ann",
    "Bob.Smith",
    "postmaster",
    "PostMaster",
    "MAILER-DAEMON",
    "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e",
    "microsoftexchange329E71EC88AE4615BBC36AB6CE41109E",
    '"postmaster"',
    '"post\\master"',
    '"MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e"',
    '"a@evil.example"',
    '"contoso.com@x"',
    '"a\\"@evil.example"',
    '"a b"',
    '""',
    '"a\tb"',
    '"a\\ü"',
    '"ü"',
    '"open',
    '"a"b',
    "a%contoso.com",
    "evil.example!a",
    "=?utf-8?q?a=40evil=2eexample=3e?=",
    "用户",
    "a\u202eb",
    ".a",
    "a.",
    "a..b",
    "a b",
    "a(x)",
    "a,b",
    "a;b",
    "a:b",
    "",
    "a@b",
    "a\n",
    "l" * 64,
    "l" * 65,
    '"' + "q" * 62 + '"',
    '"' + "q" * 63 + '"',
    "ü" * 32,
    "ü" * 33,
    "john.work+SRS=44ldt=IX=fabrikam.com=bob",
    "x+srs=44ldt=ix=Fabrikam.com=b=ob",
    "bounces+SRS=44ldt=IX",
    "+SRS=44ldt=IX=fabrikam.com=bob",
    "SRS0=HHH=TT=orig.example=user",
    "srs0+HHH=TT=orig.example=user",
    "SRS0-HHH=TT=orig.example=user",
    "SRS1=HHH=fwd.example==HHH=TT=orig.example=user",
    "SRS1=HHH=fwd.example=HHH=TT=orig.example=user",
    "SRS0=HHH=TT=orig.example=",
    "SRS0=HHH=TT==user",
    "SRS0=HHH",
    "user+caf_=ann=orig.example",
)

WRAPPERS = (
    "{}",
    "<{}>",
    "  <{}> ",
    " {} ",
    "<@relay.example:{}>",
    "<@a.example,@b.example:{}>",
    "@relay.example:{}",
    "<@:{}>",
    "<@a.example:@b.example:{}>",
    "<@a.example, @b.example:{}>",
    "<<{}>>",
    "< {} >",
    "<{}",
    "{}>",
    "{},b@evil.example",
    "{}(comment)",
    "{}\n",
    "\t{}",
    "Ann <{}>",
    "{}@contoso.com",
)

ODD_ADDRESSES = (
    "",
    "<>",
    " <> ",
    "  <>",
    " ",
    "   ",
    "< >",
    "<>>",
    "@",
    "@contoso.com",
    "a@",
    "a@b@",
    "a",
    "<",
    ">",
    '"',
    "\0",
)

KINDS = (None, "message", "ndr", "NDR", "auto_reply", "delay", "receipt", "journal", "", "ndr ", "bounce")
DIRECTIONS = (None, "outbound", "Outbound", "inbound", "internal", "INTERNAL", "", "Originating")
STATUSES = (
    None,
    "delivered",
    "failed",
    "Failed",
    "pending",
    "expanded",
    "quarantined",
    "dropped",
    "filtered",
    "",
    "none",
)
SPF = (None, "pass", "PASS", "fail", "softfail", "neutral", "none", "permerror", "temperror", "", "pass ", "hardfail")
DKIM = (None, "pass", "Pass", "none", "fail", "policy", "neutral", "permerror", "temperror", "timeout", "", "other")
DMARC = (None, "pass", "PASS", "fail", "none", "bestguesspass", "", " pass")

CODES = (
    None,
    "",
    " ",
    "2.0.0",
    "5.1.8",
    " 5.1.8 ",
    "5.1.80",
    "5.1.90",
    "5.2.2",
    "5.7.232",
    "5.7.233",
    "5.7.236",
    "5.7.501",
    "5.7.502",
    "5.7.503",
    "5.7.504",
    "5.7.520",
    "5.7.703",
    "5.7.705",
    "5.7.708",
    "5.7.750",
    "5.7.1",
    "5.7.26",
    "5.7.367",
    "5.7.508",
    "5.1.8\t",
)
PHRASES = (
    "",
    "Sender address rejected: Domain not found",
    "Access denied, BAD Outbound Sender",
    "bad outbound sende",
    "SUBMISSIONQUOTAEXCEEDED",
    "AccesS DenieD",
    "traffic not accepted from this IP",
    "Traffic \u212aot accepted from thiſ IP",
)
QUOTES = (
    "",
    " with ip: [{}].",
    " ip {}.",
    " {}: blocked",
    " (x{})",
    " {}x",
    " ip:{}",
    " {}-1",
    " _{}",
    " {}..",
    " {}:25",
    " {{IP={}}}",
    " {{FQDN={}}}",
    " [LastAttemptedIP={}]",
    " [LastAttemptedServerName={}] {}",
    " [LastAttemptedIP={}",
    " {{IP={} ",
    ". OutboundProxyTargetIP: {}. OutboundProxyTargetHostName: x",
    "\u00e9{}",
    "={};",
    "{}",
)
FRAMES = (
    "{0}",
    "550 {0}",
    "Reason: [{{LED={0}}};{{MSG=}};{{FQDN=x}};{{IP=40.95.7.7}};{{LRT=}}]",
    "Reason: [{{LED=550 5.7.1 no}};{{MSG={0}}};{{FQDN=}};{{IP=}}]. OutboundProxyTargetIP: 40.95.9.9.",
    "{{MSG=a}} {0} {{LED=40.95.2.2}}",
    "Reason: [{{LED={0}",
    "{{led={0}}}",
    "{{LED={{MSG={0}}} 40.95.3.3}}",
    "{{LED=}}{0}",
)

TIMES = tuple(
    moment
    for day in (
        "1960-05-05",
        "2019-01-01",
        "2021-01-01",
        "2021-07-27",
        "2022-03-23",
        "2023-01-01",
        "2024-01-01",
        "2025-01-01",
        "2025-02-01",
        "2026-01-01",
        "2026-03-01",
        "2026-06-25",
        "2031-02-03",
    )
    for start in [datetime.fromisoformat(day).replace(tzinfo=UTC)]
    for moment in (start - timedelta(microseconds=1), start, start + timedelta(hours=13))
)

PREFIXES = (
    "40.92.0.0/16",
    "40.93.0.0/16",
    "40.95.0.0/16",
    "40.107.0.0/16",
    "52.100.0.0/16",
    "52.101.0.0/16",
    "52.102.0.0/16",
    "52.103.0.0/17",
    "52.103.128.0/17",
    "104.47.0.0/17",
    "23.103.0.0/16",
    "2a01:111:f400::/48",
    "2a01:111:f403:a000::/51",
    "2a01:111:f403:e000::/52",
    "198.51.100.0/24",
    "198.51.100.128/25",
    "203.0.113.0/24",
    "203.0.113.64/26",
    "2001:db8:1::/48",
)
BAD_ADDRESSES = (
    "040.95.1.1",
    "0x28.95.1.1",
    "40.95.257",
    "678363393",
    "40.95.1.1\n",
    " 40.95.1.1",
    "40.95.1.1\0",
    "[40.95.1.1]",
    "40.95.1.1:25",
    "４０.95.1.1",
    "fe80::1%eth0",
    "40.95.1.256",
    "40.95.1",
    "40.95.1.1.",
    "::",
    ":::",
    "1::2::3",
    "64:ff9b::40.95.1.1",
    "::40.95.1.1",
    "::ffff:40.95.1.1",
    "::FFFF:285f:101",
    "0:0:0:0:0:ffff:40.107.1.1",
    "::ffff:40.95.1",
    "::ffff:040.95.1.1",
    "12345::",
    "",
)

HOST_LABELS = (
    "mail-sgaapc01on2049",
    "mail-uaenorthazon11022105",
    "mail-eopbgr790074",
    "mail-am6eur05lp2054",
    "mail-westeuropeazlp17010006",
    "mail-ve1eur03hn2225",
    "mail-westcentralusazhn15012016",
    "mail-sgaapc01rlnn2082",
    "mail-uaecentralazrln102200000",
    "mail-lo2gbr01rlhn2162",
    "mail-lo2gbr01rln2162",
    "mail-eastusazrlhn10230001",
    "mail-am01olkn2001",
    "mail-eastusazolkn19012001",
    "mail-oln040092000001",
    "mail-bgr052100133062",
    "mail-bgr040095001001",
    "mail-bgr040092001001",
    "mail-bgr052101001001",
    "mail-bgr999100133062",
    "mail-bgr05210013306",
    "mail-bgr0521001330621",
    "mail-bgr",
    "mail-dm2pr0701cu00105",
    "mail-on2049",
    "mail-1on2049",
    "mail-sgaapc01on",
    "mail-sgaapc01on2zz",
    "mail-sgaapc01on2abc",
    "mail-x01hn2y02on3",
    "mail-x01hnx02lp3f",
    "mail-azon110",
    "mail-azon1101",
    "mail-azon1101x",
    "mail-eopbgr",
    "mail-eopbgr-1",
    "mail-",
    "xmail-sgaapc01on2049",
    "a.mail-sgaapc01on2049",
    "mail-a.b01on2049",
    "MAIL-SGAAPC01HN2049",
    "mail-sgaapc01hn\u0662",
    "",
)
HOST_SUFFIXES = (
    ".outbound.protection.outlook.com",
    ".outbound.protection.outlook.com.",
    ".outbound.protection.outlook.com..",
    ".Outbound.Protection.OUTLOOK.com",
    ".outbound.protection.outlook.com.evil.example",
    ".evil.example",
    "outbound.protection.outlook.com",
    "",
)
POOL_NAMES = (
    None,
    "",
    "RegularRelayOutboundPool",
    "HIGHRISKRELAYPOOL",
    "HighRiskOutboundPool",
    "High-Risk Pool",
    "relay high-risk",
    "RegularOutboundPool",
    "xRegularPool",
    "MyRegionPool",
    "myregionpool",
    "SpareRelay",
    "SpareRelay2",
    "BulkPool",
    " ",
)
SFP = (None, 1101, 1102, 1501, 1022, 1023, 1901, 1701, 0, -1, 2**31 - 1)
CONNECTORS = (None, "", "Inbound from on-prem", " ")
FLAGS = (None, True, False)


def addresses_around(prefix: str) -> Iterator[str]:
    """First and last of a prefix, their neighbours outside, and IPv4-mapped forms."""
    network = ipaddress.ip_network(prefix)
    first, last = network[0], network[-1]
    for address in (first - 1, first, first + 258, last, last + 1):
        yield str(address)
        if address.version == 4:
            yield f"::ffff:{address}"


IP_ADDRESSES = tuple(address for prefix in PREFIXES for address in addresses_around(prefix)) + BAD_ADDRESSES
GOOD_ADDRESSES = IP_ADDRESSES[: -len(BAD_ADDRESSES)]
HOSTS = tuple(label + suffix for label in HOST_LABELS for suffix in HOST_SUFFIXES)
GOOD_HOSTS = tuple(label + HOST_SUFFIXES[0] for label in HOST_LABELS[:20])


def some_address(random: Random) -> str:
    """An address column's text: mostly plain, often a bit wrong, sometimes very."""
    luck = random.random()
    if luck < 0.05:
        return random.choice(ODD_ADDRESSES)
    local = random.choice(LOCALS) if 0.15 < luck < 0.45 else f"u{random.randrange(50)}"
    domain = random.choice(DOMAINS if luck < 0.25 else COMMON_DOMAINS)
    whole = f"{local}@{domain}"
    return random.choice(WRAPPERS).format(whole) if random.random() < 0.1 else whole


def some_domains(random: Random, mail_from: str | None, header_from: str | None) -> str | None:
    """`dkim_domain`: the domains of the record itself, their parents and children, strangers, rubbish."""
    near = [text.rpartition("@")[2].strip(" >") for text in (mail_from, header_from) if text]
    near += [f"mail.{name}" for name in near] + [name.partition(".")[2] for name in near]
    items = [
        random.choice(near) if near and random.random() < 0.6 else random.choice(DOMAINS)
        for _ in range(random.choice((0, 1, 1, 1, 2, 3)))
    ]
    joined = random.choice((",", ",", " , ", ",,", ";")).join(items)
    return None if not items and random.random() < 0.5 else joined


def some_identity(random: Random) -> tuple:
    """mail_from, header_from, dkim, dmarc, dkim_domain, spf: the columns that depend on one another."""
    luck = random.random()
    mail_from = None if luck < 0.08 else random.choice(("<>", "")) if luck < 0.14 else some_address(random)
    same = random.random()
    header_from = None if same < 0.15 else mail_from if same < 0.5 else some_address(random)
    dkim = random.choice(("pass", "pass", "none", "none", random.choice(DKIM)))
    domains = some_domains(random, mail_from, header_from) if random.random() < 0.7 else None
    spf = random.choice(("pass", "fail", "softfail", None, random.choice(SPF)))
    return mail_from, header_from, dkim, random.choice(DMARC), domains, spf


def some_reply(random: Random) -> str | None:
    """A status text: block phrases, quoted addresses, other hosts' addresses."""
    if random.random() < 0.4:
        return random.choice((None, None, ""))
    parts = [random.choice(PHRASES)]
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        address = random.choice(GOOD_ADDRESSES if random.random() < 0.8 else BAD_ADDRESSES)
        parts.append(random.choice(QUOTES).replace("{}", address).replace("{{", "{").replace("}}", "}"))
    return random.choice(FRAMES).format("".join(parts))


def some_status(random: Random) -> tuple:
    """status, status_code, status_text."""
    luck = random.random()
    status = random.choice((None, "delivered", "delivered", "failed", "failed", "pending", random.choice(STATUSES)))
    code = None if luck < 0.55 else random.choice(CODES)
    return status, code, some_reply(random)


def some_route(random: Random) -> tuple:
    """outbound_ip, outbound_host, outbound_ip_pool_name, sfp, time."""
    outbound_ip = random.choice(GOOD_ADDRESSES if random.random() < 0.8 else IP_ADDRESSES)
    host = random.choice(GOOD_HOSTS if random.random() < 0.6 else HOSTS)
    return (
        outbound_ip if random.random() < 0.3 else None,
        host if random.random() < 0.25 else None,
        random.choice(POOL_NAMES) if random.random() < 0.25 else None,
        random.choice(SFP) if random.random() < 0.35 else None,
        random.choice(TIMES) if random.random() < 0.85 else None,
    )


def some_place(random: Random) -> tuple:
    """tenant_id, kind, direction, recipient, client_ip, connector."""
    luck = random.random()
    recipient = None if luck < 0.15 else some_address(random) if luck < 0.45 else "ann@home.example.com"
    return (
        random.choice(TENANT_IDS if random.random() < 0.3 else TENANT_IDS[2:4]),
        random.choice(KINDS) if random.random() < 0.3 else random.choice((None, "message")),
        random.choice(DIRECTIONS) if random.random() < 0.2 else random.choice((None, "outbound")),
        recipient,
        random.choice(IP_ADDRESSES) if random.random() < 0.6 else None,
        random.choice(CONNECTORS) if random.random() < 0.4 else None,
    )


GROUPS = (
    (some_identity, ("mail_from", "header_from", "dkim", "dmarc", "dkim_domain", "spf")),
    (some_status, ("status", "status_code", "status_text")),
    (some_route, ("outbound_ip", "outbound_host", "outbound_ip_pool_name", "sfp", "time")),
    (some_place, ("tenant_id", "kind", "direction", "recipient", "client_ip", "connector")),
)
#: Boolean columns with the weights of null, true and false.
BOOLEANS = {
    "accepted": (12, 1, 2),
    "spam": (6, 1, 4),
    "forwarded": (3, 2, 2),
    "submitted": (8, 1, 1),
    "joined": (5, 1, 1),
    "sender_from_trace": (5, 1, 1),
}
COLUMNS = tuple(name for _, names in GROUPS for name in names) + tuple(BOOLEANS)


def random_columns(seed: int, count: int, distinct: int = 2_000) -> dict[str, list[Any]]:
    """`count` records as columns; groups are drawn from `distinct` fresh tuples each, so values repeat as in a log."""
    random = Random(seed)
    columns: dict[str, list[Any]] = {}
    for make, names in GROUPS:
        pool = [make(random) for _ in range(min(distinct, count))]
        drawn = random.choices(pool, k=count)
        for name, values in zip(names, zip(*drawn, strict=True), strict=True):
            columns[name] = list(values)
    for name, weights in BOOLEANS.items():
        columns[name] = random.choices(FLAGS, weights, k=count)
    return columns


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The same records one by one."""
    names = tuple(columns)
    return [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def random_records(seed: int, count: int) -> list[dict[str, Any]]:
    """`count` adversarial canonical records; the same seed gives the same records."""
    return rows_of(random_columns(seed, count))


def records() -> st.SearchStrategy[dict[str, Any]]:
    """One record: drawn columns, each null at times, with free text mixed into the text columns."""
    free = st.text(max_size=30)
    optional = {
        name: st.none() | st.sampled_from(values) | free
        for name, values in {
            "kind": KINDS,
            "direction": DIRECTIONS,
            "status": STATUSES,
            "spf": SPF,
            "dkim": DKIM,
            "dmarc": DMARC,
            "tenant_id": TENANT_IDS,
            "status_code": CODES,
            "outbound_host": HOSTS,
            "outbound_ip_pool_name": POOL_NAMES,
            "connector": CONNECTORS,
            "client_ip": IP_ADDRESSES,
            "outbound_ip": IP_ADDRESSES,
        }.items()
    }
    optional |= dict.fromkeys(("mail_from", "header_from", "recipient"), st.none() | addresses())
    optional |= dict.fromkeys(BOOLEANS, st.sampled_from(FLAGS))
    optional["status_text"] = st.none() | replies()
    optional["dkim_domain"] = st.none() | st.lists(st.sampled_from(DOMAINS) | free, max_size=4).map(",".join)
    optional["sfp"] = st.none() | st.sampled_from(SFP) | st.integers(-(2**31), 2**31 - 1)
    optional["time"] = st.none() | st.sampled_from(TIMES)
    return st.fixed_dictionaries({}, optional=optional)


def addresses() -> st.SearchStrategy[str]:
    """Text for an address column."""
    characters = st.text(alphabet='ab.@<>"\\ ,:()[]üK\u212a-_\t', max_size=20)
    whole = st.builds("{}@{}".format, st.sampled_from(LOCALS) | characters, st.sampled_from(DOMAINS) | characters)
    wrapped = st.builds(str.format, st.sampled_from(WRAPPERS), whole)
    return st.one_of(st.sampled_from(ODD_ADDRESSES), whole, wrapped, characters)


def replies() -> st.SearchStrategy[str]:
    """Text of a rejection."""
    marks = (
        "{LED=",
        "{MSG=",
        "{IP=",
        "{FQDN=",
        "[LastAttemptedIP=",
        "[LastAttemptedServerName=",
        "}",
        "]",
        "OutboundProxyTarget",
    )
    pieces = st.sampled_from(marks + IP_ADDRESSES + PHRASES) | st.text(alphabet="aGf.:-_ 1é{}[]", max_size=4)
    return st.lists(pieces, max_size=8).map("".join)
