"""The DNS cache on disks that are full, shared, gone or busy, and under kills; never an error of the run."""

import fcntl
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from poolsift.dns import cache_file, cache_place
from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.cache_entry import Entry, combined
from poolsift.dns.cache_place import filesystem_type
from tests.dns.caches import MX, NOW, PRESENT, answers, filled, names, opened, works


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dns.cache"


class TestDisks:
    @pytest.mark.parametrize("fault", ["full", "too large"])
    def test_a_failing_write_costs_nothing_of_this_run(self, path, fault):
        """ENOSPC or an I/O error at a commit: one warning, every answer is there, the old ones too."""
        filled(path, 1_000)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        with opened(path) as cache:
            if fault == "full":
                cache._file.execute("PRAGMA max_page_count = 1")
            else:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
            try:
                for start in range(1_000, 9_000, 500):
                    cache.put(answers(500, start))
                    cache.commit()
                cache.put([(Question("n0.example", "A"), unknown(Reason.TIMEOUT))])
                found, size, said = cache.lookup(names(9_000)), len(cache), list(cache.warnings)
                stale = cache.stale(["n0.example"])
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)

            assert (len(found), size) == (9_000, 9_000)
            assert (found["n0.example"]["A"].status, stale["n0.example"]["A"].status) == ("unknown", "present")
            assert len(said) == 1
            assert said[0].startswith(f"{path} cannot be written (")
            assert said[0].endswith("answers are kept in memory for this run")

    def test_what_could_not_be_written_is_tried_once_more_at_the_end(self, path):
        """Room was made meanwhile: the next run finds everything, also what another run wrote since."""
        filled(path, 10)
        with opened(path) as cache:
            cache._file.execute("PRAGMA max_page_count = 1")
            cache.put(answers(2_000, start=10))
            cache.commit()
            cache._file.execute("PRAGMA max_page_count = 100000")
            with opened(path) as other:
                other.put([(MX, PRESENT)])
        with opened(path) as cache:
            assert (len(cache), len(cache.lookup(names(2_010)))) == (2_011, 2_010)

    def test_deleted_while_in_use(self, path):
        """The run goes on and disturbs nobody who has made a new file since."""
        with opened(path) as cache:
            cache.put(answers(10))
            cache.commit()
            for file in path.parent.iterdir():
                file.unlink()
            cache.put(answers(10, start=10))
            cache.commit()
            found = cache.lookup(names(20))
            successor = opened(path)
            successor.put([(MX, PRESENT)])
            successor.commit()
        successor.put(answers(1))
        successor.close()
        with opened(path) as cache:
            kept = len(cache)

        assert len(found) == 20
        assert (kept, cache.warnings) == (2, [])

    def test_directory_deleted_while_in_use(self, tmp_path):
        path = tmp_path / "place" / "dns.cache"
        with opened(path) as cache:
            cache.put(answers(10))
            cache.commit()
            shutil.rmtree(path.parent)

            assert works(cache)
            assert len(cache.lookup(names(10))) == 10

    @pytest.mark.parametrize("how", ["nfs4", "no log"])
    def test_a_disk_that_several_runs_cannot_share(self, path, how, monkeypatch):
        """In memory, from what the file holds, and written at the end; what another run wrote meanwhile stays."""
        filled(path, 10)
        if how == "nfs4":
            monkeypatch.setattr(cache_file, "network_filesystem", lambda directory: "nfs4")
        else:
            without_shared_memory(monkeypatch)
        with opened(path) as cache:
            said, found = list(cache.warnings), cache.lookup(names(10))
            cache.put(answers(10, start=10))
            with opened(path) as other:
                other.put([(MX, PRESENT)])
        with opened(path) as cache:
            kept = len(cache)

        assert len(said) == 1
        assert "several runs cannot share it" in said[0]
        assert said[0].endswith("answers are kept in memory for this run and written at its end")
        assert (len(found), kept) == (10, 21)
        assert sorted(os.listdir(path.parent)) == ["dns.cache"]

    def test_there_damage_and_newer_versions_are_what_they_are_elsewhere(self, path, monkeypatch):
        monkeypatch.setattr(cache_file, "network_filesystem", lambda directory: "nfs4")
        path.write_bytes(b"garbage")
        with opened(path) as cache:
            damaged, usable = list(cache.warnings), works(cache)
        with opened(path) as cache:
            kept = len(cache)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE meta SET value = 3 WHERE key = 'schema_version'")
        before = path.read_bytes()
        with opened(path) as cache:
            works(cache)

        assert (len(damaged), "set aside" in damaged[0], usable, kept) == (2, True, True, 1)
        assert "newer poolsift" in cache.warnings[0]
        assert len(cache.warnings) == 2
        assert path.read_bytes() == before

    def test_the_file_system_is_read_from_mountinfo(self):
        """The line of the device; optional fields before the dash vary."""
        text = (
            "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
            "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:2 - ext3 /dev/root rw\n"
            "40 35 0:52 / /home rw,relatime shared:1 - nfs4 192.0.2.1:/home rw,vers=4.2\n"
            "broken line -\n"
        )

        assert filesystem_type(text, os.makedev(0, 52)) == "nfs4"
        assert filesystem_type(text, os.makedev(98, 0)) == "ext3"
        assert filesystem_type(text, os.makedev(7, 7)) is None

    def test_another_run_that_holds_the_file_for_too_long(self, path, monkeypatch):
        """Its transaction is waited for, then the run goes on in memory, and writes at its end."""
        monkeypatch.setattr(cache_file, "PATIENCE", 0.05)
        with opened(path) as cache, closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            usable = works(cache)
            other.execute("ROLLBACK")
        with opened(path) as again:
            assert (usable, len(again), len(cache.warnings)) == (True, 1, 1)
            assert "cannot be written (database is locked)" in cache.warnings[0]

    def test_another_run_that_opens_the_file_for_too_long(self, path, monkeypatch):
        monkeypatch.setattr(cache_place, "PATIENCE", 0.05)
        descriptor = os.open(path.parent, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            with opened(path) as cache:
                assert works(cache)
                assert "is being opened by another run, which takes too long" in cache.warnings[0]
        finally:
            os.close(descriptor)
        assert not path.exists()


def without_shared_memory(monkeypatch):
    """Databases are opened through a VFS that has no shared memory and therefore refuses the log."""
    connect = sqlite3.connect

    def connected(database, **options):
        vfs = "&vfs=unix-dotfile" if options.get("uri") else ""
        return connect(f"{database}{vfs}", **options)

    monkeypatch.setattr(cache_file.sqlite3, "connect", connected)


class TestCombining:
    """What a run learned in memory and what others wrote meanwhile, put together at its end."""

    @staticmethod
    def at(second, status=AnswerStatus.PRESENT):
        return Answer(status, ttl=60, asked_at=datetime.fromtimestamp(NOW + second, UTC))

    def test_the_later_definite_answer_stands(self):
        """Whoever wrote it; a failure before it is over, one after it stands beside it."""
        early, late, failure = self.at(1), self.at(3), self.at(2, AnswerStatus.UNKNOWN)

        assert combined(Entry(early), Entry(late)) == combined(Entry(late), Entry(early)) == Entry(late)
        assert combined(Entry(None, failure, 2), Entry(late)) == Entry(late)
        assert combined(Entry(early), Entry(None, failure, 2)) == Entry(early, failure, 2)
        assert combined(Entry(), Entry()) == Entry()

    def test_the_longer_row_of_failures_stands(self):
        first, second = self.at(1, AnswerStatus.UNKNOWN), self.at(2, AnswerStatus.UNKNOWN)

        assert combined(Entry(None, first, 3), Entry(None, second, 1)) == Entry(None, second, 3)


KILLED = """
import sys
from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.dns.cache import DnsCache
path, start = sys.argv[1], int(sys.argv[2])
print(start, flush=True)
cache = DnsCache.open(path, view="192.0.2.53:53", clock=lambda: 1_800_000_000.0)
assert not cache.warnings, cache.warnings
answer = Answer(AnswerStatus.PRESENT, ("10 mail.contoso.com",), 86_400)
while True:
    cache.put((Question(f"n{i}.example", "A"), answer) for i in range(start, start + 1_000))
    start += 1_000
    print(start, flush=True)
"""


def killed_again_and_again(path, times):
    """Kills a writer at random moments, each time a new one on the same file; checks what it said was committed."""
    moments = random.Random(times)
    committed = 0
    for _ in range(times):
        writer = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(committed)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        said = [writer.stdout.readline() for _ in range(moments.randint(1, 5))]
        time.sleep(moments.uniform(0, 0.01))
        writer.send_signal(signal.SIGKILL)
        rest, complaints = writer.communicate()
        committed = int((said + rest.split())[-1])
        with opened(path) as cache:
            missing = set(names(committed)) - cache.lookup(names(committed)).keys()
            (sound,) = cache._file.execute("PRAGMA integrity_check").fetchone()

            assert (complaints, cache.warnings, missing, sound, cache.damaged_rows) == ("", [], set(), "ok", 0)
    return committed


def test_kill_9_at_any_moment(path):
    """The file is sound after each kill, also one while it was being made, and holds every committed answer."""
    assert killed_again_and_again(path, 12) > 1_000


@pytest.mark.nightly
def test_kill_9_at_thirty_moments(path):
    """As above, on a file that grows."""
    assert killed_again_and_again(path, 30) > 10_000
