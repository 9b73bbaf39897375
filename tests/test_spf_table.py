"""The native table of SPF results: the segment of every address is found, and what was said of a domain stands."""

import ipaddress
import threading
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift._native.nouns import SpfTable

WIDTHS = {4: 4, 6: 16}
PASS, FAIL, SOFTFAIL = 1, 2, 3
LAST = {4: (1 << 32) - 1, 6: (1 << 128) - 1}
# few and near one another, so that segments of one address and neighbours in both halves of 128 bits occur
NEAR = [0, 1, 2, 255, 256, (1 << 31) - 1, 1 << 31, (1 << 32) - 2, (1 << 32) - 1]
FAR = [*NEAR, 1 << 63, (1 << 64) - 1, 1 << 64, (1 << 64) + 1, 1 << 127, (1 << 128) - 1]


def packed(family, starts):
    return b"".join(start.to_bytes(WIDTHS[family], "big") for start in starts)


def text_of(family, number):
    """An address as text; IPv6 ones that stand for IPv4 are written as such by nobody here."""
    return str((ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(number))


def is_mapped(family, number):
    return family == 6 and ipaddress.IPv6Address(number).ipv4_mapped is not None


def mapped(rows):
    """192.0.2.1 in so many rows, packed as lookup_many takes it."""
    return ipaddress.IPv6Address("::ffff:192.0.2.1").packed * rows


def slow_word(starts, words, number):
    """The last segment that begins at or before the address."""
    return [word for start, word in zip(starts, words, strict=True) if start <= number][-1]


def programs(family):
    """(starts, words) with the first start 0."""
    places = st.integers(0, LAST[family]) | st.sampled_from(NEAR if family == 4 else FAR)
    starts = st.lists(places, max_size=12).map(lambda found: sorted({0, *found}))
    return starts.flatmap(
        lambda found: st.tuples(
            st.just(found), st.lists(st.integers(0, 7), min_size=len(found), max_size=len(found)).map(bytes)
        )
    )


class TestPrograms:
    @pytest.mark.parametrize("family", [4, 6])
    @given(data=st.data())
    def test_every_address_has_the_word_of_its_segment(self, family, data):
        """At the first and last address of a segment, beside it, and anywhere."""
        starts, words = data.draw(programs(family))
        drawn = data.draw(st.lists(st.integers(0, LAST[family]), max_size=10))
        asked = {n for start in starts for n in (start - 1, start, start + 1)} | {0, LAST[family], *drawn}
        asked = [n for n in asked if 0 <= n <= LAST[family] and not is_mapped(family, n)]
        table = SpfTable()
        table.add("contoso.com", family, packed(family, starts), words)
        found = {n: table.lookup("contoso.com", text_of(family, n)) for n in asked}

        assert found == {n: slow_word(starts, words, n) for n in asked}

    def test_families_are_apart_and_mapped_addresses_are_ipv4(self):
        """A program says nothing of the other family."""
        table = SpfTable()
        table.add("contoso.com", 4, bytes(4), bytes([PASS]))

        assert table.lookup("contoso.com", "::ffff:192.0.2.1") == PASS
        assert table.lookup("contoso.com", "2001:db8::1") is None

    def test_identical_programs_are_one(self):
        """A million domains that include the same provider share it; the same bytes of another family are another program."""
        table = SpfTable()
        for number in range(100):
            table.add(f"d{number}.example", 4, packed(4, [0, 9, 10]), bytes([FAIL, PASS, FAIL]))
        table.add("d0.example", 6, packed(6, [0]), bytes([FAIL]))

        assert (table.programs, table.segments, table.outcomes) == (2, 4, 0)

    def test_what_was_said_first_stands(self):
        """One run has one answer for a domain, whichever thread brought it."""
        table = SpfTable()
        table.add("contoso.com", 4, bytes(4), bytes([PASS]))
        table.add("contoso.com", 4, bytes(4), bytes([FAIL]))
        table.add_uncompiled("contoso.com", 4, needs_local=False)
        table.add_uncompiled("fabrikam.com", 4, needs_local=False)
        table.add("fabrikam.com", 4, bytes(4), bytes([FAIL]))
        table.add_outcome("fabrikam.com", "192.0.2.1", "", "", PASS)
        table.add_outcome("fabrikam.com", "192.0.2.1", "", "", FAIL)

        assert [table.lookup(name, "192.0.2.1") for name in ("contoso.com", "fabrikam.com")] == [PASS, PASS]

    @pytest.mark.parametrize(
        ("name", "family", "starts", "words", "message"),
        [
            ("", 4, bytes(4), b"\1", "1 to 253 bytes"),
            ("a" * 254, 4, bytes(4), b"\1", "1 to 253 bytes"),
            ("a.example", 5, bytes(4), b"\1", "found 5, expected 4 or 6"),
            ("a.example", 4, b"", b"", "at least one"),
            ("a.example", 4, bytes(4), b"\1\2", "found 4 bytes of starts for 2 words, expected 4"),
            ("a.example", 6, bytes(4), b"\1", "expected 16"),
            ("a.example", 4, b"\0\0\0\1", b"\1", "start 0 is out of order"),
            ("a.example", 4, packed(4, [0, 7, 7]), b"\1\1\1", "start 2 is out of order"),
            ("a.example", 4, packed(4, [0, 256, 255]), b"\1\1\1", "start 2 is out of order"),
            ("a.example", 4, bytes(4), b"\x08", "found 8, expected 0 to 7"),
        ],
    )
    def test_a_broken_program_is_refused(self, name, family, starts, words, message):
        """And says what was found and expected; nothing of it is kept."""
        table = SpfTable()
        with pytest.raises(ValueError, match=message):
            table.add(name, family, starts, words)

        assert (table.programs, table.segments) == (0, 0)

    def test_many_names_are_all_found(self):
        """Room grows with the names; none is lost, and none is found that was not said."""
        table = SpfTable()
        words = {f"d{number}.example": 1 + number % 7 for number in range(20_000)}
        for name, word in words.items():
            table.add(name, 4, bytes(4), bytes([word]))
        names = [*words, "never.example"]
        found = table.lookup_many(names, mapped(len(names)))

        assert found == bytes([*words.values(), 0])
        assert table.programs == 7


class TestLookupMany:
    @given(seed=st.integers(0, 1 << 20))
    def test_equals_looking_up_one_by_one(self, seed):
        """For both families, known and unknown names; what has no program counts as unknown."""
        random, table = Random(seed), SpfTable()
        for number in range(10):
            table.add(f"d{number}.example", 4, packed(4, [0, 1 << 31]), bytes(random.choices(range(8), k=2)))
            table.add(f"d{number + 5}.example", 6, packed(6, [0, 1 << 127]), bytes(random.choices(range(8), k=2)))
        table.add_uncompiled("u.example", 4, needs_local=False)
        names = [random.choice([*(f"d{n}.example" for n in range(20)), "u.example"]) for _ in range(100)]
        addresses = [
            ipaddress.IPv6Address(random.choice([random.getrandbits(128), 0xFFFF << 32 | random.getrandbits(32)]))
            for _ in names
        ]
        found = table.lookup_many(names, b"".join(address.packed for address in addresses))

        assert list(found) == [table.lookup(n, str(a)) or 0 for n, a in zip(names, addresses, strict=True)]

    def test_addresses_and_names_must_be_as_many(self):
        """A length that does not fit is no reading beyond the end."""
        with pytest.raises(ValueError, match="found 16 bytes of addresses, expected 16 for each of 2 names"):
            SpfTable().lookup_many(["a.example", "b.example"], bytes(16))


class TestOutcomes:
    @pytest.fixture
    def table(self):
        """One domain whose outcomes depend on the local part, one whose do not."""
        table = SpfTable()
        table.add_uncompiled("local.example", 4, needs_local=True)
        table.add_uncompiled("plain.example", 4, needs_local=False)
        return table

    def test_are_told_apart_by_every_part(self, table):
        """Domain, address, HELO name and local part; a part of one never runs into the next."""
        messages = [
            (name, address, helo, local)
            for name in ("local.example", "other.example")
            for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")
            for helo in ("", "a", "ab")
            for local in ("", "b", "bb", "B")
        ]
        words = {message: 1 + number % 7 for number, message in enumerate(messages)}
        for message, word in words.items():
            table.add_outcome(*message, word)

        assert {message: table.lookup(*message) for message in messages} == words
        assert table.outcomes == len(messages)

    def test_the_local_part_counts_only_where_the_domain_needs_it(self, table):
        """So that one evaluation serves every sender of the domain."""
        table.add_outcome("plain.example", "192.0.2.1", "mx.example", "ann", PASS)

        assert table.lookup("plain.example", "192.0.2.1", "mx.example", "bob") == PASS
        assert table.lookup("local.example", "192.0.2.1", "mx.example", "ann") is None

    @pytest.mark.parametrize("helo", ["bücher.example", "a b", "a\0b", "x" * 256, "tab\there"])
    def test_a_helo_name_that_smtp_does_not_allow_counts_as_not_recorded(self, table, helo):
        """It cannot be expanded into a name that DNS carries."""
        table.add_outcome("plain.example", "192.0.2.1", helo, "", PASS)

        assert table.lookup("plain.example", "192.0.2.1") == PASS
        assert table.lookup("plain.example", "192.0.2.1", "mx.example") is None

    def test_case_of_a_helo_name_does_not_matter(self, table):
        """DNS does not tell it apart."""
        table.add_outcome("plain.example", "192.0.2.1", "MX.Example", "", FAIL)

        assert table.lookup("plain.example", "192.0.2.1", "mx.EXAMPLE") == FAIL

    def test_zero_is_an_answer_and_not_the_lack_of_one(self, table):
        """Could not be evaluated is known; nobody asked is not."""
        table.add_outcome("plain.example", "192.0.2.1", "", "", 0)

        assert (table.lookup("plain.example", "192.0.2.1"), table.lookup("plain.example", "192.0.2.2")) == (0, None)

    def test_needs_an_address_and_a_word(self, table):
        """Text that is no address is named."""
        with pytest.raises(ValueError, match="found '192.0.2.256', expected an IP address"):
            table.add_outcome("plain.example", "192.0.2.256", "", "", PASS)
        with pytest.raises(ValueError, match="found 9, expected 0 to 7"):
            table.add_outcome("plain.example", "192.0.2.1", "", "", 9)

        assert (table.outcomes, table.lookup("plain.example", "no address")) == (0, None)


def test_a_cleared_table_knows_nothing_and_gives_its_memory_back():
    """What is said afterwards counts, also if it differs."""
    table = SpfTable()
    empty = table.bytes
    table.add("contoso.com", 4, bytes(4), bytes([PASS]))
    table.add_outcome("fabrikam.com", "192.0.2.1", "", "", PASS)
    full, before = table.bytes, table.epoch
    table.clear()

    assert table.lookup("contoso.com", "192.0.2.1") is table.lookup("fabrikam.com", "192.0.2.1") is None
    assert (table.programs, table.segments, table.outcomes, table.bytes) == (0, 0, 0, empty)
    assert full > empty
    assert table.epoch != before
    table.add("contoso.com", 4, bytes(4), bytes([FAIL]))
    assert table.lookup("contoso.com", "192.0.2.1") == FAIL


def test_many_threads_read_while_others_add():
    """A reader finds a word or nothing, never another domain's."""
    table, stop, wrong = SpfTable(), threading.Event(), []
    words = {f"r{number}.example": 1 + number % 7 for number in range(2_000)}

    def read():
        addresses = mapped(len(words))
        while not stop.is_set():
            found = table.lookup_many(list(words), addresses)
            wrong.extend(pair for pair in zip(words.values(), found, strict=True) if pair[1] not in (0, pair[0]))

    def add(start):
        for name in list(words)[start::2]:
            table.add(name, 4, packed(4, [0, 1 << 16]), bytes([words[name], words[name]]))
            table.add_outcome(name, "2001:db8::1", "", "", words[name])

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=add, args=(start,)) for start in (0, 1)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()

    assert wrong == []
    assert table.lookup_many(list(words), mapped(len(words))) == bytes(words.values())
    assert table.outcomes == len(words)
