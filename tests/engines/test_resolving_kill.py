"""kill -9 at random moments of `poolsift resolve`: the run that follows ends as if nothing had happened, and asks nothing twice."""

import random
import signal
import subprocess
import sys
import time

import pytest

from poolsift.dns.answers import AnswerStatus
from poolsift.dns.cache import DnsCache
from poolsift.dns.snapshot import Snapshot
from tests.dns.counting_server import CountingServer, world

ASKED_AT_ONCE = 20


def resolve(server, names, out, cache, rate):
    command = [sys.executable, "-m", "poolsift", "resolve", names, "-o", out, "--cache", cache, "-q"]
    command += [
        "--resolver",
        server.address,
        "--rate",
        rate,
        "--concurrency",
        ASKED_AT_ONCE,
        "--timeout",
        20,
        "--zone-cap",
        0,
    ]
    return subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE)


def to_the_end(*arguments):
    child = resolve(*arguments)
    _, said = child.communicate(timeout=240)
    assert (0, b"") == (child.returncode, said)


def killed(server, after, pause, *arguments):
    """Kill a run once it has asked `after` questions and a moment more has gone by; how many it asked in all."""
    before = len(server.log)
    child = resolve(server, *arguments)
    try:
        while len(server.log) - before < after and child.poll() is None:
            time.sleep(0.001)
        time.sleep(pause)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stderr.close()
    return server.mark() - before


def most_lost(rate):
    """Questions whose answers no commit has reached: 1,000, or those of a second (the bucket lets a tenth more go at
    once), and up to three types of every name that is under way."""
    return min(1.1 * rate, 1_000) + 3 * ASKED_AT_ONCE


def content(path):
    """The rows without the time of asking, and the manifest without its times."""
    snapshot = Snapshot.open(str(path))
    told = {key: value for key, value in snapshot.manifest.items() if key not in {"started", "finished"}}
    return snapshot.rows.drop_columns(["asked_at"]).to_pylist(), told


def committed(cache, server, zones):
    """The questions of which the file holds a fresh answer."""
    with DnsCache.open(str(cache), view=server.address) as held:
        answers = held.lookup(list(zones))
        assert [] == held.warnings
    return {
        (name, rdtype)
        for name, types in answers.items()
        for rdtype, answer in types.items()
        if answer.status is not AnswerStatus.UNKNOWN
    }


def check_kills(tmp_path, *, count, rate, moments, seed):
    print(f"seed {seed}")
    dice = random.Random(seed)
    zones = world(count)
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{name}\n" for name in zones))
    with CountingServer(zones) as server:
        to_the_end(server, names, tmp_path / "whole.arrow", tmp_path / "whole.sqlite", rate)
        total = server.mark()
        expected = content(tmp_path / "whole.arrow")
        seen = []
        for moment in range(moments):
            # Each in its own stretch of the run; the last when everything is asked and the snapshot is being written.
            stretch = total / (moments - 1)
            after = min(total, int(dice.uniform(moment, moment + 1) * stretch))
            cache, out = tmp_path / f"{moment}.sqlite", tmp_path / f"{moment}.arrow"
            start = len(server.log)
            asked = killed(server, after, dice.uniform(0, 0.2), names, out, cache, rate)
            held = committed(cache, server, zones)
            lost = {(name, rdtype) for _, name, rdtype in server.log[start:]} - held
            before = server.mark()
            to_the_end(server, names, out, cache, rate)
            again = {(name, rdtype) for _, name, rdtype in server.log[before:]}
            seen.append((after, asked, len(held), len(lost), len(again & held)))

            assert set() == again & held, seen
            assert expected == content(out), seen
            assert len(lost) <= most_lost(rate), seen
            left = {path.name for path in tmp_path.glob(f"*{moment}.arrow*")}
            assert {out.name} == left, seen

    print(*seen, sep="\n")
    # Where nothing was there to resume from, or nothing that could have been lost, nothing has been shown.
    assert any(0 < held < len(expected[0]) for _, _, held, _, _ in seen)
    assert any(most_lost(rate) < asked < total for _, asked, *_ in seen)


def test_after_a_kill_a_run_goes_on_where_its_cache_was_committed(tmp_path):
    """Same rows as an undisturbed run; no committed answer is asked for again; about a second's answers are lost at most."""
    check_kills(tmp_path, count=300, rate=300, moments=5, seed=random.randrange(1 << 32))


@pytest.mark.nightly
@pytest.mark.timeout(3_600)
def test_after_twenty_kills(tmp_path):
    """The same with more names at more moments, so that commits by number take place too."""
    check_kills(tmp_path, count=5_000, rate=2_000, moments=20, seed=random.randrange(1 << 32))
