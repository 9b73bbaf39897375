"""Publishing: nothing appears before everything is safe, one run at a time, errors name the file."""

import fcntl
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from poolsift.errors import LockedError, OutputError, UsageError
from poolsift.readers.rejects import Reject
from poolsift.writers import publish
from poolsift.writers.columns import output_batch
from poolsift.writers.destination import open_output
from poolsift.writers.durable import HashedFile, write_durably
from poolsift.writers.publish import DirectoryOutput, SingleFileOutput
from poolsift.writers.reject_file import RejectFile
from tests.test_writers import records, verdicts


def batch(count=3, extra=()):
    rows = [dict.fromkeys(extra, "x")] * count
    return output_batch(records(rows, extra), verdicts(count), "all" if extra else "key")


def names(path):
    return sorted(entry.name for entry in path.iterdir())


class TestDirectory:
    def test_nothing_is_visible_before_commit_and_the_manifest_comes_last(self, tmp_path):
        out = DirectoryOutput(tmp_path / "o", "parquet")
        out.write(batch())

        assert all(name.startswith(".") for name in names(tmp_path / "o"))
        (part,) = out.finish()
        out.commit({"a": 1})
        data = (tmp_path / "o" / part.name).read_bytes()

        assert names(tmp_path / "o") == ["manifest.json", "part-00000.parquet"]
        assert (part.rows, part.bytes, part.sha256) == (3, len(data), hashlib.sha256(data).hexdigest())
        assert orjson.loads((tmp_path / "o" / "manifest.json").read_bytes()) == {"a": 1}
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "o").iterdir()} == {0o600}

    def test_parts_are_cut_by_rows(self, tmp_path, monkeypatch):
        monkeypatch.setattr(publish, "PART_ROWS", 4)
        out = DirectoryOutput(tmp_path, "ndjson")
        for _ in range(3):
            out.write(batch(3))

        assert [(part.name, part.rows) for part in out.finish()] == [
            ("part-00000.ndjson", 4), ("part-00001.ndjson", 4), ("part-00002.ndjson", 1),
        ]  # fmt: skip
        out.abort()

    def test_an_empty_batch_still_makes_a_part_with_its_columns(self, tmp_path):
        out = DirectoryOutput(tmp_path, "parquet")
        out.write(batch(0))
        out.finish()
        out.commit({})

        assert pq.read_table(tmp_path / "part-00000.parquet").num_rows == 0

    def test_a_new_column_begins_a_part(self, tmp_path):
        out = DirectoryOutput(tmp_path, "parquet")
        for extra in (["Subject"], ["Size"], ["Subject"]):
            out.write(batch(1, extra))
        parts = out.finish()
        out.commit({})

        assert [part.rows for part in parts] == [1, 2]
        assert {"Subject", "Size"} <= set(pq.read_schema(tmp_path / "part-00001.parquet").names)

    def test_abort_leaves_nothing(self, tmp_path):
        out = DirectoryOutput(tmp_path / "o", "parquet")
        out.write(batch())
        out.abort()

        assert not (tmp_path / "o").exists()

    def test_what_a_killed_run_left_is_removed_and_an_older_result_replaced(self, tmp_path):
        for name in (".tmp-part-00000.parquet", "part-00007.parquet", "manifest.json"):
            (tmp_path / name).write_text("old")
        (tmp_path / ".tmp-fold-x").mkdir()
        out = DirectoryOutput(tmp_path, "parquet")
        out.write(batch())
        out.finish()
        out.commit({})

        assert names(tmp_path) == ["manifest.json", "part-00000.parquet"]

    def test_the_files_of_others_are_never_touched(self, tmp_path):
        (tmp_path / "thesis.docx").write_text("mine")
        with pytest.raises(UsageError, match=r"thesis\.docx"):
            DirectoryOutput(tmp_path, "parquet")

        assert names(tmp_path) == ["thesis.docx"]

    def test_one_run_at_a_time(self, tmp_path):
        out = DirectoryOutput(tmp_path, "parquet")
        with pytest.raises(LockedError, match=f"pid {os.getpid()}"):
            DirectoryOutput(tmp_path, "parquet")
        out.abort()
        DirectoryOutput(tmp_path, "parquet").abort()

    def test_a_lock_file_without_a_lock_is_no_lock(self, tmp_path):
        (tmp_path / ".lock").write_text("pid 1 on elsewhere")
        DirectoryOutput(tmp_path, "parquet").abort()

        assert not (tmp_path / ".lock").exists()

    def test_the_lock_of_another_process_holds(self, tmp_path):
        with open(tmp_path / ".lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            code = "import sys; from pathlib import Path; from poolsift.writers.publish import DirectoryOutput as D\n"
            code += "try: D(Path(sys.argv[1]), 'csv')\nexcept Exception as e: sys.exit(e.exit_code)"
            ended = subprocess.run([sys.executable, "-c", code, tmp_path], check=False)

        assert ended.returncode == 8


class TestSingleFile:
    def test_the_file_and_its_manifest(self, tmp_path):
        out = open_output(tmp_path / "v.csv", None)
        out.write(batch())
        (part,) = out.finish()
        out.commit({})

        assert part.name == "v.csv"
        assert names(tmp_path) == ["v.csv", "v.csv.manifest.json"]

    def test_an_older_file_stays_until_commit(self, tmp_path):
        (tmp_path / "v.csv").write_text("old")
        out = open_output(tmp_path / "v.csv", None)
        out.write(batch())
        out.abort()

        assert (tmp_path / "v.csv").read_text() == "old"
        assert names(tmp_path) == ["v.csv"]

    def test_a_later_column_cannot_be_added(self, tmp_path):
        out = open_output(tmp_path / "v.parquet", None)
        out.write(batch(1, ["Size"]))
        with pytest.raises(OutputError, match="Subject"):
            out.write(batch(1, ["Size", "Subject"]))
        out.abort()


class TestOpenOutput:
    def test_by_name(self, tmp_path):
        for name, kind in (("x.parquet", SingleFileOutput), ("x", DirectoryOutput), ("x.d/", DirectoryOutput)):
            out = open_output(f"{tmp_path}/{name}", None)
            out.abort()

            assert type(out) is kind

    def test_raw_csv_without_csv_has_no_effect_and_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match="no effect"):
            open_output(tmp_path / "x.parquet", None, raw_csv=True)


