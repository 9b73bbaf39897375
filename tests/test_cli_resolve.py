"""poolsift resolve as people call it: every form of names, every ending with its exit code, signals, two runs at once."""

import gzip
import io
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.cli import _run, dns_options
from poolsift.dns import servers
from poolsift.dns.cache import DnsCache
from poolsift.dns.snapshot import Snapshot
from poolsift.engines.survey_store import SCHEMA
from poolsift.writers.durable import Lock
from tests.dns.counting_server import CountingServer, world
from tests.dns.tiny_server import TinyServer
from tests.test_engine import ndjson

NAMES = list(world(24))
TENANT = '[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com"]\n'
ZONES = {"contoso.com": {"MX": ["10 mail.contoso.com."]}, "mail.contoso.com": {"A": ["192.0.2.1"]}}


@pytest.fixture(scope="module")
def server():
    with CountingServer({**world(24), **ZONES}) as running:
        yield running


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in NAMES))
    return path


def arguments(server, *given, cache="none"):
    return [
        *map(str, ["resolve", *given, "--resolver", server.address, "--rate", 0, "--attempts", 1, "--cache", cache])
    ]


@pytest.fixture
def run(server, tmp_path, capfd):
    """(exit code, what went to standard output, what went to standard error) of a run into dns.arrow."""

    def called(*given, **options):
        code = _run(arguments(server, *given, "-o", tmp_path / "dns.arrow", **options))
        return code, *capfd.readouterr()

    return called


