"""Records that try an SPF evaluator: limits of RFC 7208 section 4.6.4, macros, sizes, slow and greedy domain owners."""

import asyncio

import pytest

from poolsift.spf.evaluate import MOST_QUESTIONS, MOST_RECORD, MOST_TERM, SpfResult, evaluate
from tests.dns.virtual_clock import run_virtually
from tests.spf.zone import BatchedResolver, ask, zone

HOST = {"A": ["198.51.100.7"]}


def hosts(count, prefix="h"):
    """Names with an address that is not the client's."""
    return {f"{prefix}{number}.example": HOST for number in range(count)}


def terms(mechanism, count, prefix="h"):
    return " ".join(f"{mechanism}:{prefix}{number}.example" for number in range(count))


class TestLookups:
    """At most ten terms that need the DNS, counted over the whole tree."""

    def test_ten_terms_are_evaluated(self):
        """The tenth may be the one that decides."""
        found = ask(hosts(10) | {"example.com": f"v=spf1 {terms('a', 10)} -all"})

        assert (found.result, found.reason, found.lookups, found.queries) == (SpfResult.FAIL, "-all", 10, 11)

    def test_the_eleventh_term_is_a_permerror_and_not_asked_for(self):
        """Ten questions for terms and one for the record."""
        found = ask(hosts(11) | {"example.com": f"v=spf1 {terms('a', 11)} -all"})

        assert (found.result, found.reason, found.queries) == (SpfResult.PERMERROR, "Too many DNS lookups", 11)

    def test_a_match_before_the_eleventh_term_counts(self):
        """Terms after a match are not evaluated."""
        zone = hosts(11) | {"h3.example": {"A": ["192.0.2.1"]}, "example.com": f"v=spf1 {terms('a', 11)} -all"}

        assert (ask(zone).result, ask(zone).reason) == (SpfResult.PASS, "a:h3.example")

    def test_an_include_counts_with_the_terms_inside(self):
        """Five terms, an include and five more inside are eleven; the included permerror is the result."""
        inner = {"inner.example": f"v=spf1 {terms('a', 5, 'i')} -all"} | hosts(5, "i") | hosts(5)
        found = ask(inner | {"example.com": f"v=spf1 {terms('a', 5)} include:inner.example ip4:192.0.2.1 -all"})

        assert (found.result, found.lookups) == (SpfResult.PERMERROR, 11)

    @pytest.mark.parametrize("term", ["include:example.com", "include:%{d}", "include:%{o}", "redirect=example.com"])
    def test_a_record_that_includes_itself_is_a_permerror(self, term):
        """The limit ends it, and its record is asked for once."""
        found = ask({"example.com": f"v=spf1 {term}"})

        assert (found.result, found.queries) == (SpfResult.PERMERROR, 1)

    def test_two_records_that_include_each_other_are_a_permerror(self):
        """Each is asked for once."""
        found = ask({"example.com": "v=spf1 include:b.example", "b.example": "v=spf1 include:example.com"})

        assert (found.result, found.queries) == (SpfResult.PERMERROR, 2)


class TestVoids:
    """At most two terms that end in nothing."""

    @pytest.mark.parametrize("rest", ["", " ip4:192.0.2.1", " ~all"])
    def test_the_third_void_is_a_permerror_even_in_the_last_term(self, rest):
        """Whatever follows."""
        found = ask({"example.com": f"v=spf1 {terms('a', 3)}{rest}"})

        assert (found.result, found.voids) == (SpfResult.PERMERROR, 3)
        assert found.reason == "Void lookup limit of 2 exceeded"

    def test_two_voids_are_none_too_many(self):
        """The next term is evaluated."""
        found = ask({"example.com": f"v=spf1 {terms('exists', 2)} ip4:192.0.2.1 -all"})

        assert (found.result, found.voids) == (SpfResult.PASS, 2)


class TestHosts:
    """MX and PTR answers with many names."""

    @pytest.mark.parametrize(("count", "expected", "queries"), [(10, SpfResult.PASS, 12), (11, SpfResult.PERMERROR, 2)])
    def test_more_than_ten_mx_hosts_are_a_permerror(self, count, expected, queries):
        """And then none of their addresses is asked for (section 4.6.4)."""
        mx = {"example.com": {"TXT": ["v=spf1 mx -all"], "MX": [f"10 h{number}.example" for number in range(count)]}}
        found = ask(hosts(count) | {"h9.example": {"A": ["192.0.2.1"]}} | mx)

        assert (found.result, found.queries) == (expected, queries)

    def test_a_null_mx_matches_nothing_and_is_not_void(self):
        """A record is there, it names no host (RFC 7505)."""
        found = ask({"example.com": {"TXT": ["v=spf1 mx -all"], "MX": ["0 ."]}})

        assert (found.result, found.voids, found.queries) == (SpfResult.FAIL, 0, 2)

    @pytest.mark.parametrize(("address", "expected"), [("192.0.2.1", SpfResult.PASS), ("192.0.2.2", SpfResult.FAIL)])
    def test_ptr_counts_only_names_that_lead_back(self, address, expected):
        """A name below the domain is believed if its address is the client's (section 5.5)."""
        zone = {
            "example.com": "v=spf1 ptr -all",
            "1.2.0.192.in-addr.arpa": {"PTR": ["mail.example.com"]},
            "mail.example.com": {"A": [address]},
        }

        assert ask(zone).result == expected

    def test_of_many_ptr_names_ten_are_looked_at(self):
        """The rest is ignored, without an error (section 4.6.4)."""
        names = {f"h{number:02}.example.com": {"A": ["192.0.2.2"]} for number in range(12)}
        names["h11.example.com"] = {"A": ["192.0.2.1"]}
        found = ask(names | {"1.2.0.192.in-addr.arpa": {"PTR": list(names)}, "example.com": "v=spf1 ptr -all"})

        assert (found.result, found.queries) == (SpfResult.FAIL, 12)


