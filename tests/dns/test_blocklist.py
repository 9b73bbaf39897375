"""Blocklists without a network: the names that are asked, and what an answer may and may not mean."""

import ipaddress

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Reason, unknown
from poolsift.dns.blocklist import (
    Listing,
    ZoneState,
    blocklist_zone,
    is_asked_about,
    judge_zone,
    listing_name,
    probing_questions,
    read_listing,
    with_text,
)
from poolsift.errors import UsageError


def present(*rdata):
    return Answer(AnswerStatus.PRESENT, rdata)


NXDOMAIN = Answer(AnswerStatus.ABSENT, reason=Reason.NXDOMAIN)
NODATA = Answer(AnswerStatus.ABSENT, reason=Reason.NODATA)
TIMEOUT = unknown(Reason.TIMEOUT)
LISTED = present("127.0.0.2")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.99", "99.2.0.192.bl.example"),
        ("127.0.0.2", "2.0.0.127.bl.example"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example",
        ),
    ],
)
def test_addresses_are_asked_from_the_last_octet_or_nibble(address, name):
    """The examples of RFC 5782 sections 2.1 and 2.4."""
    assert name == listing_name(ipaddress.ip_address(address), "bl.example")


@pytest.mark.parametrize("address", ["40.107.1.2", "2.0.0.127", "2a01:111:f403:a000::1", "2001:4860:4860::8888"])
def test_a_listing_name_is_the_reverse_name_without_its_suffix(address):
    """The order is that of in-addr.arpa and ip6.arpa."""
    reverse = ipaddress.ip_address(address).reverse_pointer

    assert f"{reverse.rsplit('.', 2)[0]}.bl.example" == listing_name(ipaddress.ip_address(address), "bl.example")


@pytest.mark.parametrize(
    ("answer", "listing"),
    [
        (LISTED, Listing(True, codes=("127.0.0.2",))),
        (present("127.0.0.10", "127.0.0.4"), Listing(True, codes=("127.0.0.10", "127.0.0.4"))),
        (NXDOMAIN, Listing(False, "nxdomain")),
        (NODATA, Listing(None, "nodata")),
        (present("127.255.255.254"), Listing(None, "refused_by_zone", ("127.255.255.254",))),
        (present("127.255.255.0"), Listing(None, "refused_by_zone", ("127.255.255.0",))),
        (present("127.255.254.255"), Listing(True, codes=("127.255.254.255",))),
        (present("127.0.0.2", "127.255.255.255"), Listing(None, "refused_by_zone", ("127.0.0.2", "127.255.255.255"))),
        (present("203.0.113.80"), Listing(None, "not_a_blocklist_answer", ("203.0.113.80",))),
        (present("127.0.0.2", "203.0.113.80"), Listing(None, "not_a_blocklist_answer", ("127.0.0.2", "203.0.113.80"))),
        (present(), Listing(None, "not_a_blocklist_answer")),
        (TIMEOUT, Listing(None, "timeout")),
        (unknown(Reason.HIJACKED), Listing(None, "hijacked")),
        (Answer(AnswerStatus.INVALID, reason=Reason.SYNTAX), Listing(None, "syntax")),
    ],
)
def test_only_codes_of_the_range_list_and_only_nxdomain_clears(answer, listing):
    """Everything else is unknown and says why; the codes are kept."""
    assert listing == read_listing(answer)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in {Reason.NXDOMAIN, Reason.NODATA}])
def test_no_failure_ever_clears_an_address(reason):
    """An unknown answer is unknown, whatever the reason."""
    assert (None, reason) == read_listing(unknown(reason))[:2]


def test_the_text_of_a_listing_is_kept_and_its_failure_changes_nothing():
    """Several TXT records are lines; a TXT that could not be heard leaves the address listed."""
    listing = read_listing(LISTED)

    assert with_text(listing, present("first", "second")).text == "first\nsecond"
    assert listing == with_text(listing, TIMEOUT)