class TestRejectFile:
    REJECT = Reject("a.csv", 3, 4, 99, "time", "timestamp", "not a time: 'x'", b"\xff,x")

    def test_it_appears_only_with_publish_and_only_with_rejects(self, tmp_path):
        file = RejectFile(tmp_path / "r.ndjson")

        assert file.publish() is None
        file(self.REJECT)

        assert not (tmp_path / "r.ndjson").exists()
        part = file.publish()
        line = orjson.loads((tmp_path / "r.ndjson").read_bytes())

        assert (part.rows, line["row"], line["code"], line["raw"]) == (1, 3, "timestamp", "/yx4")
        assert (tmp_path / "r.ndjson").stat().st_mode & 0o777 == 0o600

    def test_reset_forgets(self, tmp_path):
        file = RejectFile(tmp_path / "r.ndjson")
        file(self.REJECT)
        file.reset()

        assert file.publish() is None
        assert not list(tmp_path.iterdir())


class TestFaults:
    def test_a_full_disk_is_named(self, tmp_path):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
        try:
            file = HashedFile(tmp_path / "x")
            with pytest.raises(OutputError, match=str(tmp_path / "x")) as caught:
                file.write(b"y" * 5000)
            file.close()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)

        assert caught.value.code == "too_large"

    def test_a_failed_sync_is_final(self, tmp_path, monkeypatch):
        def fail(_):
            raise OSError(5, "Input/output error")

        out = DirectoryOutput(tmp_path / "o", "parquet")
        out.write(batch())
        monkeypatch.setattr("poolsift.writers.durable.os.fsync", fail)
        with pytest.raises(OutputError, match="Input/output error"):
            out.finish()
        out.abort()

        assert not (tmp_path / "o").exists()

    def test_a_link_in_place_of_the_temporary_file_is_not_followed(self, tmp_path):
        (tmp_path / "victim").write_text("mine")
        (tmp_path / ".tmp-m").symlink_to(tmp_path / "victim")
        write_durably(Path(tmp_path / "m"), b"data")

        assert (tmp_path / "victim").read_text() == "mine"
        assert (tmp_path / "m").read_bytes() == b"data"
