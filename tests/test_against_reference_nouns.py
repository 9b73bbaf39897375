"""The native nouns, one by one, equal their slow twins."""

import ipaddress
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poolsift import domain_facts
from poolsift._native import nouns
from tests import strategies
from tests.reference import addresses, networks
from tests.reference.accepted import Tenant
from tests.reference.dns import resolve
from tests.reference.srs import srs_original
from tests.reference.worlds import reference_world, snapshot_rows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OBSERVED = ("normal", "high_risk", "relay", "relay_high_risk", "consumer")


def microseconds(time: datetime | None) -> int | None:
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


def random_addresses(count: int) -> list[str]:
    random = Random(11)
    return [strategies.some_address(random) for _ in range(count)] + list(strategies.ODD_ADDRESSES)


def native_mailbox(text: str | bytes) -> addresses.Mailbox:
    """What the native parser says, with IDNA done as the library's Python floor is to do it."""
    kind, local, domain = nouns.split_mailbox(text)
    if kind in {"unusable", "null_path"}:
        return addresses.UNUSABLE if kind == "unusable" else addresses.NULL_PATH
    written = local.decode()
    content = addresses.unquoted(written) if written.startswith('"') else written
    name = addresses.fold(domain.decode()) if kind == "literal" else addresses.canonical_domain(domain.decode())
    if name is None:
        assert kind == "domain_needs_idna"
        return addresses.UNUSABLE
    return addresses.Mailbox("literal" if kind == "literal" else "domain", content or "", name)


def test_mailbox():
    """The address grammar of choices 4 to 7."""
    texts = random_addresses(20_000)
    wrong = [(text, native_mailbox(text), addresses.mailbox(text)) for text in texts]

    assert [line for line in wrong if line[1] != line[2]] == []


@given(text=strategies.addresses() | st.text())
@example(text="<@a.example,@b.example:x@contoso.com>")
@example(text="a@[IPv6:::ffff:1.2.3.4]")
def test_any_mailbox(text):
    """Any text at all."""
    assert native_mailbox(text) == addresses.mailbox(text)


@given(raw=st.binary(max_size=40) | strategies.addresses().map(lambda text: text.encode().replace(b"a", b"\xff", 1)))
def test_any_bytes_as_mailbox(raw):
    """Bytes that are no UTF-8 are unusable."""
    assert native_mailbox(raw) == addresses.mailbox(raw.decode("utf-8", "surrogateescape"))


@given(name=st.sampled_from(strategies.DOMAINS) | st.text(alphabet="ab-_.xnüKﬀ\u200d1א", max_size=12))
def test_canonical_domain(name):
    """The library's own canonical form, where Python fills in IDNA."""
    assert domain_facts.canonical_domain(name) == addresses.canonical_domain(name)


@pytest.mark.parametrize("name", strategies.DOMAINS)
def test_bare_domain(name):
    """Items of `dkim_domain` follow the same grammar, without literals."""
    kind, written = nouns.check_domain(name)
    expected = addresses.canonical_domain(name)

    if kind == "unusable":
        assert expected is None
    else:
        assert addresses.canonical_domain(written.decode()) == expected
        assert kind == "domain_needs_idna" or expected is not None


def packed(text: str) -> bytes | None:
    found = addresses.ip_address(text)
    return None if found is None else found.packed


@pytest.mark.parametrize("text", strategies.IP_ADDRESSES)
def test_address(text):
    """Prefix edges, mapped forms and everything that `inet_aton` would let through."""
    assert nouns.parse_address(text) == packed(text)


@given(text=st.text(alphabet="0123456789abcdefFGx.:%/ ", max_size=45) | st.ip_addresses().map(str))
@example(text="::ffff:1.2.3.4")
@example(text="1:2:3:4:5:6:7::")
@example(text="::2:3:4:5:6:7:8")
@example(text="1:2:3:4:5:6:7:8:9")
def test_any_address(text):
    """Equal to `ipaddress` but for scope ids."""
    assert nouns.parse_address(text) == packed(text)


@given(address=st.ip_addresses(v=6), upper=st.booleans(), exploded=st.booleans())
def test_ipv6_spellings(address, upper, exploded):
    """Every spelling of one address is that address."""
    text = address.exploded if exploded else str(address)

    assert nouns.parse_address(text.upper() if upper else text) == packed(text)


def random_entries(random: Random, count: int) -> list[networks.Entry]:
    """Nested, overlapping, equal and dated prefixes over a small part of both address spaces."""
    entries = []
    for _ in range(count):
        six = random.random() < 0.3
        bits = random.randrange(97, 129) if six else random.randrange(17, 33)
        base = int(ipaddress.ip_address("2001:db8::" if six else "10.0.0.0")) + random.randrange(1 << 12)
        network = ipaddress.ip_network((base, bits) if random.random() < 0.95 else (0, 0), strict=False)
        if six and network.version == 4:
            network = ipaddress.ip_network("::/0")
        since = random.choice((None, *strategies.TIMES))
        until = random.choice((None, None, *strategies.TIMES))
        if since and until and since >= until:
            until = None
        entries.append(networks.Entry(network, random.choice(OBSERVED), since, until))
    return entries