class TestMacros:
    def test_d_is_the_domain_of_the_record_it_stands_in(self):
        """In a nested include it is the included one, while %{o} stays the sender's (section 7.2)."""
        found = ask(
            {
                "example.com": "v=spf1 include:outer.example -all",
                "outer.example": "v=spf1 include:inner.%{d} -all",
                "inner.outer.example": "v=spf1 exists:%{o}.seen.%{d} -all",
                "example.com.seen.inner.outer.example": {"A": ["127.0.0.2"]},
            }
        )

        assert (found.result, found.reason) == (SpfResult.PASS, "include:outer.example")

    def test_h_is_the_helo_name(self):
        """Also while the identity is MAIL FROM."""
        zone = {"example.com": "v=spf1 exists:%{h}.hosts.example -all", "mail.example.org.hosts.example": HOST}

        assert ask(zone, helo="mail.example.org").result == SpfResult.PASS
        assert ask(zone, helo="mail.example.org.").result == SpfResult.PASS
        assert ask(zone, helo="other.example.org").result == SpfResult.FAIL

    @pytest.mark.parametrize("macro", ["%{h}", "%{H}", "%{h1r}", "%{h-.+}"])
    def test_h_of_a_helo_that_was_not_recorded_is_unknown_where_it_is_reached(self, macro):
        """Not recorded is not empty; a match before it stands."""
        late = {"example.com": f"v=spf1 ip4:192.0.2.1 exists:{macro}.hosts.example -all"}

        assert ask(late, helo=None).result == SpfResult.PASS
        assert ask(late, client_ip="192.0.2.2", helo=None).result == SpfResult.TEMPERROR

    def test_names_beyond_253_characters_lose_labels_on_the_left(self):
        """As many as it takes (section 7.3)."""
        labels = ".".join(["a" * 60] * 6)
        kept = f"{'.'.join(['a' * 60] * 3)}.long.example"

        assert ask({"example.com": f"v=spf1 exists:{labels}.long.example -all", kept: HOST}).result == SpfResult.PASS

    @pytest.mark.parametrize("term", ["exists:%{l}.%{d}", "exists:%{h}.%{d}"])
    def test_a_name_that_no_packet_can_carry_matches_nothing(self, term):
        """Non-ASCII local parts (RFC 8616 section 4) and labels that are empty or too long; nothing is asked."""
        for word in ("jürgen", "a..b", "x" * 64):
            found = ask({"example.com": f"v=spf1 {term} -all"}, helo=word, mail_from_local=word)

            assert (found.result, found.voids, found.queries) == (SpfResult.FAIL, 0, 1)


class TestRecords:
    @pytest.mark.parametrize("version", ["v=spf1", "V=sPF1"])
    def test_a_megabyte_of_spf_is_a_permerror(self, version):
        """It is not worked through: the owner does not decide how long we compute."""
        found = ask({"example.com": f"{version} " + "ip4:198.51.100.0/24 " * 50_000 + "-all"})

        assert (found.result, found.queries) == (SpfResult.PERMERROR, 1)
        assert found.reason == f"SPF record of 1000011 characters, at most {MOST_RECORD} are read"

    def test_a_megabyte_of_other_text_is_ignored(self):
        """Only records that begin as SPF does are read."""
        other = "x" * 1_000_000

        assert ask({"example.com": {"TXT": [other, "v=spf1 ip4:192.0.2.1 -all"]}}).result == SpfResult.PASS

    @pytest.mark.parametrize(
        ("length", "expected"), [(MOST_TERM, SpfResult.PASS), (MOST_TERM + 1, SpfResult.PERMERROR)]
    )
    def test_a_term_has_a_greatest_length(self, length, expected):
        """Below it even an unknown modifier of that length is skipped."""
        assert ask({"example.com": f"v=spf1 {'x=':y<{length}} ip4:192.0.2.1"}).result == expected

    def test_the_longest_record_is_read(self):
        """Its last term decides."""
        record = f"{'v=spf1':<{MOST_RECORD - 14}} ip4:192.0.2.1"

        assert len(record) == MOST_RECORD
        assert ask({"example.com": record}).result == SpfResult.PASS

    def test_two_records_are_a_permerror(self):
        """Even where both would say pass (section 4.5)."""
        found = ask({"example.com": {"TXT": ["v=spf1 +all", "v=spf1 ip4:192.0.2.1 -all"]}})

        assert (found.result, found.reason) == (SpfResult.PERMERROR, "Two or more type TXT spf records found.")

    @pytest.mark.parametrize("character", ["é", "ÿ", "\udcff", "☃"])
    def test_a_record_that_is_not_ascii_is_a_permerror(self, character):
        """Whatever the bytes were; another TXT may hold them (section 3.1)."""
        beside = {"example.com": {"TXT": [f"caf{character}", "v=spf1 ip4:192.0.2.1 -all"]}}

        assert ask({"example.com": f"v=spf1 ip4:192.0.2.1 a:{character}.example"}).result == SpfResult.PERMERROR
        assert ask(beside).result == SpfResult.PASS

    @pytest.mark.parametrize("text", ["v=spf10 +all", "v=spf1\t+all", "spf1 +all", " v=spf1 +all", "v=spf2.0/pra +all"])
    def test_another_version_is_no_record(self, text):
        """The version is exactly v=spf1 and ends with a space or the record (section 4.5)."""
        assert (ask({"example.com": text}).result, ask({"example.com": text}).reason) == ("none", "no SPF record")

    def test_the_version_alone_is_a_record(self):
        """Without terms the result is neutral (section 4.7); letters count in either case."""
        assert ask({"example.com": "V=SPF1"}).result == SpfResult.NEUTRAL


