"""Limits along the path of each address, what is asked, and what a compiler remembers."""

import pytest

from poolsift.dns.answers import Reason, unknown
from poolsift.spf import segments, tree
from poolsift.spf.branches import Branch, Branches
from poolsift.spf.compile import Compiler, NotCompiled, Program
from poolsift.spf.evaluate import MOST_QUESTIONS
from poolsift.spf.segments import everywhere
from poolsift.spf.step import step
from tests.spf.programs import compiled, disagreements, with_answers, word_at, words_at

ELSEWHERE = {"A": ["198.51.100.7"], "AAAA": ["2001:db8:7::7"]}


def hosts(count, prefix="h"):
    """Names with an address that no test asks for."""
    return {f"{prefix}{number}.example": ELSEWHERE for number in range(count)}


def terms(mechanism, count, prefix="h"):
    return " ".join(f"{mechanism}:{prefix}{number}.example" for number in range(count))


class TestLookups:
    """At most ten terms that need the DNS, for each address on its own way."""

    def test_the_eleventh_is_an_error_for_those_that_come_to_it(self):
        """Ten are evaluated; whoever matched before is not concerned."""
        records = hosts(11) | {
            "example.com": f"v=spf1 {terms('a', 10)} -all",
            "fabrikam.com": f"v=spf1 ip4:192.0.2.1 {terms('a', 11)} -all",
        }

        assert words_at(records, "192.0.2.1", "198.51.100.7") == ["fail", "pass"]
        assert words_at(records, "192.0.2.1", "192.0.2.2", "198.51.100.7", domain="fabrikam.com") == [
            "pass", "permerror", "pass",
        ]  # fmt: skip
        assert disagreements(records) == disagreements(records, "fabrikam.com") == []

    def test_a_redirect_counts_even_if_it_is_not_followed(self):
        """pyspf counts it while it checks the syntax, before any term."""
        records = hosts(10) | {"example.com": f"v=spf1 ip4:192.0.2.1 {terms('a', 10)} -all redirect=x.example"}

        assert words_at(records, "192.0.2.1", "192.0.2.2") == ["pass", "permerror"]
        assert disagreements(records) == []

    def test_an_include_that_an_address_leaves_early_costs_it_less(self):
        """``inner`` rejects half of the addresses before its four look-ups; only the others run out of them."""
        records = hosts(7) | {
            "example.com": f"v=spf1 include:inner.example {terms('a', 6)} ?all",
            "inner.example": f"v=spf1 -ip4:0.0.0.0/1 {terms('a', 4)} -all",
        }

        assert words_at(records, "100.64.0.1", "192.0.2.1") == ["neutral", "permerror"]
        assert disagreements(records) == []

    @pytest.mark.parametrize("between", ["inner.example", "include.example", "redirect.example"])
    def test_a_record_is_followed_as_far_as_whoever_comes_to_it_may_go(self, between):
        """First met with one look-up left, where it runs into the limit, then with nine; in this order and the other."""
        records = hosts(7) | {
            "late.example": f"v=spf1 {terms('a', 7)} include:{between} -all",
            "soon.example": f"v=spf1 include:{between} -all",
            "include.example": "v=spf1 include:inner.example -all",
            "redirect.example": "v=spf1 redirect=inner.example",
            "inner.example": f"v=spf1 ip4:192.0.2.1 {terms('a', 3)} ~all",
        }
        expected = {"late.example": ["pass", "permerror"], "soon.example": ["pass", "fail"]}
        for order in (["late.example", "soon.example"], ["soon.example", "late.example"]):
            compiler = Compiler()
            found = {
                domain: words_at(records, "192.0.2.1", "192.0.2.2", domain=domain, compiler=compiler)
                for domain in order
            }

            assert found == expected

    @pytest.mark.parametrize("term", ["include", "redirect"])
    def test_a_loop_ends_at_the_limit(self, term):
        """Its records are asked for once; addresses that match on the way know their result."""
        sign = {"include": ":", "redirect": "="}[term]
        records = {
            "example.com": "v=spf1 ip4:192.0.2.1 include:b.example",
            "b.example": f"v=spf1 ip4:192.0.2.2 {term}{sign}c.example",
            "c.example": f"v=spf1 -ip4:192.0.2.3 {term}{sign}b.example",
        }
        batches = []
        program = compiled(records, batches=batches)

        assert [word_at(program, f"192.0.2.{n}") for n in (1, 2, 3, 4)] == ["pass", "pass", "neutral", "permerror"]
        assert batches == [[(name, "TXT")] for name in records]
        assert disagreements(records) == []

    def test_a_redirect_beyond_the_limit_is_not_asked_for(self):
        """The error comes with the syntax of its record, whatever the other one says."""
        records = hosts(9) | {
            "example.com": f"v=spf1 {terms('a', 9)} include:i.example",
            "i.example": "v=spf1 redirect=x.example",
        }
        resolver = with_answers(records, {("x.example", "TXT"): unknown(Reason.TIMEOUT)})
        batches = []

        assert words_at(resolver, "192.0.2.1", batches=batches) == ["permerror"]
        assert ("x.example", "TXT") not in [question for batch in batches for question in batch]
        assert disagreements(resolver) == []


