"""Bad and odd addresses, prefixes and names: an example for each item of the groups A and B of the input catalogue."""

import ipaddress

import pytest

from poolsift._native.nouns import (
    DnsTable,
    DomainSet,
    HostNames,
    PoolNames,
    PrefixTable,
    check_domain,
    choose_isa,
    is_srs,
    parse_address,
    reply_addresses,
    split_mailbox,
    srs_original,
)

RELAY, NORMAL = 2, 0
LONG_LABEL = "d" * 63
NAME_253 = ".".join([LONG_LABEL, LONG_LABEL, LONG_LABEL, "d" * 61])


@pytest.mark.parametrize(
    ("text", "kind", "local", "domain"),
    [
        pytest.param('"a@evil.example"@contoso.com', "domain", '"a@evil.example"', "contoso.com", id="A1"),
        pytest.param('"contoso.com@x"@evil.example', "domain", '"contoso.com@x"', "evil.example", id="A2"),
        pytest.param('"a\\"@evil.example"@contoso.com', "domain", '"a\\"@evil.example"', "contoso.com", id="A3"),
        pytest.param("<a@contoso.com>", "domain", "a", "contoso.com", id="A6-brackets"),
        pytest.param("  <a@contoso.com> ", "domain", "a", "contoso.com", id="A6-spaces"),
        pytest.param("<@relay.example:a@contoso.com>", "domain", "a", "contoso.com", id="A7"),
        pytest.param("<@one.example,@two.example:a@contoso.com>", "domain", "a", "contoso.com", id="A7-two-hops"),
        pytest.param("a%contoso.com@evil.example", "domain", "a%contoso.com", "evil.example", id="A8"),
        pytest.param("evil.example!a@contoso.com", "domain", "evil.example!a", "contoso.com", id="A9"),
        pytest.param("<>", "null_path", "", "", id="A10-brackets"),
        pytest.param(" <> ", "null_path", "", "", id="A10-spaces"),
        pytest.param("", "null_path", "", "", id="A10-empty"),
        pytest.param("a@contoso.com.", "domain", "a", "contoso.com", id="A11"),
        pytest.param("a@CONTOSO.COM", "domain", "a", "CONTOSO.COM", id="A12"),
        pytest.param("a@[40.95.1.1]", "literal", "a", "[40.95.1.1]", id="A14-ipv4"),
        pytest.param("a@[IPv6:2001:db8::1]", "literal", "a", "[IPv6:2001:db8::1]", id="A14-ipv6"),
        pytest.param("a@[ipv6:::ffff:40.95.1.1]", "literal", "a", "[ipv6:::ffff:40.95.1.1]", id="A14-mapped"),
        pytest.param("a@\u212aontoso.com", "domain_needs_idna", "a", "\u212aontoso.com", id="A15-kelvin"),
        pytest.param("a@conto\u017fo.com", "domain_needs_idna", "a", "conto\u017fo.com", id="A15-long-s"),
        pytest.param("a@\uff43ontoso.com", "domain_needs_idna", "a", "\uff43ontoso.com", id="A15-fullwidth"),
        pytest.param("a@contoso\u3002com", "domain_needs_idna", "a", "contoso\u3002com", id="A16"),
        pytest.param("用户@例え.テスト", "domain_needs_idna", "用户", "例え.テスト", id="A17"),
        pytest.param("a@xn--r8jz45g.xn--zckzah", "domain_needs_idna", "a", "xn--r8jz45g.xn--zckzah", id="A17-a-label"),
        pytest.param("a@XN--R8JZ45G.example", "domain_needs_idna", "a", "XN--R8JZ45G.example", id="A17-upper"),
        pytest.param("a@faß.de", "domain_needs_idna", "a", "faß.de", id="A18"),
        pytest.param("l" * 64 + "@" + LONG_LABEL, "domain", "l" * 64, LONG_LABEL, id="A23-longest"),
        pytest.param("alice@exam_ple.com", "domain", "alice", "exam_ple.com", id="A24"),
        pytest.param("=?utf-8?q?a=40x?=@contoso.com", "domain", "=?utf-8?q?a=40x?=", "contoso.com", id="A26"),
        pytest.param("a\u202eb\u200b@contoso.com", "domain", "a\u202eb\u200b", "contoso.com", id="A27"),
        pytest.param("a@localhost", "domain", "a", "localhost", id="A29"),
    ],
)
def test_mailbox_taken(text: str, kind: str, local: str, domain: str) -> None:
    """What is taken is cut at the only `@` outside quotes, and the domain stays as written."""
    assert (kind, local.encode(), domain.encode()) == split_mailbox(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a@evil.example@contoso.com", id="A4"),
        pytest.param("a@contoso.com,b@evil.example", id="A5-comma"),
        pytest.param("a@contoso.com;b@evil.example", id="A5-semicolon"),
        pytest.param("<<a@contoso.com>>", id="A6-two-pairs"),
        pytest.param("<a@contoso.com", id="A6-open"),
        pytest.param("< a@contoso.com>", id="A6-inner-space"),
        pytest.param("@relay.example:a@contoso.com", id="A7-without-brackets"),
        pytest.param("<@relay example:a@contoso.com>", id="A7-bad-hop"),
        pytest.param("<@relay.example>", id="A7-no-colon"),
        pytest.param("   ", id="A10-only-spaces"),
        pytest.param("a@contoso.com..", id="A11-two-dots"),
        pytest.param("a@contoso.com(comment)", id="A13"),
        pytest.param("a(x@evil)@contoso.com", id="A13-local"),
        pytest.param("a@[40.95.1.01]", id="A14-bad-ipv4"),
        pytest.param("a@[2001:db8::1]", id="A14-untagged"),
        pytest.param("a@[IPv6:40.95.1.1]", id="A14-wrong-tag"),
        pytest.param("a@[40.95.1.1].", id="A14-trailing-dot"),
        pytest.param("a@[IPv6:fe80::1%eth0]", id="A14-scope"),
        pytest.param("a@xn--", id="A19"),
        pytest.param("a@contoso.com\0.evil.example", id="A20"),
        pytest.param("a\0@contoso.com", id="A20-local"),
        pytest.param("a@contoso.com\r\n", id="A21"),
        pytest.param('"a\r\n"@contoso.com', id="A21-quoted"),
        pytest.param('"a\\\n"@contoso.com', id="A21-escaped"),
        pytest.param("a@", id="A22-no-domain"),
        pytest.param("@contoso.com", id="A22-no-local"),
        pytest.param("a@b@", id="A22-two"),
        pytest.param("@", id="A22-alone"),
        pytest.param(".a@contoso.com", id="A22-leading-dot"),
        pytest.param("a.@contoso.com", id="A22-dot-before-at"),
        pytest.param("a..b@contoso.com", id="A22-two-dots"),
        pytest.param('"a@contoso.com', id="A22-open-quote"),
        pytest.param('"a"b@contoso.com', id="A22-after-quote"),
        pytest.param('"a\\"@contoso.com', id="A22-escaped-end"),
        pytest.param(f"a@d{LONG_LABEL}.example", id="A23-label"),
        pytest.param("l" * 65 + "@contoso.com", id="A23-local"),
        pytest.param(f"ll@{NAME_253}", id="A23-address"),
        pytest.param(f"a@{NAME_253}x", id="A23-name"),
        pytest.param("a" * 10_000_000 + "@contoso.com", id="A23-huge"),
        pytest.param("a@-contoso.com", id="A24-hyphen-first"),
        pytest.param("a@contoso-.com", id="A24-hyphen-last"),
        pytest.param("a@contoso..com", id="A24-empty-label"),
        pytest.param(b"a\xff@contoso.com", id="A28"),
        pytest.param(b"a@contos\xc0\xaf.com", id="A28-overlong"),
        pytest.param(b"a@\xed\xa0\x80.com", id="A28-surrogate"),
        pytest.param("a@\ud800.com", id="A28-lone-surrogate"),
    ],
)
def test_mailbox_refused(text: str | bytes) -> None:
    """What is outside the grammar is unusable, and nothing of it is given on."""
    assert ("unusable", b"", b"") == split_mailbox(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(NAME_253, ("domain", NAME_253), id="A23-name-253"),
        pytest.param(NAME_253 + ".", ("domain", NAME_253), id="A23-name-253-dot"),
        pytest.param(NAME_253 + "d", ("unusable", ""), id="A23-name-254"),
        pytest.param(" contoso.com", ("unusable", ""), id="no-trimming"),
        pytest.param("[40.95.1.1]", ("unusable", ""), id="no-literal"),
        pytest.param(".", ("unusable", ""), id="root"),
        pytest.param("40.95.1.1", ("domain", "40.95.1.1"), id="digits"),
    ],
)
def test_check_domain(text: str, expected: tuple[str, str]) -> None:
    """A bare domain keeps the limits of names and is not trimmed."""
    kind, domain = expected

    assert (kind, domain.encode()) == check_domain(text)


