"""Files beside files: what the DNS commands must not take for theirs, and values that are none."""

import os
import subprocess
import sys

import pytest

from poolsift.demo.dns_server import DemoServer
from poolsift.writers.durable import write_durably

NAMES = {"contoso.com": {"A": "present", "MX": "present"}}


@pytest.fixture(scope="module")
def server():
    with DemoServer(NAMES) as running:
        yield running


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "in.ndjson"
    path.write_text('{"name": "contoso.com", "mail_from": "a@contoso.com"}\n')
    return path


def run(*arguments, **streams):
    command = [sys.executable, "-m", "poolsift", *map(os.fspath, map(str, arguments))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **streams)


def listing(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_cache_is_never_part_of_the_output(names, tmp_path, server):
    """An earlier output stays as it was, whichever of its files was named."""
    assert 0 == run("classify", names, "-o", tmp_path / "v", "-q").returncode
    before = listing(tmp_path / "v")
    live = ["classify", names, "-o", tmp_path / "v", "-q", "--dns", "live", "--resolver", server.address]
    ended = [
        run(*live, "--cache", tmp_path / "v" / name) for name in ("part-00000.parquet", "manifest.json", "new.sqlite")
    ]

    assert [2, 2, 2] == [one.returncode for one in ended], ended
    assert all("--cache" in one.stderr for one in ended)
    assert before == listing(tmp_path / "v")


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
def test_what_sqlite_keeps_beside_a_cache_is_no_input_and_no_output(tmp_path, server, suffix):
    """Refused before any file is touched."""
    read = tmp_path / f"c{suffix}"
    read.write_text("contoso.com\n")
    asked = ["--resolver", server.address, "--cache", tmp_path / "c"]
    as_input = run("resolve", read, "-o", tmp_path / "o.arrow", *asked)
    (tmp_path / "n.txt").write_text("contoso.com\n")
    as_output = run("resolve", tmp_path / "n.txt", "-o", read, *asked)

    assert (2, 2) == (as_input.returncode, as_output.returncode), (as_input, as_output)
    assert "contoso.com\n" == read.read_text()


def test_a_cache_leaves_files_of_others_beside_it(names, tmp_path, server):
    """A name that looks like one of its own is not."""
    (tmp_path / "c.new").write_text("precious")
    ended = run(
        "resolve", names, "-o", tmp_path / "o.arrow", "--resolver", server.address, "--cache", tmp_path / "c", "-q"
    )

    assert (0, "precious") == (ended.returncode, (tmp_path / "c.new").read_text())


def test_the_accounts_in_a_survey_directory_are_no_names(names, tmp_path, server):
    """What survey wrote is read as a whole, without its manifest."""
    assert 0 == run("survey", names, "-o", tmp_path / "ns", "-q").returncode
    ended = run("resolve", tmp_path / "ns", "-o", tmp_path / "o.arrow", "--resolver", server.address, "--cache", "none")

    assert 0 == ended.returncode, ended.stderr
    assert "distinct names 1\n" in ended.stderr


@pytest.mark.parametrize(
    "given",
    [
        ["--max-stale", "9" * 400 + "d"], ["--max-stale", "soon"], ["--timeout", "nan"], ["--rate", "nan"], ["--rate", "inf"],
        ["-o", "x" * 244], ["-o", "new/"], ["-o", ""],
    ],
)  # fmt: skip
def test_values_that_are_none_are_refused_before_any_work(names, tmp_path, given):
    ended = run(
        "resolve", names, "-o", tmp_path / "o.arrow", "--offline", "--resolver", "127.0.0.1", *given, cwd=tmp_path
    )

    assert 2 == ended.returncode, ended.stderr
    assert {"in.ndjson"} == {path.name for path in tmp_path.iterdir()}


def test_a_name_that_the_manifest_cannot_hold_is_refused_before_anything_is_replaced(names, tmp_path):
    assert 0 == run("classify", names, "-o", tmp_path / "v", "-q").returncode
    before = listing(tmp_path / "v")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/t\xff")
    with open(odd, "w", encoding="utf-8") as tenant:
        tenant.write('[[tenant]]\nname = "contoso"\naccepted_domains = ["contoso.com"]\n')
    ended = run("classify", names, "-o", tmp_path / "v", "-q", "--tenant", odd)

    assert 2 == ended.returncode, ended.stderr
    assert before == listing(tmp_path / "v")


def test_a_small_file_that_cannot_be_renamed_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(Exception, match="No space"):
        write_durably(tmp_path / "small", b"data")

    assert [] == list(tmp_path.iterdir())