@pytest.mark.parametrize("count", [0, 1, 5, 60, 400])
def test_prefix_table(count):
    """Longest prefix, dates, equal entries: a linear scan agrees at every edge and time."""
    random = Random(count)
    entries = random_entries(random, count)
    native = nouns.PrefixTable(
        (
            line.network.network_address.packed,
            line.network.prefixlen,
            microseconds(line.since),
            microseconds(line.until),
            number,
        )
        for number, line in enumerate(entries)
    )
    edges = [edge for line in entries for edge in (line.network[0], line.network[-1])]
    asked = [str(edge) for edge in edges] + [str(ipaddress.ip_address(f"10.0.{n % 16}.{n % 256}")) for n in range(300)]
    for address in asked:
        time = random.choice((None, *strategies.TIMES))
        expected = networks.scan(tuple(entries), addresses.ip_address(address), time)
        found = native.lookup(address, microseconds(time))

        assert (None if found is None else entries[found].pool) == expected, (address, time)


@pytest.mark.parametrize("seed", range(5))
def test_domain_set(seed):
    """Exact entries, entries with everything below them, and parents."""
    random = Random(seed)
    names = [".".join(random.choices("abc", k=random.randrange(1, 5))) for _ in range(12)]
    entries = {name: random.random() < 0.4 for name in names}
    native = nouns.DomainSet(entries.items())
    tenant = Tenant(
        exact=frozenset(name for name, deep in entries.items() if not deep),
        with_subdomains=frozenset(name for name, deep in entries.items() if deep),
    )
    for _ in range(500):
        name = ".".join(random.choices("abc", k=random.randrange(1, 6)))
        parents = [name.split(".", cut)[-1] for cut in range(name.count(".") + 1)]

        assert native.contains(name) == tenant.accepts(name)
        assert native.covers(name) == any(parent in entries for parent in parents)


def test_dns_table():
    """Statuses of the generator's snapshot, and names that it lacks."""
    rows = [(row["name"], row["rdtype"], row["status"], row["rdata"] == ["0 ."]) for row in snapshot_rows()]
    native = nouns.DnsTable.build(*zip(*rows, strict=True))
    rdtypes = {(name, rdtype): status for name, rdtype, status, _ in rows}
    world = reference_world("several", dns=True)
    for name in {row[0] for row in rows} | {"missing.example", "com", ""}:
        found = native.lookup(name) or ("unlisted", "unlisted", "unlisted", False)

        assert found[:3] == tuple(rdtypes.get((name, kind), "unlisted") for kind in ("A", "MX", "AAAA"))
        assert found[3] == resolve(world.snapshot, name, ()).null_mx


def host_names(tables: networks.Tables) -> nouns.HostNames:
    codes = {code: 255 if pool == "digits" else OBSERVED.index(pool) for code, pool in tables.codes.items()}
    return nouns.HostNames(tables.suffixes, codes)


def native_host_pool(native: nouns.HostNames, tables: networks.Tables, host: str) -> str | None:
    pool, embedded = native.lookup(host)
    if embedded is not None:
        return networks.prefix_pool(tables, str(ipaddress.ip_address(embedded)), None)
    return None if pool is None else OBSERVED[pool]


@pytest.mark.parametrize("suffix", strategies.HOST_SUFFIXES)
def test_host_names(tables, suffix):
    """The grammar of outbound host names."""
    native = host_names(tables)
    hosts = [label + suffix for label in strategies.HOST_LABELS]

    assert {host: native_host_pool(native, tables, host) for host in hosts} == {
        host: networks.host_pool(tables, host, None) for host in hosts
    }


@given(
    label=st.lists(
        st.sampled_from(
            [
                "az",
                "on",
                "lp",
                "hn",
                "rln",
                "rlnn",
                "rlhn",
                "olkn",
                "oln",
                "bgr",
                "eopbgr",
                "01",
                "1",
                "1022",
                "f",
                "x",
                "-",
                ".",
            ]
        )
        | st.text(alphabet="0123456789abcdefnlorhz_-\u0662K", max_size=3),
        max_size=6,
    ).map("".join),
    start=st.sampled_from(["mail-", "MAIL-", "mail", ""]),
)
@example(label="x01on2y02hnf", start="mail-")
def test_any_host_name(label, start):
    """Labels put together from the codes; no suffix of ours but one."""
    tables = reference_world("none", dns=False).tables
    host = f"{start}{label}.outbound.protection.outlook.com"

    assert native_host_pool(host_names(tables), tables, host) == networks.host_pool(tables, host, None)


