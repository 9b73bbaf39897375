"""The snapshot writer: bytes of `Snapshot.write`, in bounded memory, under its name only when whole."""

import errno
import os
import resource
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.dns.snapshot import Snapshot
from poolsift.dns.snapshot_form import BATCH_ROWS
from poolsift.dns.snapshot_writer import SnapshotWriter
from poolsift.errors import OutputError

ASKED_AT = datetime(2026, 11, 1, 12, 0, 0, 250, tzinfo=UTC)
MANIFEST = {"started": "2026-11-01T12:00:00+00:00", "resolvers": "127.0.0.1:53", "version_poolsift": "0.1.0"}
PRESENT = Answer(AnswerStatus.PRESENT, ("10 a.example", "20 b.example"), 300, None, ASKED_AT)
ABSENT = Answer(AnswerStatus.ABSENT, (), None, Reason.NODATA, ASKED_AT, confirmed=True)
INVALID = Answer(AnswerStatus.INVALID, reason=Reason.SINGLE_LABEL)
SOME = [("a.example", {"MX": PRESENT}), ("b.example", {"MX": ABSENT, "A": ABSENT}), ("printer", {"MX": INVALID})]


def many():
    """More than a batch; the first one has cells without value in every column that may, the second has none."""
    for number in range(BATCH_ROWS):
        yield f"a{number:06}.example", {"A": INVALID}
    for number in range(3_000):
        yield f"b{number:06}.example", {"MX": PRESENT}


def written(path, rows, manifest=MANIFEST):
    writer = SnapshotWriter(str(path), manifest)
    for name, answers in rows:
        writer.add(name, answers)
    return writer.finish()


def as_rows(content):
    return [
        {
            "name": name, "rdtype": rdtype, "status": one.status, "reason": one.reason, "ttl": one.ttl,
            "asked_at": one.asked_at, "confirmed": one.confirmed, "rdata": list(one.rdata),
        }
        for name, answers in content
        for rdtype, one in answers.items()
    ]  # fmt: skip


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
@pytest.mark.parametrize("content", [list, lambda: SOME, many], ids=["nothing", "some", "many"])
def test_bytes_are_those_of_the_snapshot(tmp_path, ending, content):
    """Made of the same rows, and read and written again."""
    first, second, third = (tmp_path / f"{number}.{ending}" for number in range(3))
    sha256 = written(first, content())
    Snapshot.from_rows(as_rows(content()), MANIFEST).write(str(second))
    Snapshot.open(str(first)).write(str(third))

    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() == third.read_bytes()
    assert Snapshot.open(str(first)).sha256 == sha256


def test_the_form_is_that_of_the_ending_and_the_rows_are_counted(tmp_path):
    writer = SnapshotWriter(str(tmp_path / "dns.parquet"), MANIFEST)
    for name, answers in SOME:
        writer.add(name, answers)
    writer.finish()
    table = pq.read_table(tmp_path / "dns.parquet")

    assert (4, 4) == (writer.rows, table.num_rows)
    assert ["A", "MX"] == table["rdtype"].to_pylist()[1:3]
    assert ASKED_AT == table["asked_at"][0].as_py()


def test_nothing_is_seen_under_the_name_before_it_is_whole(tmp_path):
    """An older snapshot stays as it is, also where the new one is given up."""
    path = tmp_path / "dns.arrow"
    path.write_bytes(b"older")
    writer = SnapshotWriter(str(path), MANIFEST)
    for name, answers in many():
        writer.add(name, answers)

    assert b"older" == path.read_bytes()
    writer.abandon()
    assert (b"older", ["dns.arrow"]) == (path.read_bytes(), os.listdir(tmp_path))


def test_the_file_is_for_its_owner_alone(tmp_path):
    """It tells who mails whom."""
    written(tmp_path / "dns.arrow", SOME)

    assert 0o600 == (tmp_path / "dns.arrow").stat().st_mode & 0o777


@pytest.mark.parametrize("name", ["a.example", "a", ""])
def test_names_out_of_order_are_refused(tmp_path, name):
    """A reader searches by halves: it would not find them."""
    writer = SnapshotWriter(str(tmp_path / "dns.arrow"), MANIFEST)
    writer.add("a.example", {"MX": PRESENT})
    with pytest.raises(OutputError) as caught:
        writer.add(name, {"MX": PRESENT})
    writer.abandon()

    assert "not_sorted" == caught.value.code


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path):
    """Not even a file that looks like a snapshot."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = SnapshotWriter(str(tmp_path / "dns.arrow"), MANIFEST)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(OutputError) as caught:
            for name, answers in many():
                writer.add(name, answers)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        writer.abandon()

    assert ("too_large", [], 6) == (caught.value.code, os.listdir(tmp_path), caught.value.exit_code)


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_end_is_named_and_leaves_nothing(tmp_path, monkeypatch, call, ending):
    """An older snapshot stays as it is."""

    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / f"dns.{ending}").write_bytes(b"older")
    writer = SnapshotWriter(str(tmp_path / f"dns.{ending}"), MANIFEST)
    writer.add("a.example", {"MX": PRESENT})
    with monkeypatch.context() as broken:
        broken.setattr(os, call, failing)
        with pytest.raises(OutputError):
            writer.finish()
    writer.abandon()

    assert [f"dns.{ending}"] == os.listdir(tmp_path)
    assert b"older" == (tmp_path / f"dns.{ending}").read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OutputError) as caught:
        SnapshotWriter(str(tmp_path / "missing" / "dns.arrow"), MANIFEST)

    assert str(tmp_path / "missing") in str(caught.value)


def test_what_is_written_is_read_in_batches(tmp_path):
    """A million names are never in memory at once."""
    written(tmp_path / "dns.arrow", many())
    with pa.memory_map(str(tmp_path / "dns.arrow")) as source, pa.ipc.open_file(source) as reader:
        sizes = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]

    assert [BATCH_ROWS, 3_000] == sizes
