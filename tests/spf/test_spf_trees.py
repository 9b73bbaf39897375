"""The random SPF trees are as nasty as they are meant to be, and the slow side of the comparison is itself right."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given

from poolsift.dns.answers import Question
from tests.reference.spf_compile import BITS, Compiled, address_text, compiled
from tests.reference.spf_query import WORDS, Plain, Records, Watched
from tests.reference.spf_shapes import SHAPES
from tests.reference.spf_sides import HELO, drawn, evaluated, near
from tests.reference.spf_trees import draw_tree
from tests.reference.spf_zone import NOTHING, Tree
from tests.strategies_spf import trees

TREES = [draw_tree(Random(f"census {number}")) for number in range(300)]


def tables():
    """(tree, family, the table by pyspf) for every tree and family that has one."""
    for tree in TREES:
        records = Records(tree.ask)
        for family in (4, 6):
            table = compiled(records, tree.top, family)
            if isinstance(table, Compiled):
                yield tree, family, table


@pytest.fixture(scope="module")
def drawn_tables():
    return list(tables())


def test_every_shape_and_kind_of_answer_is_drawn():
    """Among them unknown, unlisted and refused answers, and answers cut at their greatest size."""
    shapes = Counter(tree.shape for tree in TREES)
    answers = [answer for tree in TREES for answer in tree.zone.values()]

    assert shapes.keys() == {shape.__name__ for shape, _, _ in SHAPES}
    assert {str(answer.status) for answer in answers} == {"present", "absent", "unknown", "invalid"}
    assert {len(answer.rdata) for answer in answers} >= {0, 1, 2, 3, 10, 11, 12, 63, 64}


def test_every_word_comes_out_and_most_tables_have_several(drawn_tables):
    """A tree in which all addresses have one result tries little."""
    words = Counter(word for _, _, table in drawn_tables for word in set(table.words))
    several = sum(len(table.starts) > 1 for _, _, table in drawn_tables)

    assert words.keys() == set(range(1, 8))
    assert several > len(drawn_tables) / 2


def test_the_limits_are_met_exactly_and_passed_by_one(drawn_tables):
    """Ten look-ups and two voids, eleven and three, and in some trees for a part of the addresses only."""
    lookups, voids, parted = set(), set(), 0
    for tree, family, table in drawn_tables:
        passed = set()
        for start in table.starts:
            query = Plain(Records(tree.ask), tree.top, address_text(start, family))
            query.word()
            lookups.add(query.lookups)
            voids.add(query.void_lookups)
            passed.add(query.lookups > 10 or query.void_lookups > 2)
        parted += len(passed) == 2

    assert (max(lookups), max(voids)) == (11, 3)
    assert lookups == set(range(12))
    assert voids == set(range(4))
    assert parted >= 20


def test_most_trees_are_static_and_some_depend_on_the_message():
    """The first must compile, the second must not where it matters."""
    static = sum(tree.is_static(tree.top) for tree in TREES)
    dynamic = [tree for tree in TREES if not isinstance(compiled(Records(tree.ask), tree.top, 4), Compiled)]

    assert static > len(TREES) / 2
    assert len(dynamic) >= 10
    assert not any(tree.is_static(tree.top) for tree in dynamic)


def test_records_that_lead_back_are_not_static():
    """Through redirect and through include, in any spelling; a name made by a macro may lead anywhere."""
    tree = Tree("by hand")
    tree.record("a.example", ["include:B.example.", "-all"])
    tree.record("b.example", ["redirect=a.example"])
    tree.record("c.example", ["include:%{d}.example"])
    tree.record("d.example", ["a", "mx:b.example", "include:e.example", "-all"])

    assert [tree.is_static(name) for name in ("a.example", "b.example", "c.example", "d.example")] == [
        False,
        False,
        False,
        True,
    ]


def test_the_same_seed_gives_the_same_tree():
    """So that a difference can be looked at again."""
    assert str(draw_tree(Random("again"))) == str(draw_tree(Random("again")))


def some_numbers(tree, family, seed, count):
    """Addresses of the zone and others."""
    random = Random(seed)
    zone = [number for number in near(tree, family, random) if 0 <= number < 1 << BITS[family]]
    return random.sample(zone, min(len(zone), count)) + list(drawn(random, family, count))


@pytest.mark.parametrize("family", [4, 6])
def test_bare_pyspf_says_what_the_evaluator_says(family):
    """Over all domains of a tree; bare pyspf then stands for the evaluator, which is slower."""
    wrong = []
    for tree in TREES[:60]:
        for domain in tree.domains()[:3]:
            addresses = [address_text(number, family) for number in some_numbers(tree, family, domain, 2)]
            for helo in (None, HELO):
                plain = [Plain(Records(tree.ask), domain, address, helo).word() for address in addresses]
                found = evaluated(tree, domain, addresses, helo)
                wrong += [(str(tree), domain, addresses)] if plain != found else []

    assert wrong == []


@given(tree=trees())
def test_the_slow_table_holds_everywhere(tree):
    """Every address has the word of its interval, whatever the tree."""
    records = Records(tree.ask)
    wrong = []
    for family in (4, 6):
        table = compiled(records, tree.top, family)
        for number in some_numbers(tree, family, 1, 10) if isinstance(table, Compiled) else ():
            address = address_text(number, family)
            if "::ffff:" not in address and WORDS[table.word(number)] != Plain(records, tree.top, address).word():
                wrong.append((family, address))

    assert (wrong, str(tree)) == ([], str(tree))


def test_a_watched_query_tells_what_it_rested_on():
    """Networks as (first, one past the last); the macros that were met, whether names of the client were asked for."""
    tree = Tree("by hand")
    tree.record("top.example", ["ip4:192.0.2.77/24", "exists:%{L}.%{d}.%{h1r}", "ptr", "ip4:203.0.113.1"])
    early = Watched(Records(tree.ask), "top.example", "192.0.2.1")
    late = Watched(Records(tree.ask), "top.example", "198.51.100.1", HELO)
    words = [early.word(), late.word()]

    assert words == ["pass", "neutral"]
    assert early.networks == {(0xC0000200, 0xC0000300)}
    assert len(late.networks) == 2
    assert late.macros == {"l", "h"}
    assert (early.names_of_client, late.names_of_client) == (False, True)


def test_what_a_tree_does_not_hold_does_not_exist():
    """One answer a question, in their order."""
    tree = Tree("by hand")
    tree.put("A.example", "A", "192.0.2.2", "192.0.2.1")
    answers = tree.answers([Question("b.example", "A"), Question("a.example", "A")])

    assert answers[0] is NOTHING
    assert answers[1].rdata == ("192.0.2.1", "192.0.2.2")