def test_a_zone_is_tested_at_the_points_of_the_standard():
    """RFC 5782 section 5: 127.0.0.2 and .1, and ::FFFF:7F00:2 and :1."""
    nibbles = ".".join("0" * 20)

    assert [
        "2.0.0.127.bl.example",
        "1.0.0.127.bl.example",
        f"2.0.0.0.0.0.f.7.f.f.f.f.{nibbles}.bl.example",
        f"1.0.0.0.0.0.f.7.f.f.f.f.{nibbles}.bl.example",
    ] == [question.name for question in probing_questions("bl.example")]


@pytest.mark.parametrize(
    ("answers", "problem", "ipv6"),
    [
        ([LISTED, NXDOMAIN, LISTED, NXDOMAIN], None, None),
        ([LISTED, NXDOMAIN, NXDOMAIN, NXDOMAIN], None, "no_ipv6"),
        ([LISTED, NXDOMAIN, LISTED, LISTED], None, "zone_test_failed"),
        ([LISTED, NXDOMAIN, TIMEOUT, NXDOMAIN], None, "zone_test_failed"),
        ([LISTED, NXDOMAIN, NODATA, NODATA], None, "zone_test_failed"),
        ([NXDOMAIN, NXDOMAIN, NXDOMAIN, NXDOMAIN], "127.0.0.2 is not listed", "no_ipv6"),
        ([LISTED, LISTED, LISTED, LISTED], "127.0.0.1 is listed", "zone_test_failed"),
        ([LISTED, TIMEOUT, LISTED, NXDOMAIN], "127.0.0.1 could not be looked up (timeout)", None),
        ([present("127.255.255.254")] * 4, "(refused_by_zone: 127.255.255.254)", "zone_test_failed"),
        ([present("203.0.113.80")] * 4, "(not_a_blocklist_answer: 203.0.113.80)", "zone_test_failed"),
    ],
)
def test_a_zone_must_list_the_one_and_not_the_other(answers, problem, ipv6):
    """What is not seen at the test points makes every answer of that kind unknown."""
    state = judge_zone("bl.example", answers)

    assert problem == state.problem or problem in state.problem
    assert ipv6 == state.ipv6_reason


def test_a_zone_is_not_asked_what_it_cannot_say():
    """A broken zone about nothing, one without IPv6 about IPv4 only."""
    old, new = ipaddress.ip_address("40.107.1.2"), ipaddress.ip_address("2a01:111:f403:a000::1")
    broken, plain, whole = ZoneState("a", "p"), ZoneState("a", None, "no_ipv6"), ZoneState("a")

    assert ["zone_test_failed"] * 2 == [broken.hindrance(old), broken.hindrance(new)]
    assert [None, "no_ipv6"] == [plain.hindrance(old), plain.hindrance(new)]
    assert [None, None] == [whole.hindrance(old), whole.hindrance(new)]


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        ("40.107.1.2", True), ("2a01:111:f403:a000::1", True), ("10.0.0.1", False), ("127.0.0.2", False),
        ("192.168.1.1", False), ("169.254.1.1", False), ("100.64.0.1", False), ("224.0.0.5", False), ("0.0.0.0", False),
        ("192.0.2.1", False), ("::1", False), ("fe80::1", False), ("fd00::1", False), ("ff02::1", False),
    ],
)  # fmt: skip
def test_only_routed_addresses_are_asked_about(address, asked):
    """Private, loopback, link-local, shared, documentation and multicast addresses are in no public list."""
    assert asked is is_asked_about(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("BL.Example.", "bl.example"),
        (" zen.bl.example ", "zen.bl.example"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_zones_are_canonical(text, zone):
    """Case, the final dot and the script do not matter."""
    assert zone == blocklist_zone(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bl",
        "bl..example",
        "-",
        "127.0.0.1",
        "bl.local",
        "bl.example/24",
        "x" * 64 + ".example",
        "a." * 95 + "example",
    ],
)
def test_what_is_no_zone_is_refused_by_name(text):
    """An error says which zone and what was expected."""
    with pytest.raises(UsageError, match="--zone") as caught:
        blocklist_zone(text)

    assert caught.value.expected