class TestVoids:
    """At most two look-ups that end in nothing, for each address on its own way."""

    @pytest.mark.parametrize("void", ["a:x.example", "mx:x.example", "exists:x.example"])
    def test_the_third_is_an_error_for_those_that_come_to_it(self, void):
        """Repeated ones count each time."""
        records = {"example.com": f"v=spf1 {void} {void} ip4:192.0.2.1 {void} -all"}

        assert words_at(records, "192.0.2.1", "192.0.2.2") == ["pass", "permerror"]
        assert disagreements(records) == []

    def test_those_of_an_include_count_for_whoever_went_through_them(self):
        """Half of the addresses leave the include before its two."""
        records = {
            "example.com": "v=spf1 include:inner.example a:x.example -all",
            "inner.example": "v=spf1 ?ip4:0.0.0.0/1 a:x.example a:y.example",
        }

        assert words_at(records, "100.64.0.1", "192.0.2.1") == ["fail", "permerror"]
        assert disagreements(records) == []

    @pytest.mark.parametrize(
        ("unknown_host", "expected"), [("10 u.example", "temperror"), ("40 u.example", "permerror")]
    )
    def test_hosts_of_an_mx_are_taken_in_their_order(self, unknown_host, expected):
        """The limit may be reached before the host whose addresses are unknown; a null MX has no host to look up."""
        mx = {"MX": ["0 .", "20 x.example", "20 y.example", "30 z.example", unknown_host]}
        resolver = with_answers(
            {"example.com": "v=spf1 ip4:192.0.2.1 mx:m.example", "m.example": mx},
            {("u.example", "A"): unknown(Reason.TIMEOUT)},
        )

        assert words_at(resolver, "192.0.2.1", "192.0.2.2") == ["pass", expected]
        assert disagreements(resolver, families=[4]) == []

    def test_voids_before_an_unknown_host_count_with_those_before_the_term(self):
        """Two terms and one host are three, before anybody asks for the unknown host."""
        mx = {"MX": ["10 z.example", "20 u.example"]}
        resolver = with_answers(
            {"example.com": "v=spf1 ?ip4:0.0.0.0/1 a:x.example a:x.example mx:m.example", "m.example": mx},
            {("u.example", "A"): unknown(Reason.TIMEOUT)},
        )

        assert words_at(resolver, "100.64.0.1", "192.0.2.2") == ["neutral", "permerror"]
        assert disagreements(resolver, families=[4]) == []

    def test_more_than_ten_mx_hosts_are_an_error(self):
        """Section 4.6.4; ten are looked up."""
        ten = {"MX": [f"10 h{n}.example" for n in range(10)]}
        eleven = {"MX": [f"10 h{n}.example" for n in range(11)]}
        records = hosts(11) | {"ten.example": ten, "eleven.example": eleven}

        assert words_at(records | {"example.com": "v=spf1 mx:ten.example -all"}, "192.0.2.1", "198.51.100.7") == [
            "fail",
            "pass",
        ]
        assert words_at(records | {"example.com": "v=spf1 mx:eleven.example -all"}, "198.51.100.7") == ["permerror"]


class TestQuestions:
    def test_all_terms_of_a_record_are_asked_for_together(self):
        """As far as look-ups reach; then the hosts of an MX."""
        records = {
            "example.com": {"TXT": ["v=spf1 a include:i.example mx exists:e.example ip4:192.0.2.1 -all"], "MX": ["1 m.example", "2 n.example"]},
            "i.example": "v=spf1 -all",
        }  # fmt: skip
        batches = []
        compiled(records, batches=batches)

        assert batches == [
            [("example.com", "TXT")],
            [("example.com", "A"), ("i.example", "TXT"), ("example.com", "MX"), ("e.example", "A")],
            [("m.example", "A"), ("n.example", "A")],
        ]

    def test_terms_beyond_the_limit_are_not_asked_for(self):
        """Nor those behind ``all``."""
        batches = []
        compiled(hosts(12) | {"example.com": f"v=spf1 {terms('a', 12)}"}, batches=batches)

        assert batches[1:] == [[(f"h{number}.example", "A") for number in range(10)]]

    def test_a_tree_of_too_many_questions_is_not_compiled(self):
        """Half of the addresses leave each include before its hosts, so that all includes are reached: 99 + 88 + …"""
        inner = {f"h{n}.example": f"v=spf1 ?ip4:0.0.0.0/1 {terms('mx', 9, f'x{n}y')}" for n in range(10)}
        routes = {
            f"x{n}y{m}.example": {"MX": [f"1 z{n}y{m}y{k}.example" for k in range(10)]}
            for n in range(10)
            for m in range(9)
        }
        exchanges = {host.split()[1]: ELSEWHERE for route in routes.values() for host in route["MX"]}
        records = inner | routes | exchanges
        batches = []

        assert isinstance(
            compiled(records | {"example.com": "v=spf1 include:h0.example -all"}, batches=batches), Program
        )
        assert sum(map(len, batches)) == 1 + 1 + 9 * 11
        batches.clear()
        assert compiled(records | {"example.com": f"v=spf1 {terms('include', 10)}"}, batches=batches) == NotCompiled(
            "size", needs_local=True
        )
        assert 100 < sum(map(len, batches)) <= MOST_QUESTIONS

    @pytest.mark.parametrize(("module", "limit"), [(segments, "MOST_SEGMENTS"), (tree, "MOST_WORK")])
    def test_a_tree_of_too_many_segments_is_not_compiled(self, monkeypatch, module, limit):
        """Nor one that takes too much work."""
        records = {"example.com": "v=spf1 " + " ".join(f"ip4:192.0.2.{n}" for n in range(0, 100, 2)) + " -all"}

        assert len(compiled(records).starts) == 101
        monkeypatch.setattr(module, limit, 100)
        assert compiled(records) == NotCompiled("size", needs_local=True)

    def test_characters_are_work_too(self, monkeypatch):
        """A record may be long without having a single term."""
        monkeypatch.setattr(tree, "MOST_WORK", 100)

        assert compiled({"example.com": f"v=spf1 x={'y' * 100}"}) == NotCompiled("size", needs_local=True)