def child(*given, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "poolsift", *map(str, given)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def held(tmp_path):
    return set(Snapshot.open(str(tmp_path / "dns.arrow")).rows["name"].to_pylist())


def forms():
    """The same names in every form that is read."""
    rows = [{"name": name} for name in NAMES]
    table = pa.Table.from_pylist(rows)
    survey = pa.Table.from_pylist(
        [{"kind": "domain", "records": 1, **row} for row in rows]
        + [{"kind": "spf", "name": "mail.example", "client_ip": "192.0.2.1", "records": 1}],
        schema=SCHEMA,
    )
    sinks = [io.BytesIO() for _ in range(3)]
    pq.write_table(table, sinks[0])
    pq.write_table(survey, sinks[1])
    with pa.ipc.new_file(sinks[2], table.schema) as writer:
        writer.write_table(table)
    text = "".join(f"{name}\n" for name in NAMES).encode()
    return {
        "text": b"# of today\n\n" + text, "gzip": gzip.compress(text), "csv": b"rank,domain\n" + text.replace(b"n", b"1,n", 1).replace(b"\nn", b"\n2,n"),
        "ndjson": b"".join(orjson.dumps(row) + b"\n" for row in rows),
        "parquet": sinks[0].getvalue(), "survey": sinks[1].getvalue(), "arrow": sinks[2].getvalue(),
    }  # fmt: skip


class TestNames:
    @pytest.mark.parametrize("form", forms())
    def test_of_any_form_are_read(self, run, tmp_path, form):
        (tmp_path / "in").write_bytes(forms()[form])
        code, out, said = run(tmp_path / "in")

        assert (0, "") == (code, out)
        assert {*NAMES, *(["mail.example"] if form == "survey" else [])} == held(tmp_path)
        assert "distinct names 24" in said

    def test_come_from_standard_input(self, server, names, tmp_path):
        given = arguments(server, "-", "-o", tmp_path / "dns.arrow", "-q")
        ended = child(*given, stdin=subprocess.PIPE)

        assert (b"", b"") == ended.communicate(names.read_bytes(), timeout=60)
        assert (0, set(NAMES)) == (ended.returncode, held(tmp_path))

    def test_come_from_a_survey_of_an_archive(self, run, tmp_path, capfd):
        """The two commands belong together."""
        source = ndjson(tmp_path / "in.ndjson", [{"mail_from": f"a@{name}"} for name in NAMES])
        surveyed = _run(["survey", source, "-o", str(tmp_path / "names.parquet"), "-q"])
        code, _, _ = run(tmp_path / "names.parquet")

        assert (0, 0, set(NAMES)) == (surveyed, code, held(tmp_path))


class TestEndings:
    @pytest.fixture
    def some_bad(self, names):
        names.write_text(names.read_text() + "not a name\n192.0.2.1\n")
        return names

    def test_rejected_rows_are_kept_and_are_no_clean_ending(self, run, some_bad, tmp_path):
        code, _, said = run(some_bad)
        rejects = [orjson.loads(line) for line in (tmp_path / "dns.arrow.rejects.ndjson").read_bytes().splitlines()]

        assert 3 == code
        assert [(25, "not_a_name"), (26, "not_a_name")] == [(one["row"], one["code"]) for one in rejects]
        assert f"rejected rows: {tmp_path / 'dns.arrow.rejects.ndjson'}" in said
        assert set(NAMES) == held(tmp_path)

    def test_unless_that_is_allowed(self, run, some_bad):
        assert 0 == run(some_bad, "--allow-rejects")[0]

    def test_too_many_end_the_run_without_a_trace(self, run, server, some_bad, tmp_path):
        before = server.mark()
        code, _, said = run(some_bad, "--max-rejects", 1)

        assert 4 == code
        assert "2 rows rejected, 1 allowed" in said
        assert [some_bad] == list(tmp_path.iterdir())
        assert before == server.mark()

    @pytest.mark.parametrize(("options", "expected"), [([], 5), (["--allow-truncated"], 0)])
    def test_a_damaged_input_gives_what_it_held(self, run, names, tmp_path, options, expected):
        """One name too many does no harm."""
        (tmp_path / "more.txt.gz").write_bytes(gzip.compress(b"contoso.com\n" * 3)[:-6])
        code, _, said = run(names, tmp_path / "more.txt.gz", *options)

        assert expected == code
        assert "more.txt.gz" in said
        assert {*NAMES, "contoso.com"} >= held(tmp_path) >= set(NAMES)

    def test_an_unknown_name_where_all_must_be_known(self, run, server, names, tmp_path, monkeypatch):
        monkeypatch.setitem(server.zones, NAMES[1], "servfail")
        (tmp_path / "dns.arrow").write_bytes(b"older")
        monkeypatch.setattr("poolsift.engines.name_answers.time.sleep", lambda _: None)
        code, out, said = run(names, "--require-dns")

        assert (7, "", b"older") == (code, out, (tmp_path / "dns.arrow").read_bytes())
        assert "1 of 24 names have no definite DNS answer" in said

    def test_all_known_where_all_must_be_known(self, run, names):
        assert 0 == run(names, "--require-dns")[0]

    @pytest.mark.parametrize("place", ["missing/dns.arrow", "names.txt/dns.arrow", "x" * 300])
    def test_a_place_that_cannot_be_written_is_named_before_anybody_is_asked(
        self, server, names, tmp_path, capfd, place
    ):
        before = server.mark()
        code = _run(arguments(server, names, "-o", tmp_path / place))

        assert code == (2 if len(place) > 200 else 6)
        assert place.partition("/")[0][:50] in capfd.readouterr().err
        assert before == server.mark()

    @pytest.mark.parametrize(
        "given",
        [
            ["names.txt", "-o", "names.txt"], ["names.txt", "-o", "tenant.toml", "--tenant", "tenant.toml"],
            ["names.txt", "-o", "c.sqlite", "--cache", "c.sqlite"], ["names.txt", "-o", "new", "--cache", "names.txt"],
            ["names.txt", "-o", "new", "--cache", "tenant.toml", "--tenant", "tenant.toml"], ["names.txt", "-o", "-"], ["names.txt", "-o", "."],
            ["names.txt", "-o", "new", "--resolver", "localhost"], ["names.txt", "-o", "new", "--need", "verdicts"],
            ["names.txt", "-o", "new", "--max-stale", "1 week"], ["names.txt", "-o", "new", "--rate", "-1"],
            ["missing.txt", "-o", "new"], ["names.txt"], ["-o", "new"],
        ],
    )  # fmt: skip
    def test_what_is_refused_changes_nothing(self, server, names, tmp_path, monkeypatch, capfd, given):
        """Names, tenant file and cache are not overwritten, whatever is meant by it."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tenant.toml").write_text(TENANT)
        options = [] if "--resolver" in given else ["--resolver", server.address]
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        code = _run(["resolve", *given, *options, *([] if "--cache" in given else ["--cache", "none"])])

        assert 2 == code
        assert capfd.readouterr().err
        assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}

    def test_another_run_into_the_same_snapshot(self, run, names, tmp_path):
        lock = Lock(tmp_path / ".dns.arrow.lock")
        code, _, said = run(names)
        lock.release()

        assert 8 == code
        assert f"pid {os.getpid()}" in said


class TestWhatIsSaid:
    def test_the_summary_adds_up(self, run, server, names, tmp_path):
        code, out, said = run(names)

        assert (0, "") == (code, out)
        assert f"asked {server.address}: " in said
        assert "rows in 24 = names 24 + SPF tuples 0 + left aside 0 + rejected 0; distinct names 24" in said
        assert "  have A or MX       15\n  neither A nor MX   9\n" in said
        assert said.endswith(f"snapshot: {tmp_path / 'dns.arrow'}\n")

    def test_json_is_one_object_on_standard_output(self, run, server, names, monkeypatch):
        """Whatever the names came to."""
        monkeypatch.setitem(server.zones, NAMES[1], "servfail")
        monkeypatch.setattr("poolsift.engines.name_answers.time.sleep", lambda _: None)
        names.write_text(names.read_text() + "printer\nx.local\n")
        code, out, said = run(names, "--json", "-q")
        summary = orjson.loads(out)

        assert (0, "") == (code, said)
        assert ({"servfail": 1}, {"single_label": 1, "special_use": 1}) == (summary["unknown"], summary["invalid"])
        assert summary["names"] == 26 == summary["resolves"] + summary["neither"] + 3
        assert ([server.address], 24) == (summary["resolvers"], summary["asked"])

    def test_json_of_a_run_that_asked_nobody(self, run, names):
        code, out, _ = run(names, "--json", "-q", "--offline")

        assert (0, {"offline": 24}, []) == (code, orjson.loads(out)["unknown"], orjson.loads(out)["resolvers"])

    def test_the_resolver_of_the_system_is_named(self, names, tmp_path, monkeypatch, capfd):
        """Nobody is asked behind one's back; where it is dead, every name is unknown."""
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.77\n")
        monkeypatch.setattr(servers, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
        names.write_text("contoso.com\n")
        code = _run(["resolve", str(names), "-o", str(tmp_path / "o"), "--cache", "none", "--offline"])
        quiet = capfd.readouterr().err
        asked = dns_options.servers(())
        said = capfd.readouterr().err

        assert (0, ["127.0.0.77:53"]) == (code, list(map(str, asked)))
        assert "asking the system's resolver" not in quiet
        assert (
            f"asking the system's resolver 127.0.0.77:53 ({tmp_path / 'resolv.conf'}); --resolver names another\n"
            == said
        )

    def test_a_system_without_resolver_says_what_helps(self, names, tmp_path, monkeypatch, capfd):
        (tmp_path / "resolv.conf").write_text("search example.com\n")
        monkeypatch.setattr(servers, "RESOLV_CONF", str(tmp_path / "resolv.conf"))
        code = _run(["resolve", str(names), "-o", str(tmp_path / "o"), "--cache", "none"])

        assert 2 == code
        assert "resolv.conf: names no resolver" in (said := capfd.readouterr().err)
        assert "expected --resolver ADDRESS" in said

    def test_a_resolver_that_lies_is_a_warning(self, names, tmp_path, capfd, monkeypatch):
        monkeypatch.setattr("poolsift.engines.name_answers.time.sleep", lambda _: None)
        with TinyServer({}, everything=["203.0.113.9"]) as liar:
            names.write_text("contoso.com\n")
            code = _run(arguments(liar, names, "-o", tmp_path / "o", "-q"))

        assert 7 == code
        assert capfd.readouterr().err.startswith(
            f"warning: resolver {liar.address} gives addresses for names that do not exist"
        )

    def test_several_resolvers_are_asked(self, server, names, tmp_path):
        """By one option or several; each has its part."""
        with CountingServer(world(24)) as one, CountingServer(world(24)) as two:
            given = ["resolve", names, "-o", tmp_path / "dns.arrow", "--cache", "none", "--rate", 0, "-q"]
            code = _run([*map(str, given), "--resolver", f"{one.address},{two.address}", "--resolver", one.address])
            counts = one.mark(), two.mark()

        assert 0 == code
        assert min(counts) > 10
        assert (
            " ".join(sorted([one.address, two.address]))
            == Snapshot.open(str(tmp_path / "dns.arrow")).manifest["resolvers"]
        )


def test_options_reach_the_run(run, server, names, tmp_path):
    """Need, tenant, cap, processes and the form of the output."""
    (tmp_path / "tenant.toml").write_text(TENANT)
    code, _, said = run(names, "--tenant", tmp_path / "tenant.toml", "--need", "full", "--zone-cap", 3)
    rows = Snapshot.open(str(tmp_path / "dns.arrow")).rows.to_pylist()
    known = {(row["name"], row["rdtype"]): row["status"] for row in rows}

    assert 0 == code
    assert "unknown: zone cap  21" in said
    assert "also 1 accepted domains and their 1 mail hosts" in said
    assert {"present"} == {known["contoso.com", "MX"], known["mail.contoso.com", "A"]}
    assert 3 == sum(status != "unknown" for (name, rdtype), status in known.items() if name in NAMES and rdtype == "A")


def test_processes_and_parquet(server, names, tmp_path):
    """The same rows by two processes."""
    codes = [
        _run(arguments(server, names, "-q", "-o", tmp_path / out, "--processes", processes))
        for processes, out in ((1, "1.parquet"), (2, "2.parquet"))
    ]
    one, two = (pq.read_table(tmp_path / out).drop_columns(["asked_at"]) for out in ("1.parquet", "2.parquet"))

    assert [0, 0] == codes
    assert one.equals(two)


@pytest.mark.parametrize("asked", ["1", "90s", "15m", "36h", "3d"])
def test_durations_are_read(asked):
    expected = {"1": 1, "90s": 90, "15m": 900, "36h": 129_600, "3d": 259_200}

    assert expected[asked] == dns_options.seconds(None, None, asked)


@pytest.mark.parametrize(
    ("environment", "asked", "expected"),
    [
        ({"XDG_CACHE_HOME": "/x"}, None, "/x/poolsift/dns.sqlite"),
        ({"XDG_CACHE_HOME": "x", "HOME": "/h"}, None, "/h/.cache/poolsift/dns.sqlite"),
        ({"HOME": "/h"}, None, "/h/.cache/poolsift/dns.sqlite"),
        ({"HOME": "/h"}, "none", None),
        ({"HOME": "/h"}, "c.sqlite", "c.sqlite"),
    ],
)
def test_the_cache_lies_where_users_keep_caches(monkeypatch, environment, asked, expected):
    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert expected == dns_options.cache_path(asked)


@pytest.fixture
def many():
    """A server with enough names that a run is still going when something happens to it."""
    with CountingServer(world(3_000)) as running:
        yield running


@contextmanager
def going(server, tmp_path, out="dns.arrow", *more):
    """A slow run over 3,000 names, after its first questions."""
    (tmp_path / "many.txt").write_text("".join(f"{name}\n" for name in world(3_000)))
    more = (*more, "--zone-cap", 0)
    given = arguments(server, tmp_path / "many.txt", "-o", tmp_path / out, *more, cache=tmp_path / "cache.sqlite")
    given[given.index("--rate") + 1] = "200"
    started = child(*given)
    try:
        deadline = time.monotonic() + 60
        while len(server.log) < 100 and started.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        yield started
    finally:
        started.kill()
        started.communicate()


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_and_keeps_what_was_learned(many, tmp_path, number, code, processes):
    """At once, with a word of where it can go on, without a snapshot, and without a file that nobody asked for."""
    with going(many, tmp_path, "dns.arrow", "--processes", processes) as started:
        started.send_signal(number)
        said = started.communicate(timeout=30)
        ended = started.returncode
    with DnsCache.open(str(tmp_path / "cache.sqlite"), view=many.address) as cache:
        known = len(cache)

    assert (code, b"") == (ended, said[0])
    assert said[1].startswith(b"ended: what was learned is in ")
    assert {"many.txt", "cache.sqlite"} == {path.name for path in tmp_path.iterdir()}
    # The whole of it would have been 5,600 questions.
    assert len(many.log) < 2_000
    # All but the names under way: nothing waits for a commit.
    assert known >= len({name for _, name, _ in many.log}) - 300
    assert known > 0


def test_a_run_beside_another_into_the_same_snapshot_is_refused(many, names, tmp_path):
    """The first one goes on."""
    with going(many, tmp_path) as started:
        second = child(*arguments(many, names, "-o", tmp_path / "dns.arrow"))
        said = second.communicate(timeout=60)[1].decode()

        assert 8 == second.returncode
        assert f"pid {started.pid}" in said
        assert started.poll() is None


def test_two_runs_at_once_share_a_cache(tmp_path):
    """Both find everything, and nothing that one of them learned is lost."""
    zones = world(400)
    parts = list(zones)[:300], list(zones)[100:]
    with CountingServer(zones) as server:
        runs = []
        for number, part in enumerate(parts):
            (tmp_path / f"{number}.txt").write_text("".join(f"{name}\n" for name in part))
            given = arguments(
                server,
                tmp_path / f"{number}.txt",
                "-o",
                tmp_path / f"{number}.arrow",
                "-q",
                cache=tmp_path / "c.sqlite",
            )
            runs.append(child(*given, "--concurrency", "50"))
        said = [one.communicate(timeout=120) for one in runs]
        before = server.mark()
        (tmp_path / "all.txt").write_text("".join(f"{name}\n" for name in zones))
        code = _run(
            arguments(server, tmp_path / "all.txt", "-o", tmp_path / "all.arrow", "-q", cache=tmp_path / "c.sqlite")
        )
        asked_again = server.mark() - before
    found = [set(Snapshot.open(str(tmp_path / f"{number}.arrow")).rows["name"].to_pylist()) for number in range(2)]

    assert [(b"", b"")] * 2 == said
    assert ([0, 0], 0) == ([one.returncode for one in runs], code)
    assert [set(part) for part in parts] == found
    assert 0 == asked_again


def small_files():
    """No file of this process may grow beyond what the cache of 3,000 names and their snapshot need."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))


def test_a_full_disk_for_the_cache_is_a_warning(many, tmp_path):
    """The snapshot is what was asked for; answers that could not be kept are asked again another time."""
    (tmp_path / "many.txt").write_text("".join(f"{name}\n" for name in world(3_000)))
    given = arguments(many, tmp_path / "many.txt", "-o", tmp_path / "dns.parquet", "-q", cache=tmp_path / "c.sqlite")
    ended = child(*given, "--concurrency", 50, "--zone-cap", 0, preexec_fn=small_files)
    _, said = ended.communicate(timeout=120)
    rows = Snapshot.open(str(tmp_path / "dns.parquet")).rows

    assert 0 == ended.returncode, said
    assert f"warning: {tmp_path / 'c.sqlite'} cannot be written (" in said.decode()
    assert b"answers are kept in memory for this run" in said
    assert set(world(3_000)) == set(rows["name"].to_pylist())
    assert "unknown" not in rows["status"].to_pylist()


def test_a_full_disk_for_the_snapshot_is_named(many, tmp_path):
    """And leaves nothing; what was learned is in the cache."""
    (tmp_path / "many.txt").write_text("".join(f"{name}\n" for name in world(3_000)))
    learned = arguments(many, tmp_path / "many.txt", "-o", tmp_path / "dns.arrow", "-q", cache=tmp_path / "c.sqlite")
    first = _run([*learned, "--concurrency", "50"])
    (tmp_path / "dns.arrow").unlink()
    ended = child(*learned, preexec_fn=small_files)
    _, said = ended.communicate(timeout=120)

    assert (0, 6) == (first, ended.returncode)
    assert "dns.arrow" in said.decode()
    assert {"many.txt", "c.sqlite"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("command", ["resolve", "classify"])
def test_a_pipe_or_device_is_never_replaced_by_the_output(tmp_path, command):
    """Who writes as root to /dev/null must not lose it: what is no regular file is refused before any work."""
    names, pipe = tmp_path / "names.ndjson", tmp_path / "out.arrow"
    names.write_text('{"name": "contoso.com", "mail_from": "a@contoso.com"}\n')
    os.mkfifo(pipe)
    asked = ["--resolver", "127.0.0.1:9", "--offline", "--cache", "none"] if command == "resolve" else []
    done = subprocess.run(
        [sys.executable, "-m", "poolsift", command, str(names), "-o", str(pipe), *asked], capture_output=True, text=True
    )

    assert (2, True) == (done.returncode, stat.S_ISFIFO(os.lstat(pipe).st_mode))
    assert "regular file" in done.stderr
