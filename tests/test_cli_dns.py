"""classify and demo with DNS: live equals a snapshot, snapshots give the same bytes for ever, unknown never becomes a verdict."""

import os
import signal
import subprocess
import sys
import time

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.cli import _run, classify
from poolsift.dns import servers
from poolsift.dns.cache import DnsCache
from poolsift.errors import UsageError
from tests.dns.counting_server import CountingServer, world
from tests.dns.tiny_server import TinyServer
from tests.test_engine import ndjson

NAMES = list(world(48))
BASE = {"direction": "outbound", "recipient": "b@y.example", "status": "delivered", "spf": "pass", "dkim": "none"}


@pytest.fixture
def server():
    with CountingServer(world(48)) as running:
        yield running


@pytest.fixture
def inputs(tmp_path):
    """Several files, whose senders overlap."""
    return [
        ndjson(
            tmp_path / f"in{part}.ndjson",
            [{**BASE, "mail_from": f"a@{name}"} for name in NAMES[part * 8 : part * 8 + 32]],
        )
        for part in range(3)
    ]


@pytest.fixture
def run(tmp_path, capfd):
    """(exit code, standard error) of `classify` into a file of tmp_path."""

    def called(inputs, out, *given):
        code = _run([*map(str, ["classify", *inputs, "-o", tmp_path / out, *given])])
        return code, capfd.readouterr().err

    return called


def live(server, *given, cache="none"):
    return ["--dns", "live", "--resolver", server.address, "--rate", 0, "--cache", cache, *given]


def snapshot(server, tmp_path, out="dns.arrow"):
    """A snapshot of what the server says."""
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{name}\n" for name in NAMES))
    given = ["--resolver", server.address, "--rate", 0, "--attempts", 1, "--cache", "none", "-q"]
    assert 0 == _run([*map(str, ["resolve", names, "-o", tmp_path / out, *given])])
    return tmp_path / out


def rows(path):
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("threads", [1, 3])
def test_live_gives_the_bytes_of_a_snapshot_with_the_same_truth(server, inputs, run, tmp_path, threads):
    known = snapshot(server, tmp_path)
    by_snapshot, _ = run(inputs, "snapshot.ndjson", "--snapshot", known)
    by_asking, said = run(inputs, "live.ndjson", *live(server), "--threads", threads)

    assert (0, 0) == (by_snapshot, by_asking)
    assert (tmp_path / "snapshot.ndjson").read_bytes() == (tmp_path / "live.ndjson").read_bytes()
    assert {"normal", "high_risk"} == {row["pool"] for row in rows(tmp_path / "live.ndjson")}
    assert f"DNS answers from live: {server.address}\n" == said.splitlines(keepends=True)[0]


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_the_same_snapshot_gives_the_same_bytes_for_any_number_of_threads(server, inputs, run, tmp_path, ending):
    """Two runs by one thread among them."""
    known = snapshot(server, tmp_path, f"dns.{ending}")
    outputs = []
    for number, threads in enumerate((1, 1, 2, 4)):
        run(inputs, f"{number}.parquet", "--snapshot", known, "--threads", threads)
        outputs.append((tmp_path / f"{number}.parquet").read_bytes())

    assert [outputs[0]] * 4 == outputs
    assert {"normal", "high_risk"} == set(pq.read_table(tmp_path / "0.parquet")["pool"].to_pylist())


def test_resolvers_and_cache_are_named(server, inputs, run, tmp_path):
    """In the first line of the summary and in the manifest; the next run asks nobody."""
    cache = tmp_path / "c.sqlite"
    code, said = run(inputs, "out", *live(server, cache=cache))
    before = server.mark()
    again, _ = run(inputs, "again", *live(server, cache=cache))
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())

    assert (0, 0, before) == (code, again, server.mark())
    assert f"DNS answers from live: {server.address} (cache {cache})" == said.splitlines()[0]
    assert f"live: {server.address} (cache {cache})" == manifest["verdicts"]["dns"]
    assert [server.address] == manifest["verdicts"]["dns_live"]["resolvers"]


