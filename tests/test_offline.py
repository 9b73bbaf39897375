"""--offline: not one socket is opened, which strace shows, and what would need one is refused before any work."""

import re
import shutil
import subprocess
import sys

import orjson
import pytest

from poolsift.cli import _run
from poolsift.dns.snapshot import Snapshot
from tests.dns.counting_server import CountingServer, world
from tests.test_engine import ndjson

NAMES = list(world(40))
#: Calls without which nothing leaves a process, nor reaches another one on this machine (AF_UNIX).
_CALLS = re.compile(rb"\b(socket|socketpair|connect|sendto|sendmsg|sendmmsg|bind|listen|accept4?)\(")


def calls(tmp_path, *arguments):
    """(exit code, the network calls of all threads and processes of a run, what it said)."""
    # A machine without strace cannot show this, so the test fails there (.ci/run installs it).
    assert shutil.which("strace"), "strace is not installed"
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=%network", "-o", trace, sys.executable, "-m", "poolsift", *arguments]
    ended = subprocess.run(list(map(str, command)), capture_output=True, check=False, timeout=120)
    found = [line for line in trace.read_bytes().splitlines() if _CALLS.search(line)]
    return ended.returncode, found, ended.stderr.decode()


@pytest.fixture
def archive(tmp_path):
    known = {"direction": "outbound", "recipient": "b@y.example", "status": "delivered", "spf": "pass"}
    return ndjson(tmp_path / "in.ndjson", [{**known, "mail_from": f"a@{name}"} for name in NAMES])


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in [*NAMES, "never-asked.example"]))
    return path


@pytest.fixture
def asked(tmp_path):
    """A resolver's address, and a cache with its answers of before; nobody listens there any more."""
    (tmp_path / "before.txt").write_text("".join(f"{name}\n" for name in NAMES))
    with CountingServer(world(40)) as server:
        given = ["-o", tmp_path / "before.arrow", "--resolver", server.address, "--rate", 0, "--zone-cap", 0, "-q"]
        assert 0 == _run(
            [*map(str, ["resolve", tmp_path / "before.txt", *given, "--cache", tmp_path / "cache.sqlite"])]
        )
    return server.address


def test_the_trace_sees_the_sockets_of_a_run_that_asks(tmp_path, names):
    """Else the two tests below could not fail; the resolver alone is looked at, for there is no name to ask about."""
    names.write_text("printer\n")
    given = ["resolve", names, "-o", tmp_path / "dns.arrow", "--cache", "none", "--resolver", "127.0.0.1:9"]
    _, found, _ = calls(tmp_path, *given, "--attempts", 1, "--timeout", 0.1, "-q")

    assert any(b"AF_INET" in line for line in found)


@pytest.mark.parametrize("threads", [1, 3])
def test_classify_opens_no_socket(tmp_path, archive, asked, threads):
    """With a snapshot every name has its verdict."""
    given = ["--snapshot", tmp_path / "before.arrow", "-o", tmp_path / "out.ndjson", "--threads", threads]
    code, found, said = calls(tmp_path, "classify", archive, "--offline", *given)
    pools = {orjson.loads(line)["pool"] for line in (tmp_path / "out.ndjson").read_bytes().splitlines()}

    assert (0, []) == (code, found), said
    assert {"normal", "high_risk"} == pools
    assert f"DNS answers from {tmp_path / 'before.arrow'}" in said


def test_resolve_opens_no_socket_and_loses_nothing(tmp_path, names, asked):
    """What the cache holds fresh is in the snapshot; the rest is unknown, and says why."""
    given = ["--cache", tmp_path / "cache.sqlite", "--resolver", asked, "-o", tmp_path / "dns.arrow"]
    code, found, said = calls(tmp_path, "resolve", names, "--offline", *given)
    offline, before = Snapshot.open(str(tmp_path / "dns.arrow")), Snapshot.open(str(tmp_path / "before.arrow"))
    rows = offline.rows.to_pylist()

    assert (0, []) == (code, found), said
    assert before.rows.to_pylist() == [row for row in rows if row["name"] != "never-asked.example"]
    assert [("A", "unknown", "offline"), ("MX", "unknown", "offline")] == [
        (row["rdtype"], row["status"], row["reason"]) for row in rows if row["name"] == "never-asked.example"
    ]
    assert "asked nobody (offline)\n" in said
    assert "it knew 40 names" in said


def test_all_known_can_be_required_offline_too(tmp_path, names, asked, capfd):
    """One name is not in the cache."""
    given = ["--cache", tmp_path / "cache.sqlite", "--resolver", asked, "-o", tmp_path / "dns.arrow", "--require-dns"]
    code = _run([*map(str, ["resolve", names, "--offline", *given])])

    assert 7 == code
    assert "1 of 41 names" in capfd.readouterr().err
    assert not (tmp_path / "dns.arrow").exists()


@pytest.mark.parametrize(
    "given",
    [["in.ndjson", "--dns", "live", "--resolver", "127.0.0.1:9"], ["s3://bucket/in.ndjson"], ["in.ndjson", "gs://b/x"]],
)
def test_what_needs_the_network_is_refused(tmp_path, archive, monkeypatch, capfd, given):
    """Before any work: nothing is written."""
    monkeypatch.chdir(tmp_path)
    code = _run(["classify", *given, "--offline", "-o", "out"])

    assert 2 == code
    assert "--offline: asks the network" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("given", ["s3://bucket/names.txt", "abfs://c@a/names.txt"])
def test_names_from_the_network_are_refused_too(tmp_path, capfd, given):
    code = _run(
        ["resolve", given, "--offline", "--resolver", "127.0.0.1:9", "-o", str(tmp_path / "o"), "--cache", "none"]
    )

    assert 2 == code
    assert "--offline: asks the network" in capfd.readouterr().err
