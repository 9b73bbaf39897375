"""Items D20 and D23: floods of names, and a machine without descriptors, IPv6 or network."""

import asyncio
import contextlib
import random
import socket
import subprocess
import sys
import threading

import pytest

from tests.dns.engine_runs import BRIEF, GONE, HERE, engine, inquire, is_neither, pair, plain
from tests.dns.scripted_modes import MODES

#: A process that has no file descriptor left, and then has some again.
WITHOUT_DESCRIPTORS = """
import asyncio, os, resource, sys
from poolsift.dns.live import open_engine
from poolsift.dns.servers import Server

def take_all():
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return held

def give_back(held):
    for one in held:
        os.close(one)

async def inquire(engine, *names):
    async for name, answers in engine.inquire(names):
        print(name, *(f"{one}={got.status}:{got.reason}" for one, got in sorted(answers.items())))

async def main(address, when):
    options = dict(rate=0, timeout=5.0, attempts=2, probe=False)
    before = len(os.listdir("/proc/self/fd"))
    async with open_engine([Server.parse(address)], **options) as engine:
        await inquire(engine, "ok.warm.example", "nxdomain.warm.example")  # tables and modules are read now
    while len(os.listdir("/proc/self/fd")) > before:  # c-ares closes its sockets in a thread
        await asyncio.sleep(0.01)
    engine = open_engine([Server.parse(address)], **options | {"probe": when == "before"})
    held = take_all() if when == "before" else []
    async with engine:
        held += take_all()
        await inquire(engine, "ok.first.example", "nxdomain.first.example")
        give_back(held)
        await inquire(engine, "ok.second.example", "nxdomain.second.example")

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


def inquired(*addresses, names, **options):
    return asyncio.run(inquire(*addresses, names=names, **options))


def test_d20_a_flood_of_labels_below_one_zone_is_cut_off(server):
    """Of 3,000 random names 200 are asked; the others are told to be beyond the cap, and nothing else is hurt."""
    chance = random.Random(20)
    flood = [f"{chance.getrandbits(64):x}.flood.example" for _ in range(3000)]
    found = inquired(server.address, names=[*flood, *HERE], zone_cap=200)
    over = [name for name in flood if plain(found[name]["MX"]) == ("unknown", "zone_cap")]

    assert len(found) == 3000 + len(HERE)
    assert len(over) == 2800
    assert not server.names() & set(over)
    assert len(server.names(".flood.example")) == 200
    assert [] == [name for name in over if is_neither(found[name])]
    assert HERE == [name for name in HERE if found[name]["MX"].status == "present"]


def test_d20_without_cap_every_name_is_asked(server):
    """0 means no cap."""
    flood = [f"n{n}.flood.example" for n in range(300)]
    found = inquired(server.address, names=flood, zone_cap=0)

    assert flood == [name for name in flood if is_neither(found[name])]
    assert len(server.names(".flood.example")) == 300


def test_d20_names_and_queries_under_way_are_bounded(server):
    """However many names there are, no more are taken in and asked at once than was said."""
    server.default = lambda query: MODES["ok"](query)._replace(delay=0.02)
    taken = given = widest = 0

    def names():
        nonlocal taken
        for number in range(2000):
            taken += 1
            yield f"n{number}.z{number}.example"

    async def run():
        nonlocal given, widest
        async with engine(server.address, concurrency=50) as running:
            async for _, answers in running.inquire(names()):
                assert answers["MX"].status == "present"
                given += 1
                widest = max(widest, taken - given)

    asyncio.run(run())

    assert given == 2000
    assert server.most_under_way <= 50
    assert widest <= 4 * 50


@pytest.mark.parametrize("when", ["before", "within"])
def test_d23_without_file_descriptors_answers_are_unknown_and_come_back(server, when):
    """EMFILE at the first query or before the engine is entered: unknown, and with descriptors again everything is found."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, server.address, when],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())

    assert (0, "") == (done.returncode, done.stderr)
    for name in ("ok.first.example", "nxdomain.first.example"):
        assert {"unknown:network", "unknown:connection"} >= {part.partition("=")[2] for part in lines[name].split()}
    assert "MX=present:None" == lines["ok.second.example"]
    assert "A=absent:nxdomain MX=absent:nxdomain" == lines["nxdomain.second.example"]


def test_d23_without_ipv6_answers_are_unknown_or_come_over_ipv4(server):
    """Nobody answers at ::1: alone that is unknown, beside an IPv4 resolver it does not matter."""
    with unused_ipv6_address() as nobody:
        alone = pair(nobody, name="nxdomain.example", timeout=BRIEF)
        beside = inquired(nobody, server.address, names=HERE + GONE, timeout=BRIEF)

    assert {"unknown"} == {str(one.status) for one in alone.values()}
    assert {str(one.reason) for one in alone.values()} <= {"connection", "network"}
    assert HERE == [name for name in HERE if beside[name]["MX"].status == "present"]
    assert GONE == [name for name in GONE if is_neither(beside[name])]


@contextlib.contextmanager
def unused_ipv6_address():
    """An address of IPv6 loopback without anybody behind it, whether or not this machine has IPv6."""
    try:
        held = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        held.bind(("::1", 0))
        held.connect(("::1", 9))
    except OSError:
        yield "[::1]:5399"
        return
    with held:
        yield f"[::1]:{held.getsockname()[1]}"


def test_d23_a_refusal_of_the_system_is_unknown_and_passed_over(server):
    """The system lets nobody send to the broadcast address, as to a network that is down: no packet, no absence."""
    alone = pair("255.255.255.255:53", name="contoso.com", timeout=BRIEF)
    beside = inquired("255.255.255.255:53", server.address, names=HERE + GONE, timeout=BRIEF)

    assert {"unknown"} == {str(one.status) for one in alone.values()}
    assert {str(one.reason) for one in alone.values()} <= {"network", "connection"}
    assert HERE == [name for name in HERE if beside[name]["MX"].status == "present"]
    assert GONE == [name for name in GONE if is_neither(beside[name])]


def test_engines_leave_no_thread_and_no_socket_behind(server):
    """After closing, the process is as before."""
    before = {thread for thread in threading.enumerate() if not thread.daemon}
    inquired(server.address, names=HERE[:5])

    assert before == {thread for thread in threading.enumerate() if not thread.daemon}
