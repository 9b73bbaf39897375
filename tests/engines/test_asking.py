"""Engines run from ordinary code: in this process, in several, and what signals do to them."""

import os
import signal
import subprocess
import sys
import time

import pytest

from poolsift.demo.dns_server import DemoServer
from poolsift.dns.answers import AnswerStatus, Question
from poolsift.dns.inquiry import Inquiry
from poolsift.dns.servers import Server
from poolsift.engines.asking import LocalAsker
from poolsift.engines.asking_processes import ProcessAsker, WorkerLostError

BOTH = {"A": "present", "MX": "present"}
NEITHER = {"A": "absent", "MX": "absent"}
NAMES = {f"n{number}.example.com": BOTH if number % 3 else NEITHER for number in range(500)}

INTERRUPTED = """
import sys
from poolsift.cli import TerminatedError, main
import signal
from poolsift.dns.servers import Server
from poolsift.dns.inquiry import Inquiry
from poolsift.engines.asking import LocalAsker

def terminate(number, frame):
    raise TerminatedError

signal.signal(signal.SIGTERM, terminate)
with LocalAsker([Server.parse(sys.argv[1])], rate=20, probe=False) as asker:
    print("asking", flush=True)
    try:
        asker.run((Inquiry(f"n{n}.example.com") for n in range(100_000)), lambda one: None)
    except TerminatedError:
        sys.exit(143)
    except KeyboardInterrupt:
        sys.exit(130)
"""


def askers(address):
    """One engine here, or two in processes of their own."""
    servers = [Server.parse(address)]
    return {
        "local": lambda: LocalAsker(servers, rate=0, probe=False),
        "processes": lambda: ProcessAsker(servers, processes=2, rate=0, probe=False),
    }


@pytest.mark.parametrize("kind", ["local", "processes"])
def test_every_inquiry_comes_to_its_end_once(kind):
    """Whoever asks, the answers are those of the server, and the counts are kept."""
    with DemoServer(NAMES) as server:
        with askers(server.address)[kind]() as asker:
            done = []
            asker.run((Inquiry(name) for name in NAMES), done.append)
            asker.run([], done.append)
            stats = asker.stats
        answers = {one.name: one.answers for one in done}

    assert len(done) == len(NAMES)
    assert {name for name, types in NAMES.items() if types is BOTH} == {
        name for name, held in answers.items() if held["MX"].status is AnswerStatus.PRESENT
    }
    assert all(
        held["A"].status is held["MX"].status is AnswerStatus.ABSENT and held["A"].confirmed and held["MX"].confirmed
        for name, held in answers.items()
        if NAMES[name] is NEITHER
    )
    assert len(NAMES) == stats.names
    assert len(NAMES) < stats.queries


def test_questions_are_answered_in_their_order():
    """One answer a question, also for names that are never asked."""
    with DemoServer(NAMES) as server, LocalAsker([Server.parse(server.address)], probe=False) as asker:
        answers = asker.resolve(
            [Question("n1.example.com", "A"), Question("x.local", "A"), Question("n0.example.com", "MX")]
        )

    assert ["present", "invalid", "absent"] == [one.status for one in answers]


def test_a_process_that_dies_is_noticed():
    """No run waits for ever for a process that is gone."""
    with DemoServer(NAMES) as server, pytest.raises(WorkerLostError, match="-9"):
        with ProcessAsker([Server.parse(server.address)], processes=2, rate=10, probe=False) as asker:
            os.kill(asker._workers[0][0].pid, signal.SIGKILL)
            asker.run((Inquiry(name) for name in NAMES), lambda one: None)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_run_at_once(number, code):
    """A run of an hour and a half ends when it is told to."""
    with DemoServer(NAMES) as server:
        child = subprocess.Popen([sys.executable, "-c", INTERRUPTED, server.address], stdout=subprocess.PIPE)
        assert b"asking\n" == child.stdout.readline()
        time.sleep(0.3)
        child.send_signal(number)
        try:
            assert code == child.wait(timeout=20)
        finally:
            child.kill()
            child.stdout.close()