@pytest.mark.parametrize("fault", ["servfail", "silent"])
def test_a_failure_is_undetermined_and_named_in_the_manifest(server, inputs, run, tmp_path, fault):
    server.zones[NAMES[20]] = fault
    code, _ = run(inputs, "out", *live(server, "--timeout", 0.3), "--to", "ndjson")
    found = {row["sender_domain"]: row["pool"] for row in rows(tmp_path / "out" / "part-00000.ndjson")}
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())
    reason = {"silent": "timeout"}.get(fault, fault)

    assert (0, "undetermined") == (code, found.pop(NAMES[20]))
    assert {"normal", "high_risk"} == set(found.values())
    assert {reason: 1} == manifest["verdicts"]["dns_live"]["unknown"]


def test_a_resolver_that_lies_is_a_warning(run, tmp_path):
    """What it makes up sends nobody to a pool."""
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "mail_from": f"a@{name}"} for name in NAMES[:3]])
    with TinyServer({}, everything=["203.0.113.9"]) as liar:
        code, said = run([source], "out.ndjson", *live(liar))

    assert 0 == code
    assert said.startswith(
        f"warning: resolver {liar.address} gives addresses for names that do not exist (203.0.113.9)"
    )
    assert {"undetermined"} == {row["pool"] for row in rows(tmp_path / "out.ndjson")}


