"""Compiled SPF against pyspf: every edge of every table, addresses of the zone and random ones."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.compare_spf import Tally, compare_tree, run
from tests.reference.spf_compile import Compiled, compiled
from tests.reference.spf_query import WORDS, Records
from tests.reference.spf_sides import compare, driven
from tests.reference.spf_suite import through_compiler
from tests.reference.spf_zone import Tree
from tests.spf.test_rfc7208_suite import load
from tests.strategies_spf import trees


@pytest.fixture
def compiler():
    from poolsift.spf.compile import Compiler

    return Compiler()


def test_sixty_trees_compile_to_what_pyspf_says():
    """Every domain of each tree, both families, one compiler a tree."""
    tally = Tally()
    for number in range(60):
        tally.add(compare_tree(f"fast {number}", 12))

    assert [str(difference) for difference in tally.shown] == []
    assert tally.pairs > 6_000
    assert len(tally.words) == 7


def test_what_depends_on_the_address_alone_compiles():
    """A record tree without macros of the message, `ptr` and loops is never left to be evaluated tuple by tuple."""
    tally = Tally()
    for number in range(60):
        tally.add(compare_tree(f"static {number}", 0))

    assert tally.static_left == []
    assert tally.compiled > 300


@settings(max_examples=30)
@given(tree=trees(), random=st.randoms(use_true_random=False))
def test_any_tree_compiles_to_what_pyspf_says(tree, random):
    """A failure shrinks to few records."""
    from poolsift.spf.compile import Compiler

    compiler = Compiler()
    outcomes = [compare(tree, tree.top, family, compiler, random, 6) for family in (4, 6)]

    assert [str(difference) for outcome in outcomes for difference in outcome.differences] == []


def test_one_compiler_gives_the_same_tables_in_any_order():
    """What it remembers of shared includes changes no table."""
    from poolsift.spf.compile import Compiler

    wrong = []
    for number in range(20):
        tree = shared_tree(number)
        jobs = [(domain, family) for domain in tree.domains() for family in (4, 6)]
        together = Compiler()
        for domain, family in [*jobs, *reversed(jobs)]:
            alone = driven(Compiler().compile(domain, family), tree.answers)
            if merged(driven(together.compile(domain, family), tree.answers)) != merged(alone):
                wrong.append((number, domain, family))

    assert wrong == []


def merged(table):
    """The same table without starts at which nothing changes; what is no table stays as it is."""
    if hasattr(table, "reason"):
        return table
    pairs = list(zip(table.starts, table.words, strict=True))
    kept = [pairs[0], *(pair for before, pair in pairwise(pairs) if before[1] != pair[1])]
    return Compiled(tuple(start for start, _ in kept), bytes(word for _, word in kept))


def shared_tree(number: int) -> Tree:
    """A record of several look-ups and voids that others include early, late, twice, and after eight look-ups."""
    tree = Tree("shared by hand")
    tree.record(
        "s.example", ["a:h0.example", "ip4:192.0.2.0/28", "a:gone.example", "a:h1.example", f"ip4:203.0.113.{number}"]
    )
    tree.record(
        "twice.example", ["ip4:192.0.2.8/29", "include:s.example", "-ip4:192.0.2.16/30", "include:s.example", "~all"]
    )
    eight = [f"a:h{at % 3}.example" for at in range(number % 9)]
    tree.record("top.example", [*eight, "include:s.example", "redirect=twice.example"])
    for at in range(3):
        tree.put(f"h{at}.example", "A", f"198.51.100.{at}")
        tree.put(f"h{at}.example", "AAAA", f"2001:db8::{at}")
    return tree


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("domain", ["example", "localhost"])
def test_what_is_no_domain_of_several_labels_has_no_record(compiler, domain, family):
    """As in the evaluator; nobody is asked."""
    program = driven(compiler.compile(domain, family), lambda questions: 1 / 0)

    assert (program.starts, bytes(program.words)) == ((0,), bytes([WORDS.index("none")]))


def test_the_whole_address_space_is_covered(compiler):
    """Networks at both ends, whole halves, and one address each."""
    tree = Tree("ends")
    last = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    terms = ["ip4:0.0.0.0", "-ip4:255.255.255.255", "?ip4:128.0.0.0/1", "ip6:::", f"-ip6:{last}", "?ip6:8000::/1"]
    tree.record("top.example", [*terms, "~all"])
    found = {family: merged(driven(compiler.compile("top.example", family), tree.answers)) for family in (4, 6)}

    assert found == {family: compiled(Records(tree.ask), "top.example", family) for family in (4, 6)}
    assert found[4] == Compiled((0, 1, 1 << 31, (1 << 32) - 1), bytes([1, 3, 4, 2]))
    assert found[6] == Compiled((0, 1, 1 << 127, (1 << 128) - 1), bytes([1, 3, 4, 2]))


@pytest.fixture(scope="module")
def suited(shared):
    """Every test of the suite of RFC 7208 by the compiler."""
    return [through_compiler(case) for case in load(shared / "spf" / "rfc7208-tests.yml")]


def test_the_suite_of_rfc_7208_comes_out_as_by_the_evaluator(suited):
    """Wherever a test compiles, its table holds the preferred result."""
    wrong = [one for one in suited if one.compiled and one.compiled != one.evaluated]

    assert wrong == []
    assert sum(one.preferred for one in suited) == 203


def test_every_static_test_of_the_suite_compiles(suited):
    """Those that do not have a macro of the message, `ptr`, a loop, or no domain."""
    left = Counter(one.reason for one in suited if one.static and not one.compiled)

    assert left == {}
    assert sum(bool(one.compiled) for one in suited) >= sum(one.static for one in suited) > 140


@pytest.mark.nightly
def test_a_million_pairs_of_domain_and_address():
    """At least two hundred trees; two processes."""
    tally = run(1_000_000, 20_260_701, 2)

    assert [str(difference) for difference in tally.shown] == []
    assert tally.static_left == []
    assert tally.trees >= 200
    assert tally.pairs >= 1_000_000
