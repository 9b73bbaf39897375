"""Compiled records by hand-made zones: what each term does to which addresses, and what cannot be compiled."""

import ipaddress

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Reason, unknown
from poolsift.dns.judge import MAX_RECORDS
from poolsift.records import SPF_WORDS
from poolsift.spf.compile import NotCompiled, Program
from poolsift.spf.evaluate import MOST_RECORD, MOST_TERM
from tests.spf.programs import compiled, disagreements, with_answers, words_at

NONE, PERMERROR = (SPF_WORDS.index(word) + 1 for word in ("none", "permerror"))


def starts_of(*addresses):
    return tuple(int(ipaddress.ip_address(address)) for address in addresses)


class TestTerms:
    """Each zone is compiled and asked for addresses; the program must also agree with the evaluator on its borders."""

    @pytest.mark.parametrize(
        ("record", "expected"),
        [
            ("v=spf1", {"192.0.2.1": "neutral"}),
            ("v=spf1 -all", {"0.0.0.0": "fail", "255.255.255.255": "fail", "::": "fail"}),
            ("V=SPF1  IP4:192.0.2.0/24   -ALL", {"192.0.2.255": "pass", "192.0.3.0": "fail"}),
            ("v=spf1 ip4:192.0.2.77/24 ~all", {"192.0.2.0": "pass", "192.0.1.255": "softfail"}),
            ("v=spf1 ip4:0.0.0.0/0", {"0.0.0.0": "pass", "255.255.255.255": "pass", "2001:db8::": "neutral"}),
            ("v=spf1 ip6:2001:db8::/32 -all", {"2001:db8:ffff::": "pass", "2001:db9::": "fail", "192.0.2.1": "fail"}),
            ("v=spf1 -ip4:192.0.2.128/25 ip4:192.0.2.0/24", {"192.0.2.127": "pass", "192.0.2.128": "fail"}),
            ("v=spf1 ip4:192.0.2.0/24 -ip4:192.0.2.128/25", {"192.0.2.200": "pass"}),
            (
                "v=spf1 ?ip4:192.0.2.9 -ip4:192.0.2.8/30 ~ip4:192.0.2.0/24 -all",
                {"192.0.2.9": "neutral", "192.0.2.11": "fail", "192.0.2.12": "softfail", "192.0.3.0": "fail"},
            ),
            ("v=spf1 -all ip4:192.0.2.1", {"192.0.2.1": "fail"}),
            ("v=spf1 ip4:192.0.2.1 foo", {"192.0.2.1": "permerror", "192.0.2.2": "permerror"}),
            ("v=spf1 ip4:192.0.2.1 -all ip4:192.0.2.1/33", {"192.0.2.1": "permerror"}),
            ("v=spf1 ip4:192.0.2.1 exp=%{i}.example foo=%{l} -all", {"192.0.2.1": "pass", "192.0.2.2": "fail"}),
            ("v=spf1 ip4:192.0.2.1 exp=%{ -all", {"192.0.2.1": "permerror"}),
            ("v=spf1 ip4:192.0.2.1 foo=1 foo=2", {"192.0.2.1": "permerror"}),
            ("v=spf1 op=auth default=pass", {"192.0.2.1": "neutral"}),
            ("v=spf1 a:%{c}.example", {"192.0.2.1": "permerror"}),
            ("v=spf1 ip4:192.0.2.1 ip4:192.0.2.2\n -all", {"192.0.2.1": "pass", "192.0.2.2": "permerror"}),
            ("v=spf10 -all", {"192.0.2.1": "none"}),
            ("v=spf1\n", {"192.0.2.1": "none"}),
        ],
    )
    def test_a_record_alone(self, record, expected):
        """Order, qualifiers, families, and the syntax of the whole record before any term."""
        records = {"example.com": record}

        assert dict(zip(expected, words_at(records, *expected), strict=True)) == expected
        assert disagreements(records) == []

    @pytest.mark.parametrize(
        ("record", "expected"),
        [
            ("v=spf1 a -all", {"192.0.2.1": "pass", "192.0.2.2": "fail", "2001:db8::1": "pass", "2001:db8::2": "fail"}),
            ("v=spf1 -a/24//64 ~all", {"192.0.2.99": "fail", "192.0.3.0": "softfail", "2001:db8::ffff": "fail"}),
            ("v=spf1 a/24 -all", {"192.0.2.99": "pass", "2001:db8::2": "fail"}),
            ("v=spf1 a:%{d2}//0 -all", {"2001:db9::": "pass", "192.0.2.2": "fail"}),
            ("v=spf1 mx -all", {"198.51.100.1": "pass", "198.51.100.2": "pass", "2001:db8::1": "fail"}),
            ("v=spf1 mx/30 -all", {"198.51.100.0": "pass", "198.51.100.3": "pass", "198.51.100.4": "fail"}),
            ("v=spf1 exists:%{o} -all", {"203.0.113.1": "pass", "2001:db8::2": "pass"}),
            ("v=spf1 exists:%{v}.example.com -all", {"203.0.113.1": "fail", "2001:db8::2": "pass"}),
            ("v=spf1 exists:no.example ip4:192.0.2.1 -all", {"192.0.2.1": "pass", "192.0.2.2": "fail"}),
        ],
    )
    def test_a_record_with_hosts(self, record, expected):
        """Prefix lengths of either family, MX hosts, and names that are the same for every message."""
        records = {
            "example.com": {"TXT": [record], "A": ["192.0.2.1"], "AAAA": ["2001:db8::1"], "MX": ["10 h1.example", "20 H2.example"]},
            "h1.example": {"A": ["198.51.100.1"]},
            "h2.example": {"A": ["198.51.100.2"]},
            "ip6.example.com": {"A": ["127.0.0.2"]},
        }  # fmt: skip

        assert dict(zip(expected, words_at(records, *expected), strict=True)) == expected
        assert disagreements(records) == []

    @pytest.mark.parametrize(
        ("inner", "expected"),
        [
            ("v=spf1 ip4:192.0.2.1 -all", ["softfail", "fail"]),
            ("v=spf1 -ip4:192.0.2.1 ?all", ["fail", "fail"]),
            ("v=spf1 ~ip4:192.0.2.1 +all", ["fail", "softfail"]),
            ("v=spf1 ip4:192.0.2.1 foo", ["permerror", "permerror"]),
            ("v=spf1\n", ["permerror", "permerror"]),
            ("no SPF", ["permerror", "permerror"]),
            ("v=spf1 ip4:192.0.2.1 include:none.example", ["softfail", "permerror"]),
            ("v=spf1 ip4:192.0.2.1 redirect=none.example", ["softfail", "permerror"]),
            ("v=spf1 ip4:192.0.2.1 redirect=more.example", ["softfail", "softfail"]),
        ],
    )
    def test_an_include_matches_where_its_record_passes(self, inner, expected):
        """A match gives the qualifier of the include; other results go on; errors and none are the result."""
        records = {
            "example.com": "v=spf1 ~include:inner.example -all",
            "inner.example": inner,
            "more.example": "v=spf1 ip4:198.51.100.0/24",
        }

        assert words_at(records, "192.0.2.1", "198.51.100.1") == expected
        assert disagreements(records) == []

    @pytest.mark.parametrize(
        ("record", "other", "expected"),
        [
            ("v=spf1 ip4:192.0.2.1 redirect=other.example", "v=spf1 -ip4:192.0.2.0/24", ["pass", "fail", "neutral"]),
            ("v=spf1 redirect=other.example ip4:192.0.2.1", "v=spf1 ~all", ["pass", "softfail", "softfail"]),
            ("v=spf1 ip4:192.0.2.1 ?all redirect=other.example", "v=spf1 -all", ["pass", "neutral", "neutral"]),
            ("v=spf1 ip4:192.0.2.1 redirect=other.example", "nothing", ["pass", "permerror", "permerror"]),
            ("v=spf1 ip4:192.0.2.1 redirect=other.example", "v=spf1\n", ["pass", "none", "none"]),
            ("v=spf1 ip4:192.0.2.1 redirect=", "v=spf1 -all", ["permerror"] * 3),
            ("v=spf1 redirect=other.example redirect=other.example", "v=spf1 -all", ["permerror"] * 3),
        ],
    )
    def test_a_redirect_counts_where_nothing_matches(self, record, other, expected):
        """And then is the result, whatever it is; a domain without a record is an error."""
        records = {"example.com": record, "other.example": other}

        assert words_at(records, "192.0.2.1", "192.0.2.2", "198.51.100.1") == expected
        assert disagreements(records) == []

    def test_an_address_of_the_other_family_matches_nobody(self):
        """Should a table ever hold one; what cannot be widened or is no address is an error for whoever comes to it."""
        other = {"example.com": {"TXT": ["v=spf1 a/0 -all"], "A": ["2001:db8::1"], "AAAA": ["192.0.2.1"]}}
        broken = {"example.com": {"TXT": ["v=spf1 ip4:192.0.2.1 a -all"], "A": ["192.0.2.300"]}}

        assert words_at(other, "192.0.2.1", "2001:db8::1") == ["fail", "permerror"]
        assert words_at(broken, "192.0.2.1", "192.0.2.2") == ["pass", "permerror"]
        assert disagreements(other) == disagreements(broken, families=[4]) == []

    def test_origin_and_current_domain_differ_in_an_include(self):
        """``o`` stays, ``d`` follows; an include of the domain itself is an error only as it is written there."""
        inner = "v=spf1 a:%{o} a:%{d} -all"
        records = {
            "example.com": {"TXT": ["v=spf1 include:inner.example -all"], "A": ["192.0.2.1"]},
            "inner.example": {"TXT": [inner], "A": ["192.0.2.2"]},
            "fabrikam.com": {"TXT": ["v=spf1 include:inner.example -all"], "A": ["192.0.2.3"]},
            "itself.example": "v=spf1 ip4:192.0.2.1 include:itself.example",
            "also.example": "v=spf1 ip4:192.0.2.1 include:Also.example",
        }
        addresses = ("192.0.2.1", "192.0.2.2", "192.0.2.3")

        assert words_at(records, *addresses) == ["pass", "pass", "fail"]
        assert words_at(records, *addresses, domain="fabrikam.com") == ["fail", "pass", "pass"]
        assert words_at(records, *addresses[:2], domain="itself.example") == ["permerror", "permerror"]
        assert words_at(records, *addresses[:2], domain="also.example") == ["pass", "permerror"]

    def test_several_records_are_an_error_and_other_texts_none(self):
        """Section 4.5."""
        several = {"TXT": ["v=spf1 -all", "V=spf1 +all", "else"]}

        assert words_at({"example.com": several}, "192.0.2.1") == ["permerror"]
        assert words_at({"example.com": {"TXT": ["else", "v=spf1 -all"]}}, "192.0.2.1") == ["fail"]
        assert compiled({}) == Program((0,), bytes([NONE]))

    @pytest.mark.parametrize("domain", ["localhost", "[192.0.2.1]", "192.0.2.1"])
    def test_what_is_no_domain_has_no_result(self, domain):
        """Nobody is asked."""
        batches = []

        assert compiled({domain: "v=spf1 +all"}, domain, batches=batches) == Program((0,), bytes([NONE]))
        assert batches == []

    def test_records_beyond_the_lengths_that_are_read_are_errors(self):
        """As for a single message."""
        for record in (f"v=spf1 a:{'a' * MOST_TERM}", "v=spf1 " + "-all " * (MOST_RECORD // 5)):
            assert compiled({"example.com": record}) == Program((0,), bytes([PERMERROR]))

    def test_segments_are_the_fewest(self):
        """Neighbours with one result are one segment, though different terms gave it."""
        record = "v=spf1 ip4:192.0.2.0/25 include:a.example ip4:192.0.3.0/24 -all"
        program = compiled({"example.com": record, "a.example": "v=spf1 ip4:192.0.2.128/25"})

        assert program == Program((0, *starts_of("192.0.2.0", "192.0.4.0")), b"\2\1\2")


class TestUnknownAnswers:
    """An unknown answer is a temperror, for whoever comes to it."""

    @pytest.mark.parametrize(
        ("term", "question"),
        [
            ("a", ("example.com", "A")),
            ("mx", ("example.com", "MX")),
            ("mx:m.example", ("h.example", "A")),
            ("exists:e.example", ("e.example", "A")),
            ("include:e.example", ("e.example", "TXT")),
            ("include:i.example", ("e.example", "TXT")),
            ("redirect=e.example", ("e.example", "TXT")),
        ],
    )
    @pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.NOT_LISTED])
    def test_only_the_addresses_that_come_to_it_are_concerned(self, term, question, reason):
        """Those that matched before know their result."""
        records = {
            "example.com": f"v=spf1 ip4:192.0.2.0/24 {term}",
            "i.example": "v=spf1 -ip4:203.0.113.0/24 include:e.example",
            "m.example": {"MX": ["10 h.example"]},
        }
        resolver = with_answers(records, {question: unknown(reason)})

        assert words_at(resolver, "192.0.2.1", "198.51.100.1") == ["pass", "temperror"]
        assert disagreements(resolver) == []

    def test_the_record_of_the_domain_itself(self):
        """Nobody knows anything."""
        assert words_at(with_answers({}, {("example.com", "TXT"): unknown(Reason.SERVFAIL)}), "192.0.2.1") == [
            "temperror"
        ]

    def test_answers_that_are_not_all_there(self):
        """Cut at the most records kept, or only counted."""
        many = Answer(AnswerStatus.PRESENT, tuple(f"192.0.2.{n}" for n in range(MAX_RECORDS)))
        for answer in (many, Answer(AnswerStatus.PRESENT)):
            resolver = with_answers({"example.com": "v=spf1 a -all"}, {("example.com", "A"): answer})

            assert words_at(resolver, "192.0.2.1", "192.0.2.255") == ["temperror", "temperror"]


