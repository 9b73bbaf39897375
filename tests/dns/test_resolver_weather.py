"""Item D19: resolvers that lose, flap, lag, fall silent, refuse or disagree; a run finishes and invents nothing."""

import asyncio
import random

import pytest

from poolsift.dns.servers import system_servers
from tests.dns.engine_runs import BRIEF, GONE, HERE, engine, inquire, is_neither, plain, some_at_a_time
from tests.dns.scripted_modes import MODES
from tests.dns.scripted_server import closed_port, serving

SPOILS = ("drop", "servfail", "refused", "lame", "garbage")
FLAPS = ("drop", "servfail", "lame")
USELESS = [(other, first) for other in ("drop", "slow-5", "servfail", "refused", "closed") for first in (True, False)]
LIES = [(lie, first) for lie in ("nxdomain", "nodata", "nodata-no-soa", "lame") for first in (True, False)]
# Where an answer is owed although others are silent: too long for a busy machine to miss it.
FAIR = 1.0


def falsely_absent(found):
    """The names that exist and came out as neither A nor MX."""
    return [name for name, answers in found.items() if name in HERE and is_neither(answers)]


def is_all_found(found):
    """Whether all that exists is present and all that does not is absent, seen twice."""
    return all(found[name]["MX"].status == "present" for name in HERE) and all(is_neither(found[name]) for name in GONE)


async def spoiled(fault):
    """Three replies in ten are the fault, at random but the same each time."""
    chance = random.Random(4)
    with serving() as server:
        server.always = lambda query: MODES[fault if chance.random() < 0.3 else query.label](query)
        return await inquire(server.address, names=HERE + GONE, timeout=BRIEF, attempts=3)


async def flapping(fault):
    """Forty queries well, forty not, and so on; then the same names again of a server that is well."""
    with serving() as server:
        server.always = lambda query: MODES[fault if server.total // 40 % 2 else query.label](query)
        before = await inquire(server.address, names=HERE + GONE, timeout=BRIEF)
        server.always = None
        return before, await inquire(server.address, names=HERE + GONE)


async def half_useless(other, first):
    """Two resolvers of which one is of no use."""
    with serving() as good, serving() as bad, closed_port() as nobody:
        bad.always = None if other == "closed" else other
        useless = nobody if other == "closed" else bad.address
        addresses = [useless, good.address] if first else [good.address, useless]
        return await inquire(*addresses, names=HERE + GONE, timeout=FAIR)


async def disagreeing(lie, first):
    """Two resolvers of which one says that nothing is there."""
    with serving() as good, serving() as wrong:
        wrong.always = lie
        addresses = [wrong.address, good.address] if first else [good.address, wrong.address]
        return await inquire(*addresses, names=HERE)


@pytest.fixture(scope="module")
def seasons():
    """Every kind of weather, a few at a time, by function and arguments."""
    jobs = {("spoiled", one): spoiled(one) for one in SPOILS}
    jobs |= {("flapping", one): flapping(one) for one in FLAPS}
    jobs |= {("half_useless", *one): half_useless(*one) for one in USELESS}
    jobs |= {("disagreeing", *one): disagreeing(*one) for one in LIES}
    return dict(zip(jobs, asyncio.run(some_at_a_time(jobs.values(), 5)), strict=True))


@pytest.mark.parametrize("fault", SPOILS)
def test_d19_three_replies_in_ten_are_spoiled(seasons, fault):
    """All names are told, no existing name comes out as neither, none is invented, and most questions are answered."""
    found = seasons["spoiled", fault]
    statuses = {name: {str(one.status) for one in answers.values()} for name, answers in found.items()}

    assert {*HERE, *GONE} == set(found)
    assert [] == falsely_absent(found)
    assert [] == [name for name in GONE if "present" in statuses[name]]
    assert len([name for name in HERE if "present" in statuses[name]]) > len(HERE) / 2


@pytest.mark.parametrize("fault", FLAPS)
def test_d19_a_resolver_that_flaps_costs_answers_but_invents_none(seasons, fault):
    """What was not learned is unknown; asked again of a resolver that is well, all is found."""
    before, after = seasons["flapping", fault]

    assert {*HERE, *GONE} == set(before)
    assert [] == falsely_absent(before)
    assert is_all_found(after)


@pytest.mark.parametrize(("other", "first"), USELESS)
def test_d19_one_of_two_resolvers_is_useless(seasons, other, first):
    """Silent, five seconds late, failing, refusing or not there: the other one carries the whole run, confirmations too."""
    assert is_all_found(seasons["half_useless", other, first])


@pytest.mark.parametrize(("lie", "first"), LIES)
def test_d19_resolvers_that_disagree_never_make_neither(seasons, lie, first):
    """One says that nothing is there, the other has records: the second look is at the other one."""
    found = seasons["disagreeing", lie, first]

    assert set(HERE) == set(found)
    assert [] == falsely_absent(found)


def test_d19_an_outage_ends_in_unknown_with_bounded_packets():
    """200 names and a resolver that never replies: every name is unknown, and the resolver is soon left alone."""
    names = [f"n{n}.example" for n in range(200)]
    with serving() as server:
        server.always = "drop"
        found = asyncio.run(inquire(server.address, names=names, timeout=0.1))
    told = {plain(one) for answers in found.values() for one in answers.values()}

    assert set(names) == set(found)
    assert told <= {("unknown", "timeout"), ("unknown", "circuit_open")}
    # Two types and two attempts of every name would be 800.
    assert server.total < 400


@pytest.mark.nightly
def test_d19_a_resolver_that_comes_back_is_used_again():
    """Silence makes the engine leave it alone; later the same engine finds everything."""

    async def run(server):
        async with engine(server.address, timeout=0.1) as running:
            server.always = "drop"
            dark = {name: answers async for name, answers in running.inquire(HERE)}
            server.always = None
            found = {}
            while len(found) < len(HERE):
                await asyncio.sleep(0.5)
                light = {name: one async for name, one in running.inquire([one for one in HERE if one not in found])}
                found |= {name: one for name, one in light.items() if one["MX"].status == "present"}
        return dark

    with serving() as server:
        dark = asyncio.run(run(server))

    assert {"unknown"} == {str(one.status) for answers in dark.values() for one in answers.values()}


def test_d19_the_system_resolvers_are_read_when_asked(tmp_path):
    """A changed file is seen; nothing is remembered of the old one."""
    path = tmp_path / "resolv.conf"
    seen = []
    for address in ("192.0.2.1", "192.0.2.2"):
        path.write_text(f"nameserver {address}\n")
        seen.append([one.host for one in system_servers(str(path))])

    assert [["192.0.2.1"], ["192.0.2.2"]] == seen