@pytest.mark.parametrize(
    ("address", "srs", "original"),
    [
        pytest.param("SRS0=HHH=TT=orig.example=user@contoso.com", True, "user@orig.example", id="A25"),
        pytest.param(
            "SRS1=HHH=fwd.example==HHH=TT=orig.example=user@contoso.com", True, "user@orig.example", id="A25-srs1"
        ),
        pytest.param("srs0+hhh=tt=orig.example=user@contoso.com", True, "user@orig.example", id="A25-folded"),
        pytest.param("a.b+SRS=44ldt=IX=fabrikam.com=bob@contoso.com", True, "bob@fabrikam.com", id="A25-exchange"),
        pytest.param("bounces+SRS=44ldt=IX@contoso.com", True, None, id="A25-holds-nobody"),
        pytest.param("SRS0=HHH=TT=-orig.example=user@contoso.com", True, None, id="A25-bad-domain"),
        pytest.param("user+caf_=x@contoso.com", False, None, id="A25-other-tag"),
        pytest.param("SRS0@contoso.com", False, None, id="A25-tag-alone"),
        pytest.param("SRS0=HHH=TT=orig.example=user", False, None, id="A25-no-address"),
    ],
)
def test_srs(address: str, srs: bool, original: str | None) -> None:
    """A rewritten address says whom it holds, whatever its hash."""
    assert (srs, original) == (is_srs(address), srs_original(address))