class TestMemory:
    """What a compiler remembers spares questions and never changes a result."""

    RECORDS = {
        "example.com": "v=spf1 include:shared.example -all",
        "fabrikam.com": "v=spf1 ~include:shared.example ?all",
        "shared.example": "v=spf1 ip4:192.0.2.0/24 include:below.example",
        "below.example": "v=spf1 ip4:198.51.100.0/24",
    }

    def test_an_include_of_many_domains_is_asked_for_once(self):
        """With all that is below it, for each family on its own."""
        compiler, batches = Compiler(), []
        compiled(self.RECORDS, compiler=compiler)
        program = compiled(self.RECORDS, "fabrikam.com", compiler=compiler, batches=batches)

        assert batches == [[("fabrikam.com", "TXT")]]
        assert program == compiled(self.RECORDS, "fabrikam.com")

    @pytest.mark.parametrize(
        "term", ["include:below.example", "a:below.example", "mx:below.example", "redirect=below.example"]
    )
    def test_a_branch_with_an_unknown_answer_is_asked_for_again(self, term):
        """A failure of a moment does not stay with every domain of a run."""
        records = self.RECORDS | {"shared.example": f"v=spf1 ip4:192.0.2.0/24 {term}"}
        records["below.example"] = {"TXT": ["v=spf1 -all"], "A": ["198.51.100.1"], "MX": ["1 below.example"]}
        failing = with_answers(
            records, {("below.example", kind): unknown(Reason.TIMEOUT) for kind in ("TXT", "A", "MX")}
        )
        compiler = Compiler()

        assert words_at(failing, "192.0.2.1", "203.0.113.1", compiler=compiler) == ["pass", "temperror"]
        assert words_at(records, "203.0.113.1", domain="fabrikam.com", compiler=compiler) == ["neutral"]

    def test_a_branch_that_asks_for_its_origin_is_not_shared(self):
        """``%{o}`` of another domain leads elsewhere; a branch that does not is shared."""
        records = {
            "example.com": {"TXT": ["v=spf1 include:inner.example -all"], "A": ["192.0.2.1"]},
            "fabrikam.com": {"TXT": ["v=spf1 include:inner.example -all"], "A": ["192.0.2.2"]},
            "inner.example": "v=spf1 redirect=last.example",
            "last.example": "v=spf1 a:%{o} -all",
        }
        compiler = Compiler()
        found = [
            words_at(records, "192.0.2.1", "192.0.2.2", domain=domain, compiler=compiler)
            for domain in ("example.com", "fabrikam.com")
        ]

        assert found == [["pass", "fail"], ["fail", "pass"]]

    def test_generators_under_way_together_do_not_disturb_one_another(self):
        """Two domains with one include, each a question behind the other."""
        compiler = Compiler()
        first, second = compiler.compile("example.com", 4), compiler.compile("fabrikam.com", 4)
        waiting = [(first, next(first)), (second, next(second))]
        ended = []
        while waiting:
            asking, questions = waiting.pop(0)
            try:
                answers = [with_answers(self.RECORDS, {})._answers[question] for question in questions]
                waiting.append((asking, asking.send(answers)))
            except StopIteration as end:
                ended.append(end.value)

        assert ended == [compiled(self.RECORDS, domain) for domain in ("example.com", "fabrikam.com")]

    def test_the_longest_unused_branches_go_first(self):
        """So that memory is bounded by segments, whatever domains there are."""
        branches = Branches(most=3 * 17)
        branch = Branch(everywhere(step(0)))
        for name in ("a.example", "b.example", "c.example"):
            branches.add(4, name, "example.com", branch)
        branches.get(4, "a.example", "example.com", 10)
        branches.add(4, "d.example", "example.com", branch)
        branches.add(4, "d.example", "example.com", branch)

        assert [branches.get(4, f"{name}.example", "example.com", 10) is None for name in "abcd"] == [
            False,
            True,
            False,
            False,
        ]
        assert len(branches) == 3