@pytest.mark.parametrize("quiet", [False, True])
def test_the_resolver_of_the_system_is_named(run, tmp_path, monkeypatch, quiet):
    """Before it is asked; quiet is quiet, and the manifest names it in any case."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\n")
    monkeypatch.setattr(servers, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "mail_from": "a@printer"}])
    given = ["--dns", "live", "--cache", "none", "--timeout", 0.1, *(["-q"] if quiet else [])]
    code, said = run([source], "out", *given)
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())

    assert 0 == code
    assert quiet != said.startswith("asking the system's resolver 127.0.0.77:53 (")
    assert "live: 127.0.0.77:53" == manifest["verdicts"]["dns"]


class TestRequireDns:
    def test_a_name_that_the_snapshot_lacks_publishes_nothing(self, server, inputs, run, tmp_path):
        """An older output stays as it was."""
        known = snapshot(server, tmp_path)
        more = ndjson(tmp_path / "more.ndjson", [{**BASE, "mail_from": "a@lacking.example"}])
        (tmp_path / "out.ndjson").write_bytes(b"older\n")
        code, said = run([*inputs, more], "out.ndjson", "--snapshot", known, "--require-dns")

        assert (7, b"older\n") == (code, (tmp_path / "out.ndjson").read_bytes())
        assert "1 of 49 names have no definite DNS answer" in said

    def test_a_name_that_cannot_be_found_out_publishes_nothing(self, server, inputs, run, tmp_path):
        server.zones[NAMES[3]] = "servfail"
        code, said = run(inputs, "out", *live(server, "--require-dns"))

        assert 7 == code
        assert "1 of 48 names have no definite DNS answer" in said
        assert [] == [path for path in (tmp_path / "out").rglob("*") if not path.name.startswith(".")]

    @pytest.mark.parametrize("how", ["snapshot", "live"])
    def test_all_known_is_enough(self, server, inputs, run, tmp_path, how):
        """Names that nobody can ask about are known."""
        odd = ndjson(
            tmp_path / "odd.ndjson", [{**BASE, "mail_from": one} for one in ("a@printer", "a@[192.0.2.1]", "<>")]
        )
        given = live(server) if how == "live" else ["--snapshot", snapshot(server, tmp_path)]
        code, said = run([*inputs, odd], "out.ndjson", *given, "--require-dns")

        assert 0 == code, said
        assert len(rows(tmp_path / "out.ndjson")) == 3 * 32 + 3

    def test_without_dns_it_makes_no_sense(self, inputs, run, tmp_path):
        code, said = run(inputs, "out", "--require-dns")

        assert 2 == code
        assert "expected a snapshot or live DNS" in said
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["--dns", "live", "--snapshot", "dns.arrow"], "--dns live"),
        (["--dns", "off", "--snapshot", "dns.arrow"], "--dns off"),
        (["--resolver", "127.0.0.1"], "--resolver"),
        (["--cache", "c.sqlite"], "--cache"),
        (["--dns", "live", "--resolver", "resolver.example"], "--resolver"),
        (["--dns", "live", "--resolver", "127.0.0.1:0"], "--resolver"),
        (["--dns", "live", "--resolver", "127.0.0.1", "--cache", "in0.ndjson"], "--cache"),
        (["--dns", "live", "--resolver", "127.0.0.1", "--cache", "tenant.toml", "--tenant", "tenant.toml"], "--cache"),
    ],
)
def test_options_that_contradict_each_other_are_refused(inputs, run, tmp_path, monkeypatch, given, word):
    """Nothing is written; what is read and named as the cache is not set aside as a damaged one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tenant.toml").write_text('[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com"]\n')
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, said = run([*inputs[1:], "in0*"], "out.ndjson", *given)

    assert 2 == code
    assert word in said
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_cache_is_compared_with_files_only(tmp_path):
    """Inputs that only the network reaches are not looked up for it."""
    classify._refuse_cache(str(tmp_path / "c.sqlite"), ("s3://bucket/in.ndjson",), (None,), "-", None)
    (tmp_path / "in.ndjson").write_text("")
    with pytest.raises(UsageError):
        classify._refuse_cache(
            str(tmp_path / "in.ndjson"), ("s3://bucket/x", f"file://{tmp_path}/in.ndjson"), (), "-", None
        )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_live_run_and_keeps_what_was_learned(tmp_path, number, code):
    """Without verdicts and without a word."""
    zones = world(3_000)
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "mail_from": f"a@{name}"} for name in zones])
    with CountingServer(zones) as server:
        given = live(server, "--rate", 200, cache=tmp_path / "c.sqlite")
        command = [sys.executable, "-m", "poolsift", "classify", source, "-o", tmp_path / "out", *given]
        child = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while len(server.log) < 150 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(number)
        said = child.communicate(timeout=30)[1]
        with DnsCache.open(str(tmp_path / "c.sqlite"), view=server.address) as cache:
            known = len(cache)

    assert (code, b"") == (child.returncode, said)
    # The cap lets 1,000 names of the zone through, of which 1,900 questions would have been asked.
    assert len(server.log) < 1_200
    assert 0 < known
    assert [] == [path for path in tmp_path.glob("out/*") if path.name.startswith("part")]


def test_the_demo_is_the_same_live(tmp_path, capfd):
    """Row for row, with a server on loopback of its own; no cache of the user is touched."""
    home = tmp_path / "home"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    for how in ("snapshot", "live"):
        command = [sys.executable, "-m", "poolsift", "demo", str(tmp_path / how), "--messages", "2000", "--dns", how]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=200, env=environment)
        assert 0 == ended.returncode, ended.stderr.decode()
        assert ("DNS answers from live: 127.0.0.1:" in ended.stderr.decode()) == (how == "live")
    offline, asked = (
        pa.concat_tables(map(pq.read_table, sorted((tmp_path / how / "verdicts").glob("part-*"))))
        for how in ("snapshot", "live")
    )
    names = ["input", "pool", "rule", "fix", "sender_domain"]

    assert offline.num_rows > 2_000
    assert _without_folder(offline, tmp_path / "snapshot") == _without_folder(asked, tmp_path / "live")
    assert set(names) <= set(asked.column_names)
    assert not home.exists()


def _without_folder(table, folder):
    """All rows; inputs are named from the folder on."""
    return [{**row, "input": row["input"].removeprefix(str(folder))} for row in table.to_pylist()]