def test_several_suffixes(tables):
    """A suffix may end in another one."""
    wide = replace(tables, suffixes=(*tables.suffixes, ".protection.partner.outlook.cn", ".outlook.cn"), memo={})
    native = host_names(wide)
    for suffix in (*wide.suffixes, ".x.outlook.cn", ".outlook.cn."):
        for label in strategies.HOST_LABELS[:12]:
            assert native_host_pool(native, wide, label + suffix) == networks.host_pool(wide, label + suffix, None)


@given(name=st.sampled_from([name for name in strategies.POOL_NAMES if name]) | st.text(max_size=20))
def test_pool_names(name):
    """Whole names before patterns, case ignored."""
    tables = reference_world("several", dns=True).tables
    names = {known: OBSERVED.index(pool) for known, pool in tables.names.items()}
    patterns = [(kind, words, OBSERVED.index(pool)) for kind, words, pool in tables.patterns]
    found = nouns.PoolNames(names, patterns).lookup(name)

    assert (None if found is None else OBSERVED[found]) == networks.pool_name_pool(tables, name)


def same_addresses(text: str) -> None:
    expected = [addresses.ip_address(found) for found in networks.reply_addresses(text)]

    assert [addresses.ip_address(found) for found in nouns.reply_addresses(text)] == expected


def test_reply_addresses():
    """Only what the remote server said, in order."""
    random = Random(12)
    for _ in range(5_000):
        same_addresses(strategies.some_reply(random) or "")


@given(text=strategies.replies())
@example(text="{LED=40.95.1.1{IP=40.95.1.2}40.95.1.3}{MSG=40.95.1.4")
@example(text="40.95.1.1OutboundProxyTarget")
def test_any_reply(text):
    """Marks in any order, closed or not."""
    same_addresses(text)


@given(text=st.text(max_size=20), phrase=st.text(alphabet="abKk \u212a", max_size=4))
def test_contains_ignoring_case(text, phrase):
    """ASCII case alone is ignored."""
    lower = addresses.fold(phrase)

    assert nouns.contains_ignoring_case(text, lower) == (lower in addresses.fold(text))


def test_srs():
    """The original sender inside rewritten addresses, with every odd address as a bystander."""
    texts = random_addresses(20_000)
    wrong = [(text, nouns.srs_original(text), srs_original(text)) for text in texts]

    assert [line for line in wrong if line[1] != line[2]] == []


SRS_WORDS = (
    "SRS0",
    "srs1",
    "x+SRS",
    "u",
    "HHH",
    "abcde",
    "TT",
    "c7",
    "A1",
    "orig.example",
    "orig.example.",
    "-bad",
    "",
    '"',
    "@",
    ".u",
)


@st.composite
def srs_locals(draw):
    """The three forms with good, odd and missing parts."""
    hashed = st.sampled_from(["HHH", "abc+/", "a", ""])
    day = st.sampled_from(["TT", "c7", "C7", "A1", "ABC", ""])
    name = st.sampled_from(["orig.example", "orig.example.", "-bad", "bü.example", "", "a..b"])
    user = st.sampled_from(["u", "u=v", ".u", "SRS0=HHH=TT=deep.example=w", "x+SRS=abcde=TT=deep.example=w", ""])
    start = st.sampled_from(
        [
            "SRS0=",
            "srs0+",
            "SRS0-",
            "x+SRS=",
            "+srs=",
            "a=b+SRS=",
            "SRS1=HHH=f.example==",
            "srs1+HHH=f=-",
            "SRS1=HHH==",
            '"',
        ]
    )
    return f"{draw(start)}{draw(hashed)}={draw(day)}={draw(name)}={draw(user)}"


@given(local=srs_locals())
@example(local="x+SRS=abcde=TT=c.example=SRS0=h=TT=d.example=u")
def test_any_srs(local):
    """Good, odd and missing parts of the three forms."""
    text = f"{local}@contoso.com"

    assert nouns.srs_original(text) == srs_original(text)


def test_both_instruction_sets_agree():
    """The scalar path and the SSE4.2 path read addresses alike."""
    texts = random_addresses(3_000)
    answers = []
    for isa in ("base", "sse42", ""):
        nouns.choose_isa(isa)
        answers.append([nouns.split_mailbox(text) for text in texts])

    assert answers[0] == answers[1] == answers[2]


def test_host_expression_is_that_of_the_facts():
    """The dots of the facts' expression may not cross a label; everything else is as measured."""
    measured = re.compile(
        r"^mail-(?:.*?(?:az(rlhn|rln|olkn|on|hn|lp)(\d{4})\d*|\d\d(rlnn|rlhn|rln|olkn|on|hn|lp)\d[0-9a-f]*)"
        r"|(eopbgr|bgr|oln)\w*)$"
    )
    for label in strategies.HOST_LABELS:
        if label.isascii() and "." not in label:
            assert bool(measured.match(label)) == bool(networks.HOST.fullmatch(label)), label
