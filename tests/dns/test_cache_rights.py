"""Who may read and write the DNS cache's file, and what is refused; never an error of the run."""

import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dns.caches import MX, PRESENT, filled, opened, works


@pytest.fixture
def path(tmp_path):
    return tmp_path / "dns.cache"


class TestRights:
    def test_file_and_directory_are_for_their_owner_alone(self, tmp_path):
        """Whatever the umask: 0600 for the file and what SQLite keeps beside it, 0700 for directories that were missing."""
        path = tmp_path / "new" / "deep" / "dns.cache"
        before = os.umask(0)
        try:
            with opened(path) as cache:
                cache.put([(MX, PRESENT)])
                cache.commit()
                modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        finally:
            os.umask(before)

        assert modes == {"dns.cache": 0o600, "dns.cache-wal": 0o600, "dns.cache-shm": 0o600}
        assert [stat.S_IMODE(place.stat().st_mode) for place in path.parents[:2]] == [0o700, 0o700]

    def test_a_file_made_wider_is_narrowed(self, path):
        filled(path).chmod(0o644)
        opened(path).close()

        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_a_link_is_refused(self, path, tmp_path):
        """Neither followed nor renamed nor replaced; the run works in memory and says so."""
        target = filled(tmp_path / "target")
        before = target.read_bytes()
        path.symlink_to(target)
        with opened(path) as cache:
            said, held, usable = list(cache.warnings), len(cache), works(cache)

        assert said == [f"{path} is a link, and links are not followed; answers are kept in memory for this run"]
        assert (held, usable, path.is_symlink(), target.read_bytes() == before) == (0, True, True, True)

    @pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
    def test_what_is_no_file_is_left_alone(self, path, make):
        make(path)
        with opened(path) as cache:
            assert works(cache)
            assert "is not a regular file" in cache.warnings[0]

    def test_a_name_that_is_hard_to_write_as_a_uri(self, tmp_path):
        """Question marks, percent signs and bytes that are no UTF-8 are part of the name."""
        path = os.path.join(str(tmp_path), os.fsdecode(b"a?b#c%20d \xff.cache"))
        with opened(path) as cache:
            cache.put([(MX, PRESENT)])
        with opened(path) as cache:
            assert (len(cache), cache.warnings) == (1, [])
        assert os.listdir(tmp_path) == [os.path.basename(path)]

    def test_the_file_stays_the_one_it_was_when_the_run_changes_directory(self, tmp_path, monkeypatch):
        """A relative path is meant from where the run began."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "elsewhere").mkdir()
        with opened("dns.cache") as cache:
            monkeypatch.chdir("elsewhere")
            cache.put([(MX, PRESENT)])

        assert sorted(os.listdir(tmp_path)) == ["dns.cache", "elsewhere"]


@pytest.fixture
def as_nobody():
    """A directory, and a context in which this process has no special rights in it (root passes all checks)."""
    place = Path(tempfile.mkdtemp(prefix="poolsift-cache-"))
    place.chmod(0o755)

    @contextmanager
    def unprivileged():
        if os.geteuid() != 0:
            yield
            return
        os.seteuid(65_534)
        try:
            yield
        finally:
            os.seteuid(0)

    try:
        yield place, unprivileged
    finally:
        place.chmod(0o755)
        shutil.rmtree(place)


class TestReadOnly:
    def test_file(self, as_nobody):
        """A file that may not be written is left as it is, and said to be."""
        place, unprivileged = as_nobody
        path = filled(place / "dns.cache")
        path.chmod(0o444)
        place.chmod(0o777)
        before = path.read_bytes()
        with unprivileged(), opened(path) as cache:
            said, usable = list(cache.warnings), works(cache)

        assert said == [f"{path} is read-only; answers are kept in memory for this run"]
        assert (usable, path.read_bytes() == before, os.listdir(place)) == (True, True, ["dns.cache"])

    @pytest.mark.parametrize("content", ["a cache", "garbage", "nothing"])
    def test_directory(self, as_nobody, content):
        """Nothing can be made or renamed there: the run goes on in memory."""
        place, unprivileged = as_nobody
        path = place / "dns.cache"
        if content == "a cache":
            filled(path).chmod(0o666)
        elif content == "garbage":
            path.write_bytes(b"x" * 5_000)
            path.chmod(0o666)
        place.chmod(0o555)
        with unprivileged(), opened(path) as cache:
            said, usable = list(cache.warnings), works(cache)

        assert said == [f"{path} lies in a directory that is read-only; answers are kept in memory for this run"]
        assert usable

    def test_place_that_cannot_be_made(self, path):
        """A parent that is a file, a name that is too long."""
        path.write_text("a file")
        for bad in (path / "dns.cache", path.parent / ("x" * 300)):
            with opened(bad) as cache:
                assert works(cache)
                assert len(cache.warnings) == 1
                assert str(bad) in cache.warnings[0]