class TestNotCompiled:
    """Trees whose result depends on more than the client address."""

    @pytest.mark.parametrize(
        ("record", "reason", "needs_local"),
        [
            ("v=spf1 ptr -all", "ptr", False),
            ("v=spf1 ip4:192.0.2.1 exists:%{i}.example -all", "macro %{i}", False),
            ("v=spf1 a:%{h}", "macro %{h}", False),
            ("v=spf1 a:%{d}.%{ir}.%{l}.example", "macro %{i}", True),
            ("v=spf1 exists:%{L}.example", "macro %{l}", True),
            ("v=spf1 mx:%{s}.example", "macro %{s}", True),
            ("v=spf1 a:%{l0}", "macro %{l}", True),
            ("v=spf1 exists:%{p}.example", "macro %{p}", False),
            ("v=spf1 exp=%{p}.example -all", "macro %{p}", False),
            ("v=spf1 include:%{i}.example -all", "macro %{i}", True),
            ("v=spf1 redirect=%{i}.example", "macro %{i}", True),
            ("v=spf1 include:ptr.example -all", "ptr", False),
            ("v=spf1 redirect=ptr.example", "ptr", False),
            ("v=spf1 ptr include:local.example -all", "ptr", True),
            ("v=spf1 include:ptr.example include:local.example", "ptr", True),
        ],
    )
    def test_the_reason_and_the_part_that_the_local_part_may_have(self, record, reason, needs_local):
        """The first thing that is not static names it; all of the tree says whether the local part counts."""
        records = {
            "example.com": record,
            "ptr.example": "v=spf1 ip4:192.0.2.1 ptr",
            "local.example": "v=spf1 exists:%{l}.x.example",
        }

        assert compiled(records) == NotCompiled(reason, needs_local)

    def test_what_an_unknown_answer_hides_may_ask_for_the_local_part(self):
        """It may be known by the time that the messages are evaluated."""
        records = {"example.com": "v=spf1 ptr a include:local.example", "local.example": "v=spf1 exists:%{l}.x.example"}
        resolver = with_answers(records, {("example.com", "A"): unknown(Reason.TIMEOUT)})

        assert compiled(resolver) == NotCompiled("ptr", needs_local=True)

    @pytest.mark.parametrize(
        "record",
        [
            "v=spf1 ip4:192.0.2.1 -all ptr exists:%{i}.example",
            "v=spf1 ip4:0.0.0.0/0 ip6:::/0 ptr",
            "v=spf1 include:all.example ptr",
            "v=spf1 ptr foo",
            "v=spf1 -all redirect=%{i}.example",
        ],
    )
    def test_what_no_address_comes_to_does_not_count(self, record):
        """Terms behind the last match, and records that are errors anyway."""
        records = {"example.com": record, "all.example": "v=spf1 +all"}

        assert isinstance(compiled(records), Program)
        assert disagreements(records) == []
