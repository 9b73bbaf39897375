"""The native table of SPF results against its slow twin: programs, what does not compile, outcomes, growth."""

from bisect import bisect_right
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.spf_compile import BITS, Compiled, address_text, compiled, readable
from tests.reference.spf_query import Records
from tests.reference.spf_sides import drawn
from tests.reference.spf_table import SlowTable
from tests.reference.spf_trees import draw_tree
from tests.strategies_spf import tables


def native():
    from poolsift._native.nouns import SpfTable

    return SpfTable()


@pytest.fixture
def both():
    """The native table and its twin."""
    return native(), SlowTable()


def packed(starts, family) -> bytes:
    return b"".join(start.to_bytes(BITS[family] // 8, "big") for start in starts)


def edges(starts, family) -> list[int]:
    """Each start, the address before it, and the last address of all."""
    near = {number for start in starts for number in (start - 1, start, start + 1)} | {(1 << BITS[family]) - 1}
    return [number for number in sorted(near) if readable(number, family)]


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_the_word_is_that_of_the_last_start_not_behind_the_address(family, data):
    """At every edge and elsewhere, as bisection finds it; the other family knows nothing."""
    table = data.draw(tables(family))
    spf = native()
    spf.add("a.example", family, packed(table.starts, family), table.words)
    numbers = edges(table.starts, family)
    expected = [table.words[bisect_right(table.starts, number) - 1] for number in numbers]

    assert [spf.lookup("a.example", address_text(number, family)) for number in numbers] == expected
    assert spf.lookup("a.example", "2001:db8::1" if family == 4 else "192.0.2.1") is None
    assert spf.lookup("b.example", address_text(0, family)) is None


def filled(both, count):
    """Both tables with every domain of so many trees: programs, marks and outcomes. Returns what was added."""
    added, random = [], Random(7)
    for number in range(count):
        tree = draw_tree(Random(f"table {number}"))
        for domain in tree.domains():
            name = f"{number}.{domain}"
            for family in (4, 6):
                table = compiled(Records(tree.ask), domain, family)
                added.append((name, family, table))
                for spf in both:
                    if isinstance(table, Compiled):
                        spf.add(name, family, packed(table.starts, family), table.words)
                    else:
                        spf.add_uncompiled(name, family, bool(table.macros & {"l", "s"}))
                if not isinstance(table, Compiled):
                    give_outcomes(both, name, family, bool(table.macros & {"l", "s"}), random)
    return added


def give_outcomes(both, name, family, needs_local, random):
    """Results of some tuples."""
    for number in [0, (1 << BITS[family]) - 1, *drawn(random, family, 5)]:
        helo, local = random.choice(["", "mail.example.com"]), random.choice(["ann", "bob"]) if needs_local else ""
        word = random.randint(1, 7)
        for spf in both:
            spf.add_outcome(name, address_text(number, family), helo, local, word)


def test_a_table_of_many_names_says_what_its_twin_says(both):
    """At every edge of every program, and for tuples with and without an outcome."""
    fast, slow = both
    added = filled(both, 40)
    wrong, known = [], 0
    for name, family, table in added:
        numbers = edges(table.starts, family) if isinstance(table, Compiled) else edges([0], family)
        for number in numbers:
            for helo, local in (("", ""), ("mail.example.com", ""), ("", "ann"), ("mail.example.com", "bob")):
                address = address_text(number, family)
                expected = slow.lookup(name, address, helo, local)
                known += expected is not None
                if fast.lookup(name, address, helo, local) != expected:
                    wrong.append((name, address, helo, local, expected))

    assert wrong == []
    assert known > 1_000


def test_outcomes_are_kept_by_address_helo_and_local_part(both):
    """Each of the three tells tuples apart; what was not added is not known."""
    fast, slow = both
    for spf in both:
        spf.add_uncompiled("a.example", 4, True)
        spf.add_uncompiled("b.example", 4, False)
        spf.add_outcome("a.example", "192.0.2.1", "mail.example.com", "ann", 1)
        spf.add_outcome("a.example", "192.0.2.1", "mail.example.com", "bob", 2)
        spf.add_outcome("a.example", "192.0.2.1", "", "ann", 3)
        spf.add_outcome("b.example", "192.0.2.1", "", "", 4)
    asked = [
        (name, address, helo, local)
        for name in ("a.example", "b.example")
        for address in ("192.0.2.1", "192.0.2.2")
        for helo in ("", "mail.example.com", "other.example.com")
        for local in ("", "ann", "bob")
    ]

    assert [fast.lookup(*one) for one in asked] == [slow.lookup(*one) for one in asked]
    assert [fast.lookup("a.example", "192.0.2.1", "mail.example.com", local) for local in ("ann", "bob")] == [1, 2]


def test_an_address_that_stands_for_ipv4_is_looked_up_as_ipv4(both):
    """In every form, also in outcomes."""
    fast, _ = both
    fast.add("a.example", 4, packed([0, 0xC0000201, 0xC0000202], 4), bytes([2, 1, 3]))
    fast.add("a.example", 6, packed([0], 6), bytes([5]))
    fast.add_uncompiled("b.example", 4, False)
    fast.add_outcome("b.example", "::ffff:192.0.2.1", "", "", 6)

    assert [fast.lookup("a.example", text) for text in ("::ffff:192.0.2.1", "::FFFF:c000:202", "::ffff:0:0")] == [
        1,
        3,
        2,
    ]
    assert fast.lookup("a.example", "::fffe:ffff:ffff") == 5
    assert fast.lookup("b.example", "192.0.2.1") == 6


def test_many_at_once_are_the_same_words_and_zero_where_nothing_is_known(both):
    """Addresses of 16 bytes each, IPv4 as mapped."""
    fast, slow = both
    added, random = filled(both, 10), Random(3)
    names, addresses = [], []
    for name, family, _ in added:
        for number in drawn(random, family, 4):
            names.append(name if random.random() < 0.9 else "not.there.example")
            addresses.append(address_text(number, family))
    blob = b"".join(mapped(address) for address in addresses)
    expected = [slow.lookup(name, address) or 0 for name, address in zip(names, addresses, strict=True)]

    assert list(fast.lookup_many(names, blob)) == expected
    assert 0 in expected
    assert fast.lookup_many([], b"") == b""


def mapped(text: str) -> bytes:
    address = ip_address(text)
    return b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def test_identical_programs_are_stored_once(both):
    """A second name with the same table adds no program; another table does."""
    fast, slow = both
    counts = []
    for name, words in (("a.example", [1, 2]), ("b.example", [1, 2]), ("c.example", [1, 3])):
        for spf in both:
            spf.add(name, 4, packed([0, 77], 4), bytes(words))
        counts.append((fast.programs, fast.segments, slow.programs, slow.segments))

    assert counts == [(1, 2, 1, 2), (1, 2, 1, 2), (2, 4, 2, 4)]
    assert [fast.lookup(name, "0.0.0.77") for name in ("a.example", "b.example", "c.example")] == [2, 2, 3]


def test_a_cleared_table_knows_nothing_and_can_be_filled_again(both):
    """Programs, marks and outcomes go."""
    fast, slow = both
    filled(both, 10)
    counts = [(spf.programs, spf.segments, spf.outcomes) for spf in both]
    fast.clear()
    empty = (fast.programs, fast.segments, fast.outcomes, fast.lookup("0.top.example", "192.0.2.1"))
    fast.add("0.top.example", 4, packed([0], 4), bytes([1]))

    assert counts[0] == counts[1]
    assert min(counts[0]) > 10
    assert empty == (0, 0, 0, None)
    assert fast.lookup("0.top.example", "192.0.2.1") == 1
