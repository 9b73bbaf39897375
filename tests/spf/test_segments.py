"""Segments and steps against what is obvious: one address after the other."""

from hypothesis import given
from hypothesis import strategies as st

from poolsift.spf.record import NONE, PASS, PERMERROR, SOFTFAIL, TEMPERROR
from poolsift.spf.segments import Block, Segments, first_match
from poolsift.spf.step import UNDECIDED, WORDS, after, included, parts, step

BITS = 6
SIZE = 1 << BITS
WORD = st.sampled_from(range(8))


@st.composite
def steps(draw):
    return step(draw(WORD), draw(st.integers(0, 10)), draw(st.integers(0, 2)))


@st.composite
def blocks(draw):
    """Prefixes of an address space of 64 addresses."""
    length = draw(st.integers(0, BITS))
    first = draw(st.integers(0, (1 << length) - 1)) << (BITS - length)
    return Block(first, first + (1 << (BITS - length)), draw(steps()))


@st.composite
def divisions(draw):
    return first_match(draw(st.lists(blocks(), max_size=12)), SIZE, draw(steps()))


def at(found: Segments, address: int) -> int:
    """The step of an address, by walking."""
    return next(code for start, code in reversed(list(zip(*found, strict=True))) if start <= address)


def is_well_formed(found: Segments) -> bool:
    ascending = list(found.starts) == sorted(set(found.starts)) and found.starts[0] == 0 and found.starts[-1] < SIZE
    return ascending and all(one != other for one, other in zip(found.steps, found.steps[1:], strict=False))


@given(st.lists(blocks(), max_size=12), steps())
def test_each_address_has_the_step_of_the_first_block_that_holds_it(listed, otherwise):
    """However the blocks nest."""
    found = first_match(listed, SIZE, otherwise)
    expected = [next((b.step for b in listed if b.first <= n < b.end), otherwise) for n in range(SIZE)]

    assert [at(found, n) for n in range(SIZE)] == expected
    assert is_well_formed(found)


@given(divisions(), divisions())
def test_what_follows_counts_where_nothing_is_decided(sofar, following):
    """Address by address."""
    found = sofar.then(following)

    assert [at(found, n) for n in range(SIZE)] == [after(at(sofar, n))[at(following, n)] for n in range(SIZE)]
    assert is_well_formed(found)


@given(divisions())
def test_the_fewest_lookups_are_those_of_an_undecided_address(found):
    """None when every address is decided."""
    undecided = [parts(code)[1] for code in found.steps if parts(code)[0] == UNDECIDED]

    assert found.fewest_lookups == min(undecided, default=None)


@given(WORD, st.integers(0, 12), st.integers(0, 4))
def test_a_step_keeps_its_word_and_counts(word, lookups, voids):
    """Beyond ten look-ups or two voids it is a permerror."""
    code = step(word, lookups, voids)
    expected = (PERMERROR, 0, 0) if word == PERMERROR or lookups > 10 or voids > 2 else (word, lookups, voids)

    assert (parts(code), WORDS[code]) == (expected, expected[0])


@given(steps(), steps())
def test_counts_add_up(first, second):
    """Behind an undecided step; a decided one stays."""
    word, lookups, voids = parts(first)
    more = parts(second)
    expected = step(more[0], lookups + more[1], voids + more[2]) if word == UNDECIDED else first

    assert after(first)[second] == expected


def test_an_included_record_gives_a_match_or_an_error_or_goes_on():
    """RFC 7208 section 5.2, with one look-up for the include."""
    table = included(SOFTFAIL)
    found = {word: parts(table[step(word, 3, 1)]) for word in range(1, 8)}

    assert found == {
        PASS: (SOFTFAIL, 4, 1),
        2: (UNDECIDED, 4, 1),
        3: (UNDECIDED, 4, 1),
        4: (UNDECIDED, 4, 1),
        NONE: (PERMERROR, 0, 0),
        PERMERROR: (PERMERROR, 0, 0),
        TEMPERROR: (TEMPERROR, 4, 1),
    }
