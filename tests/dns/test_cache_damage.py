"""A DNS cache that is damaged, older, newer or somebody else's: set aside, migrated or left alone; never believed."""

import os
import random
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from poolsift.dns.cache import DnsCache
from poolsift.dns.cache_table import APPLICATION_ID, row_checksum
from tests.dns.caches import MX, NOW, PRESENT, answers, clock, filled, names, opened, works


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dns.cache"


def damaged_copies():
    """(name, what it does to the bytes of a cache of 100 answers)."""
    return {
        "empty": lambda data: b"",
        "garbage": lambda data: random.Random(1).randbytes(len(data)),
        "text": lambda data: b"name,a,mx\ncontoso.com,present,absent\n",
        "one byte": lambda data: b"\0",
        "header only": lambda data: data[:100],
        "truncated": lambda data: data[: len(data) // 2],
        "not a whole page": lambda data: data[:-100],
        "first page": lambda data: data[:100] + random.Random(2).randbytes(3_996) + data[4_096:],
        "a later page": lambda data: data[:8_192] + random.Random(3).randbytes(4_096) + data[12_288:],
        "magic": lambda data: b"sqlite" + data[6:],
    }


class TestDamage:
    @pytest.mark.parametrize("kind", damaged_copies())
    def test_is_set_aside_and_a_new_cache_begun(self, path, kind):
        """The bytes are kept under another name, one warning says where, and the run has a cache as ever."""
        data = damaged_copies()[kind](filled(path).read_bytes())
        path.write_bytes(data)
        with opened(path) as cache:
            said, held = list(cache.warnings), len(cache)
            cache.put([(MX, PRESENT)])
        with opened(path) as cache:
            kept, later = len(cache), list(cache.warnings)

        assert said == [f"{path}: damaged, set aside as {path}.damaged-1; a new one was begun"]
        assert (held, kept, later) == (0, 1, [])
        assert Path(f"{path}.damaged-1").read_bytes() == data

    def test_a_second_time_takes_another_name(self, path):
        for number in (1, 2, 3):
            path.write_bytes(b"%d" % number)
            opened(path).close()

        assert [Path(f"{path}.damaged-{n}").read_bytes() for n in (1, 2, 3)] == [b"1", b"2", b"3"]

    def test_the_log_of_a_damaged_file_is_set_aside_with_it(self, path):
        filled(path)
        path.write_bytes(b"garbage" * 1_000)
        Path(f"{path}-wal").write_bytes(b"a log")
        opened(path).close()

        assert Path(f"{path}.damaged-1-wal").read_bytes() == b"a log"
        assert not Path(f"{path}-wal").exists()

    def test_the_log_of_a_file_that_is_gone_is_not_replayed_in_the_new_one(self, path):
        """Somebody removed the database and not its log, which is whole."""
        with opened(path) as cache:
            cache.put(answers(100))
            cache.commit()
            log = Path(f"{path}-wal").read_bytes()
        path.unlink()
        Path(f"{path}-wal").write_bytes(log)
        with opened(path) as cache:
            assert (len(cache), works(cache), cache.warnings) == (0, True, [])

    def test_a_row_whose_checksum_fails_is_missing_and_counted(self, path):
        """Changed answers are not believed, the other rows are; a new answer mends the row."""
        filled(path, 10)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE answers SET status = 'absent' WHERE name = 'n3.example'")
            connection.execute("UPDATE answers SET ttl = 'x' WHERE name = 'n4.example'")
            connection.execute("UPDATE answers SET rdata = CAST(x'ff' AS TEXT) WHERE name = 'n5.example'")
            connection.execute("UPDATE answers SET view = 'other' WHERE name = 'n6.example'")
        with opened(path) as cache:
            found, damaged = cache.lookup(names(10)), cache.damaged_rows
            cache.put(answers(1, start=3))
            mended = cache.lookup(names(1, start=3))
        with DnsCache.open(str(path), view="other", clock=clock) as other:
            moved, moved_damaged = other.lookup(names(10)), other.damaged_rows

        assert sorted(found) == [f"n{i}.example" for i in (0, 1, 2, 7, 8, 9)]
        assert damaged == 3
        assert list(mended) == ["n3.example"]
        assert (moved, moved_damaged) == ({}, 1)

    def test_values_that_make_no_sense_although_the_checksum_is_right(self, path):
        """A row of a careless other writer is a damaged row."""
        filled(path, 3)
        with closing(sqlite3.connect(path)) as connection, connection:
            rows = connection.execute("SELECT * FROM answers ORDER BY name").fetchall()
            for row, (column, value) in zip(rows, [(3, "prsent"), (4, "[1"), (7, 1 << 62)], strict=True):
                broken = [*row[:column], value, *row[column + 1 : -1]]
                connection.execute(
                    "REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*broken, row_checksum(tuple(broken))),
                )
        with opened(path) as cache:
            assert (cache.lookup(names(3), any_age=True), cache.damaged_rows) == ({}, 3)

    @given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=8))
    @example([(16_058, 0)])  # a row without content, which PRAGMA quick_check passes over
    def test_flipped_bytes_cost_answers_and_never_change_one(self, tmp_path_factory, flips):
        """Wherever bytes change, the run goes on, and what it is given is what was put."""
        data = bytearray(self.original(tmp_path_factory))
        for place, byte in flips:
            data[place % len(data)] = byte
        path = tmp_path_factory.mktemp("flipped") / "dns.cache"
        path.write_bytes(data)
        with opened(path) as cache:
            found = cache.lookup(names(200), any_age=True)
            wrong = [name for name, types in found.items() if types["A"].rdata != PRESENT.rdata]
            usable = works(cache)

        assert (wrong, usable) == ([], True)

    cached: bytes = b""

    def original(self, tmp_path_factory):
        if not TestDamage.cached:
            TestDamage.cached = filled(tmp_path_factory.mktemp("original") / "dns.cache", 200).read_bytes()
        return TestDamage.cached

    def test_found_while_reading(self, path):
        """Pages that go bad under an open cache: the run goes on with what it learns itself."""
        filled(path, 5_000)
        with opened(path) as cache:
            with open(path, "r+b") as file:
                file.seek(4_096)
                file.write(b"\xff" * (path.stat().st_size - 4_096))
            cache._file.execute("PRAGMA shrink_memory")
            found = cache.lookup(names(5_000))
            usable = works(cache)

            assert (found, usable) == ({}, True)
            assert [line for line in cache.warnings if "cannot be read" in line] == cache.warnings
            assert len(cache.warnings) == 1