@pytest.fixture(params=["base", "sse42"])
def isa(request: pytest.FixtureRequest) -> None:
    """Each set of instructions; one that the processor lacks counts as base."""
    choose_isa(request.param)
    request.addfinalizer(lambda: choose_isa(""))


@pytest.mark.usefixtures("isa")
class TestAddress:
    """Addresses are what `ipaddress` takes, but no scope ids."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            pytest.param("40.95.0.0", "40.95.0.0", id="B1"),
            pytest.param("255.255.255.255", "255.255.255.255", id="B1-highest"),
            pytest.param("0.0.0.0", "0.0.0.0", id="B1-lowest"),
            pytest.param("::ffff:40.95.1.1", "40.95.1.1", id="B2-mapped"),
            pytest.param("::ffff:285f:101", "40.95.1.1", id="B2-mapped-hex"),
            pytest.param("64:ff9b::40.95.1.1", "64:ff9b::285f:101", id="B3"),
            pytest.param("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", id="B3-gap-of-one"),
            pytest.param("::", "::", id="B3-unspecified"),
        ],
    )
    def test_taken(self, text: str, expected: str) -> None:
        """The bytes are those of `ipaddress`; an IPv4-mapped address is the IPv4 one."""
        assert ipaddress.ip_address(expected).packed == parse_address(text)

    @pytest.mark.parametrize(
        "text",
        [
            *(pytest.param(t, id=f"B4-{t}") for t in ("040.95.1.1", "0x28.95.1.1", "40.95.257", "678363393")),
            *(pytest.param(t, id=f"B4-{t}") for t in ("40.95.1.256", "40.95.1", "40.95.1.1.", "40..1.1", "1.2.3.4.5")),
            *(pytest.param(t, id=f"B4-{t}") for t in (":1::", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::")),
            *(pytest.param(t, id=f"B4-{t}") for t in ("12345::", "::1.2.3.04", "1:", ":", "::g", "1:2:3:4:5:6:7")),
            *(pytest.param(t, id=f"B5-{t!r}") for t in ("40.95.1.1\n", " 40.95.1.1", "40.95.1.1\0", "[40.95.1.1]")),
            *(pytest.param(t, id=f"B5-{t!r}") for t in ("40.95.1.1:25", "40.95.1.0/24")),
            pytest.param("４０.95.1.1", id="B6-fullwidth"),
            pytest.param("٤٠.95.1.1", id="B6-arabic"),
            pytest.param("fe80::1%eth0", id="B7"),
            pytest.param("", id="B8"),
            pytest.param("1" * 10_000_000, id="B4-huge"),
        ],
    )
    def test_refused(self, text: str) -> None:
        """Nothing is guessed."""
        assert parse_address(text) is None


def packed(prefix: str) -> tuple[bytes, int]:
    """A prefix in CIDR notation as the table wants it."""
    network = ipaddress.ip_network(prefix)
    return network.network_address.packed, network.prefixlen


class TestPrefixTable:
    """Longest-prefix match with dates."""

    @pytest.mark.parametrize(
        ("address", "value"),
        [("40.94.255.255", None), ("40.95.0.0", RELAY), ("40.95.255.255", RELAY), ("40.96.0.0", None)],
        ids=["B1-before", "B1-first", "B1-last", "B1-after"],
    )
    def test_edges(self, address: str, value: int | None) -> None:
        """First and last address are in, their neighbours are out."""
        table = PrefixTable([(*packed("40.95.0.0/16"), None, None, RELAY)])

        assert value == table.lookup(address)

    @pytest.mark.parametrize("address", ["::ffff:40.95.1.1", "::ffff:285f:101"], ids=["B2", "B2-hex"])
    def test_mapped(self, address: str) -> None:
        """IPv4-mapped addresses are matched as IPv4."""
        table = PrefixTable([(*packed("40.95.0.0/16"), None, None, RELAY), (*packed("::/0"), None, None, NORMAL)])

        assert table.lookup(address) == RELAY

    def test_nat64(self) -> None:
        """B3: an address of NAT64 is an IPv6 address."""
        assert PrefixTable([(*packed("40.95.0.0/16"), None, None, RELAY)]).lookup("64:ff9b::40.95.1.1") is None

    def test_mapped_prefix(self) -> None:
        """B2: a prefix of mapped addresses is the IPv4 prefix."""
        assert PrefixTable([(*packed("::ffff:40.95.0.0/112"), None, None, RELAY)]).lookup("40.95.7.7") == RELAY

    def test_overlap_and_everything(self) -> None:
        """B9: the longest prefix stands, up to both ends of the address space."""
        nets = ["0.0.0.0/0", "255.255.255.255/32", "0.0.0.0/32", "::/0", "ffff::/16"]
        table = PrefixTable([(*packed(net), None, None, value) for value, net in enumerate(nets)])

        found = [table.lookup(a) for a in ("9.9.9.9", "255.255.255.255", "0.0.0.0", "::", "ffff:" * 7 + "ffff")]
        assert found == [0, 1, 2, 3, 4]

    def test_duplicate(self) -> None:
        """B9: of two entries with one prefix the later stands."""
        entries = [(*packed("40.95.0.0/16"), None, None, NORMAL), (*packed("40.95.0.0/16"), None, None, RELAY)]

        assert PrefixTable(entries).lookup("40.95.1.1") == RELAY

    def test_dates(self) -> None:
        """A period holds from `since` to before `until`; a longer prefix that does not hold hides nothing; no time means now."""
        entries = [
            (*packed("52.101.0.0/16"), None, None, 7),
            (*packed("52.101.0.0/17"), 10, 20, 8),
            (*packed("52.101.0.0/17"), 20, None, 9),
        ]
        table = PrefixTable(entries)

        assert [table.lookup("52.101.1.1", time) for time in (9, 10, 19, 20, None)] == [7, 8, 8, 9, 9]

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            pytest.param(
                (bytes([40, 95, 1, 0]), 16, None, None, 1), "prefix entry 0: host bits set", id="B9-host-bits"
            ),
            pytest.param((bytes(16), 129, None, None, 1), "prefix entry 0: found length 129", id="B9-length"),
            pytest.param((bytes(4), 33, None, None, 1), "prefix entry 0: bad length", id="B9-length-ipv4"),
            pytest.param((bytes(5), 3, None, None, 1), "prefix entry 0: found 5 bytes", id="B9-bytes"),
            pytest.param((bytes(4), 0, 20, 20, 1), "prefix entry 0: since is not before until", id="B9-reversed"),
        ],
    )
    def test_refused(self, entry: tuple[bytes, int, int | None, int | None, int], message: str) -> None:
        """A builder says what is wrong with which entry."""
        with pytest.raises(ValueError, match=message):
            PrefixTable([entry])


def test_domain_set() -> None:
    """An exact entry holds itself; one with subdomains any depth below; `covers` asks for any parent."""
    names = DomainSet([("contoso.com", False), ("lab.contoso.com", True), ("lab.contoso.com", False)])

    assert len(names) == 2
    assert names.contains("contoso.com")
    assert names.contains("a.b.lab.contoso.com")
    assert not names.contains("x.contoso.com")
    assert not names.contains("xlab.contoso.com")
    assert names.covers("x.contoso.com")
    assert not names.covers("com")
    assert not DomainSet().covers("contoso.com")


def test_dns_table() -> None:
    """Statements about a name come together under its canonical form; other types and unusable names are passed over."""
    table = DnsTable.build(
        ["contoso.com", "CONTOSO.com.", "contoso.com", "v6.example", "bad name", "_dmarc.contoso.com"],
        ["A", "MX", "AAAA", "AAAA", "A", "TXT"],
        ["absent", "present", "unknown", "present", "present", "present"],
        [False, True, False, False, False, False],
    )

    assert table.lookup("contoso.com") == ("absent", "present", "unknown", True)
    assert table.lookup("v6.example") == ("unlisted", "unlisted", "present", False)
    assert table.lookup("_dmarc.contoso.com") is None
    assert (len(table), table.left_out) == (2, 1)


def test_dns_table_from_buffers() -> None:
    """Offsets of 32 and 64 bits give the same table as the words do."""
    offsets = [0, 5, 5, 11]
    for width in (4, 8):
        joined = b"".join(offset.to_bytes(width, "little") for offset in offsets)
        table = DnsTable.build_buffers(b"a.comb.com.", joined, b"AAM", bytes([2, 1, 4]), bytes([0, 0, 1]))

        assert table.lookup("a.com") == ("present", "unlisted", "unlisted", False)
        assert table.lookup("b.com") == ("unlisted", "invalid", "unlisted", True)
        assert (len(table), table.left_out) == (2, 1)


@pytest.mark.parametrize("offsets", [[0, 9], [3, 1], [-1, 1]], ids=["beyond", "reversed", "negative"])
def test_dns_table_bad_offsets(offsets: list[int]) -> None:
    """Offsets are checked before anything is read."""
    raw = b"".join(offset.to_bytes(8, "little", signed=True) for offset in offsets)
    with pytest.raises(ValueError, match="DNS row 0: bad offsets"):
        DnsTable.build_buffers(b"a.com", raw, b"A", b"\x02", b"\x00")


def test_host_names() -> None:
    """The code in the label tells the pool; the digits of a bgr host are an address; elsewhere a host does not speak."""
    names = HostNames([".out.example"], {"on": 0, "hn": 1, "rln": 2, "rlnn": 2, "rlhn": 3, "eopbgr": 0, "bgr": 255})
    hosts = {
        "mail-sgaapc01on2049.out.example": (0, None),
        "MAIL-WESTCENTRALUSAZHN15012016.OUT.EXAMPLE.": (1, None),
        "mail-uaecentralazrln102200000.out.example": (2, None),
        "mail-lo2gbr01rlhn2162.out.example": (3, None),
        "mail-eopbgr790074.out.example": (0, None),
        "mail-bgr052100133062.out.example": (None, bytes([52, 100, 133, 62])),
        "mail-bgr052100133262.out.example": (None, None),
        "a.mail-sgaapc01on2049.out.example": (None, None),
        "mail-sgaapc01on2049.out.example.evil.example": (None, None),
        "mail-dm2pr0701cu00105.out.example": (None, None),
    }

    assert hosts == {host: names.lookup(host) for host in hosts}


def test_pool_names() -> None:
    """Whole names come before patterns, patterns in their order; case does not matter; an empty name does not speak."""
    names = PoolNames(
        {"RegularRelayOutboundPool": 2}, [("contains", ["relay", "highrisk"], 3), ("prefix", ["regular"], 0)]
    )

    assert [names.lookup(n) for n in ("REGULARRELAYOUTBOUNDPOOL", "HighRiskRelayPool", "RegularPool", "", "Odd")] == [
        2,
        3,
        0,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("550 SPF does not pass with ip: [40.95.31.57]. See", ["40.95.31.57"], id="reply"),
        pytest.param("{LED=ip 40.95.31.57.};{MSG=};{FQDN=h};{IP=192.0.2.1};", ["40.95.31.57"], id="braces"),
        pytest.param("192.0.2.1 {LED=no};{MSG=by 40.95.1.2}", ["40.95.1.2"], id="only-inside"),
        pytest.param("x [LastAttemptedIP=192.0.2.1:25] 40.95.1.2", ["40.95.1.2"], id="skipped"),
        pytest.param("40.95.1.2. OutboundProxyTargetIP: 192.0.2.1", ["40.95.1.2"], id="own-words"),
        pytest.param("v40.95.1.2 40.95.1.2-x _40.95.1.2 40.95.1.299", [], id="parts-of-words"),
        pytest.param("地址40.95.1.2被拒绝 2001:db8::1:", ["40.95.1.2", "2001:db8::1"], id="other-scripts"),
        pytest.param("{LED=40.95.1.2 and {IP=192.0.2.1", ["40.95.1.2"], id="unclosed"),
    ],
)
def test_reply_addresses(text: str, expected: list[str]) -> None:
    """Only the remote's own words count."""
    assert expected == reply_addresses(text)