class TestOwnersWhoTakeOurTime:
    @pytest.mark.parametrize(
        "chain", ["include:i{}.example", "redirect=i{}.example", "a:i{}.example include:i{}.example"]
    )
    def test_an_answer_every_three_seconds_ends_after_twenty(self, chain):
        """The time is one for the whole tree, not one a question (section 4.6.4)."""
        names = ["example.com", *(f"i{number}.example" for number in range(20))]
        records = {
            name: {"TXT": ["v=spf1 " + chain.format(number, number)], "A": ["198.51.100.7"]}
            for number, name in enumerate(names)
        }
        slow = BatchedResolver(records, seconds=3.0)

        async def timed():
            start = asyncio.get_running_loop().time()
            found = await evaluate("192.0.2.1", "example.com", None, slow)
            return found, asyncio.get_running_loop().time() - start

        found, seconds = run_virtually(timed())

        assert (found.result, found.reason) == (SpfResult.TEMPERROR, "timeout: no result within 20 s")
        assert (seconds, len(slow.asked), found.queries) == (20.0, 7, 6)

    def test_six_answers_of_three_seconds_are_in_time(self):
        """Slow is not wrong: below the budget the result stands."""
        records = {f"h{number}.example": HOST for number in range(5)}
        records["example.com"] = f"v=spf1 {terms('a', 5)} -all"

        assert run_virtually(slowly(records, 3.0)).result == SpfResult.FAIL

    def test_a_tree_within_the_limits_may_need_every_question(self):
        """The record, ten MX terms and ten hosts of each."""
        zone = full_tree()
        found = ask(zone)

        assert (found.result, found.queries) == (SpfResult.FAIL, MOST_QUESTIONS)

    def test_no_tree_gets_more_questions(self):
        """%{p} needs eleven more; the RFC counts it among the terms, so the limit is passed."""
        tree = full_tree(first="mx:%{p}.m0.example")
        tree["1.2.0.192.in-addr.arpa"] = {"PTR": [f"p{number}.example" for number in range(10)]}
        tree |= hosts(10, "p")
        tree["unknown.m0.example"] = tree["m0.example"]
        resolver = zone(tree)
        found = ask(resolver)

        assert (found.result, found.reason) == (SpfResult.PERMERROR, f"more than {MOST_QUESTIONS} questions")
        assert 100 < found.queries == len(resolver.asked) <= MOST_QUESTIONS

    def test_nothing_is_asked_twice(self):
        """However often a name stands in the tree."""
        tree = {"example.com": "v=spf1 a:h0.example include:b.example a:h0.example -all"} | hosts(1)
        tree["b.example"] = "v=spf1 a:h0.example include:c.example -all"
        tree["c.example"] = "v=spf1 a:h0.example -all"
        resolver = zone(tree)

        assert ask(resolver).result == SpfResult.FAIL
        assert len(resolver.asked) == len(set(resolver.asked)) == 4


async def slowly(records, seconds):
    return await evaluate("192.0.2.1", "example.com", None, BatchedResolver(records, seconds))


def full_tree(first="mx:m0.example"):
    """Ten MX terms with ten hosts each, none of them the client."""
    tree = {"example.com": f"v=spf1 {first} {' '.join(f'mx:m{n}.example' for n in range(1, 10))} -all"}
    for term in range(10):
        tree[f"m{term}.example"] = {"MX": [f"10 h{host}.m{term}.example" for host in range(10)]}
        tree |= {f"h{host}.m{term}.example": HOST for host in range(10)}
    return tree
