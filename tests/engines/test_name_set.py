"""The names of a run: distinct, in order, on disk rather than in memory, and gone afterwards."""

import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.engines import name_set
from poolsift.engines.name_set import NameSet
from poolsift.engines.scratch import ScratchFile
from poolsift.errors import OutputError


@given(
    st.lists(st.lists(st.text(alphabet="ab.é-\U0001f600", max_size=4), max_size=30), max_size=5),
    st.integers(1, 7),
    st.integers(1, 9),
)
def test_it_holds_what_a_set_holds_in_the_order_of_the_bytes(batches, size, pending):
    """Whatever comes twice, however it is cut, and the empty text too."""
    with pytest.MonkeyPatch.context() as patch, NameSet() as names:
        patch.setattr(name_set, "_PENDING", pending)
        for batch in batches:
            names.add(iter(batch))
        chunks = list(names.chunks(size))
        expected = sorted({name for batch in batches for name in batch}, key=str.encode)

        assert [name for chunk in chunks for name in chunk] == expected
        assert len(names) == len(expected)
        assert all(len(chunk) == size for chunk in chunks[:-1])
        assert list(names.chunks(size)) == chunks


def test_names_may_come_while_one_reads():
    """A name behind the reader is met at the next reading, one before it in this one."""
    with NameSet() as names:
        names.add(["b.example", "d.example"])
        reading = names.chunks(1)
        first = next(reading)
        names.add(["a.example", "c.example"])

        assert [first, *reading] == [["b.example"], ["c.example"], ["d.example"]]
        assert next(names.chunks()) == ["a.example", "b.example", "c.example", "d.example"]


def test_nothing_is_left_even_of_a_run_that_is_killed(tmp_path):
    """The file has no name while it is used, and nobody else may read it."""
    names = NameSet(str(tmp_path))
    names.add(f"n{number}.example" for number in range(1000))
    files = [os.stat(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if is_nameless(number)]

    assert len(names) == 1000
    assert list(tmp_path.iterdir()) == []
    assert {stat.S_IMODE(file.st_mode) for file in files if file.st_dev == tmp_path.stat().st_dev} == {0o600}
    names.close()
    names.close()


def is_nameless(number):
    try:
        return os.readlink(f"/proc/self/fd/{number}").endswith(".sqlite (deleted)")
    except OSError:
        return False


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="nowhere") as caught:
        NameSet(str(tmp_path / "nowhere"))

    assert caught.value.exit_code == 6


def test_a_full_disk_is_said_to_be_full(tmp_path):
    """SQLite's limit on pages stands in for that of the disk."""
    file = ScratchFile(str(tmp_path), "CREATE TABLE t (x TEXT); PRAGMA max_page_count = 3", cache_bytes=1 << 20)
    with pytest.raises(OutputError) as caught:
        file.write("INSERT INTO t VALUES (?)", [("x" * 100_000,)])
    file.close()

    assert (caught.value.code, caught.value.path) == ("no_space", str(tmp_path))
