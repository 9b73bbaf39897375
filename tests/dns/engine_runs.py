"""Questions put to a real engine over real sockets, the way the tests of the resolver do it."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import NamedTuple

from poolsift.dns.answers import Answer, Question
from poolsift.dns.live import open_engine
from poolsift.dns.servers import Server

#: Seconds a query where the server always replies: only a machine that stands still takes longer.
PATIENT = 5.0
#: Seconds a query where the server never replies.
BRIEF = 0.3

#: Names below zones of their own that exist, and some that do not, wherever the scripted server is not told otherwise.
HERE = [f"ok.here{number}.example" for number in range(60)]
GONE = [f"nxdomain.gone{number}.example" for number in range(30)]


def engine(*addresses: str, timeout: float = PATIENT, **options):
    """An engine over these addresses, without rate and probe unless asked for."""
    # A circuit that opens stays so for a second here, not for half a minute.
    settings = {"rate": 0, "attempts": 2, "concurrency": 50, "probe": False, "period": 1.0, "patience": 2.0} | options
    return open_engine([Server.parse(one) for one in addresses], timeout=timeout, **settings)


async def ask(*addresses: str, questions: list[tuple[str, str]], **options) -> list[Answer]:
    """The answers to single questions."""
    async with engine(*addresses, **options) as running:
        return await running.resolve([Question(*one) for one in questions])


async def inquire(*addresses: str, names: list[str], need: str = "verdict", **options) -> dict[str, dict[str, Answer]]:
    """What inquiries about these names came to."""
    async with engine(*addresses, **options) as running:
        return {name: answers async for name, answers in running.inquire(names, need=need)}


def single(*addresses: str, name: str, rdtype: str = "A", **options) -> Answer:
    """One answer to one question."""
    return asyncio.run(ask(*addresses, questions=[(name, rdtype)], **options))[0]


def pair(*addresses: str, name: str, **options) -> dict[str, Answer]:
    """What one inquiry came to."""
    return asyncio.run(inquire(*addresses, names=[name], **options))[name]


class Run(NamedTuple):
    """What a mode came to: one question of each type, and an inquiry, each about a name of its own."""

    single: dict[str, Answer]
    pair: dict[str, Answer]
    hits: dict[str, int]  # of the single questions, by type; of the inquiry as `pair`


def is_neither(answers: dict[str, Answer]) -> bool:
    """Whether the verdict would be: neither A nor MX."""
    return all(one in answers and answers[one].status == "absent" for one in ("A", "MX"))


def plain(answer: Answer) -> tuple[str, str | None]:
    """Status and reason as words, for comparison."""
    return str(answer.status), None if answer.reason is None else str(answer.reason)


async def run_mode(server, mode: str, seconds: float) -> Run:
    """One mode from every side, each side with an engine of its own so that no failure opens another's circuit."""
    once, both = f"{mode}.single.example", f"{mode}.pair.example"
    (a, mx), found = await asyncio.gather(
        ask(server.address, questions=[(once, "A"), (once, "MX")], timeout=seconds),
        inquire(server.address, names=[both], timeout=seconds),
    )
    hits = {rdtype: server.asked(once, rdtype) for rdtype in ("A", "MX")} | {"pair": server.asked(both)}
    return Run({"A": a, "MX": mx}, found[both], hits)


async def some_at_a_time(jobs: Iterable[Awaitable], at_once: int = 16) -> list:
    """What the jobs came to, in their order; so few at once that the machine keeps up."""
    places = asyncio.Semaphore(at_once)

    async def run(job: Awaitable):
        async with places:
            return await job

    return await asyncio.gather(*map(run, jobs))


async def run_modes(server, modes: dict[str, float]) -> dict[str, Run]:
    """Every mode with its timeout in seconds."""
    runs = await some_at_a_time(run_mode(server, mode, seconds) for mode, seconds in modes.items())
    return dict(zip(modes, runs, strict=True))