def version_1(path, rows):
    """A file of the first schema, written by hand: no view, no failures."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
        connection.execute("INSERT INTO meta VALUES ('schema_version', 1)")
        connection.execute(
            "CREATE TABLE answers (name TEXT, rdtype TEXT, status TEXT, rdata TEXT, ttl INTEGER, reason TEXT,"
            " asked_at INTEGER, confirmed INTEGER, checksum INTEGER, PRIMARY KEY (name, rdtype)) WITHOUT ROWID"
        )
        for row in rows:
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*row, row_checksum(row)))


class TestOtherVersions:
    def test_an_older_schema_is_migrated(self, path):
        """Its answers do not say which resolvers gave them: kept, given to nobody who names resolvers, and said so."""
        asked_at = NOW * 1_000_000
        version_1(
            path,
            [
                ("contoso.com", "MX", "present", '["10 mail.contoso.com"]', 86_400, None, asked_at, 0),
                ("contoso.com", "A", "unknown", "[]", 300, "timeout", asked_at, 0),
                ("fabrikam.com", "A", "absent", "[]", 3_600, "nxdomain", asked_at, 1),
            ],
        )
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE answers SET confirmed = 0 WHERE name = 'fabrikam.com'")
        with opened(path) as cache:
            said, given_to_us = list(cache.warnings), cache.lookup(["contoso.com", "fabrikam.com"], any_age=True)
            usable = works(cache)
        with opened(path) as again, DnsCache.open(str(path), view="", clock=clock) as nobody:
            later, kept = list(again.warnings), nobody.lookup(["contoso.com", "fabrikam.com"], any_age=True)

        assert said == [
            f"{path}: of an older version; its 2 answers do not say which resolvers gave them and are not used"
        ]
        assert (given_to_us, usable, later) == ({}, True, [])
        assert {(n, t): (a.status, a.ttl) for n, types in kept.items() for t, a in types.items()} == {
            ("contoso.com", "MX"): ("present", 86_400),
            ("contoso.com", "A"): ("unknown", 5),
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_newer_schema_is_not_touched(self, path):
        """Neither read nor written nor renamed nor narrowed."""
        filled(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = 3 WHERE key = 'schema_version'")
        path.chmod(0o644)
        before = path.read_bytes()
        with opened(path) as cache:
            said, found, usable = list(cache.warnings), cache.lookup(names(100)), works(cache)

        assert said == [f"{path} was written by a newer poolsift; not used; answers are kept in memory for this run"]
        assert (found, usable) == ({}, True)
        assert (path.read_bytes() == before, stat.S_IMODE(path.stat().st_mode)) == (True, 0o644)
        assert not list(path.parent.glob("*damaged*"))

    def test_a_database_of_another_program_is_not_touched(self, path):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE bookmarks (url)")
        before = path.read_bytes()
        with opened(path) as cache:
            assert works(cache)
            assert "is a database of another program; not used" in cache.warnings[0]
        assert (path.read_bytes() == before, os.listdir(path.parent)) == (True, ["dns.cache"])

    def test_a_cache_without_its_version_is_damaged(self, path):
        filled(path)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("DELETE FROM meta")
        with opened(path) as cache:
            assert "set aside" in cache.warnings[0]


def test_many_runs_opening_a_damaged_file_at_once(path):
    """One of them sets it aside; no run takes another's new file for a damaged one, and no answer is lost."""
    path.write_bytes(b"")
    script = (
        "import sys\nfrom poolsift.dns.answers import *\nfrom poolsift.dns.cache import DnsCache\n"
        "sys.stdin.readline()\n"
        "with DnsCache.open(sys.argv[1], view='192.0.2.53:53', clock=lambda: 1_800_000_000.0) as cache:\n"
        "    cache.put([(Question(f'n{sys.argv[2]}.example', 'A'), Answer(AnswerStatus.PRESENT, ('x',), 86_400))])\n"
        "    print(len(cache.warnings))\n"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(i)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for i in range(8)
    ]
    time.sleep(0.3)
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    said = sorted(run.communicate()[0] for run in runs)
    with opened(path) as cache:
        kept = cache.lookup(names(8))

    assert said == ["0\n"] * 7 + ["1\n"]
    assert len(kept) == 8
    assert sorted(os.listdir(path.parent)) == ["dns.cache", "dns.cache.damaged-1"]
