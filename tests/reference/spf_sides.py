"""Both sides of SPF beside each other: the compiler's table of addresses and pyspf, at every address that matters."""

import asyncio
import re
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Sequence
from ipaddress import ip_network
from random import Random
from typing import Any, NamedTuple

from poolsift.dns.answers import Answer, Question
from poolsift.spf.evaluate import evaluate
from tests.reference.spf_compile import BITS, Compiled, address_text, compiled, readable
from tests.reference.spf_query import WORDS, Plain, Records
from tests.reference.spf_zone import Tree

LITERAL = re.compile(r"ip[46]:([0-9a-f:.]+)(?:/(\d+))?", re.IGNORECASE)
HELO = "mail.host.example"


class Difference(NamedTuple):
    """One address for which two sides disagree, or a table that is none."""

    what: str
    domain: str
    family: int
    address: str
    found: str
    expected: str
    tree: str

    def __str__(self) -> str:
        where = f"{self.domain}, IPv{self.family}, {self.address}"
        return f"{self.what}: {where}: found {self.found}, expected {self.expected}\n{self.tree}"


class Outcome(NamedTuple):
    """What came of compiling one domain for one family; `reason` is empty where there is a table."""

    reason: str
    static: bool
    compared: int
    words: frozenset[int]
    differences: list[Difference]


def driven(
    generator: Generator[list[Question], list[Answer], Any], answers: Callable[[list[Question]], list[Answer]]
) -> Any:
    """What a question generator returns once all its questions are answered."""
    try:
        questions = next(generator)
        while True:
            questions = generator.send(answers(questions))
    except StopIteration as end:
        return end.value


class TreeResolver:
    """A tree as a resolver."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        return self._tree.answers(list(questions))

    async def close(self) -> None:
        """Nothing to close."""


def evaluated(tree: Tree, domain: str, addresses: Sequence[str], helo: str | None = None) -> list[str]:
    """The words of the library's own evaluator, from scratch for each address."""

    async def all_of_them() -> list[str]:
        resolver = TreeResolver(tree)
        return [str((await evaluate(address, domain, helo, resolver)).result) for address in addresses]

    return asyncio.run(all_of_them())


def near(tree: Tree, family: int, random: Random) -> Iterator[int]:
    """Each address in the zone, and for its own and two other masks the ends of its network and what adjoins them."""
    bits = BITS[family]
    written = [found for text in sum(tree.records().values(), []) for found in LITERAL.findall(text)]
    rdata = [
        text
        for (_, kind), answer in tree.zone.items()
        if kind == ("A" if family == 4 else "AAAA")
        for text in answer.rdata
    ]
    for text, length in [*written, *((text, "") for text in rdata)]:
        for mask in (int(length or bits), random.randint(0, bits), random.randint(bits - 8, bits)):
            try:
                network = ip_network(f"{text}/{mask}", strict=False)
            except ValueError:
                break  # what only looks like an address
            if network.version == family:
                first, last = int(network[0]), int(network[-1])
                yield from (first - 1, first, first + 1, last - 1, last, last + 1)


def drawn(random: Random, family: int, count: int) -> Iterator[int]:
    """Addresses from anywhere, half of them where trees have their networks."""
    bits = BITS[family]
    bases = (0xC0000200, 0xC6336400, 0xCB007100) if family == 4 else (0x20010DB8 << 96, (0x20010DB8 << 96) + (1 << 80))
    for _ in range(count):
        yield (
            random.getrandbits(bits) if random.random() < 0.5 else random.choice(bases) + random.getrandbits(bits // 4)
        )


def malformed(program: Any, family: int) -> str:
    """What is wrong with a table in itself; empty for one that can be looked into."""
    starts, words = program.starts, program.words
    if not starts or starts[0] != 0 or starts[-1] >= 1 << BITS[family] or list(starts) != sorted(set(starts)):
        return f"starts {starts[:5]}..."
    return "" if len(words) == len(starts) and set(words) <= set(range(1, 8)) else f"words {bytes(words[:9])!r}"


def points(tree: Tree, family: int, random: Random, tables: Sequence[Any], count: int) -> list[int]:
    """Where both sides are compared: all edges of all tables, addresses of the zone, and `count` from anywhere."""
    edges = {edge for table in tables for start in table.starts for edge in (start - 1, start)}
    zone = sorted(set(near(tree, family, random)))
    some = random.sample(zone, min(len(zone), count))
    return [number for number in sorted({*edges, *some, *drawn(random, family, count)}) if readable(number, family)]


def compare(tree: Tree, domain: str, family: int, compiler: Any, random: Random, count: int = 50) -> Outcome:
    """The compiler's table against pyspf at the edges, at addresses of the zone and at `count` addresses more."""
    result = driven(compiler.compile(domain, family), tree.answers)
    records, static = Records(tree.ask), tree.is_static(domain)
    if hasattr(result, "reason"):
        faults = [] if result.needs_local else list(local_matters(tree, records, domain, family, random))
        return Outcome(result.reason, static, 0, frozenset(), faults)
    wrong = malformed(result, family)
    if wrong:
        fault = Difference("table", domain, family, "", wrong, "a table", str(tree))
        return Outcome("", static, 0, frozenset(), [fault])
    slow = compiled(records, domain, family)
    tables = [result, slow] if isinstance(slow, Compiled) else [result]
    numbers = points(tree, family, random, tables, count)
    found = {number: result.words[bisect_right(result.starts, number) - 1] for number in numbers}
    faults = list(differing(tree, records, domain, family, found))
    faults += evaluator_differs(tree, records, domain, family, random.sample(numbers, min(3, len(numbers))))
    return Outcome("", static, len(numbers), frozenset(result.words), faults)


def differing(tree: Tree, records: Records, domain: str, family: int, found: dict[int, int]) -> Iterator[Difference]:
    """Addresses at which pyspf says another word; HELO and local part, which a table cannot know, vary."""
    for at, (number, word) in enumerate(found.items()):
        address = address_text(number, family)
        expected = Plain(records, domain, address, (None, HELO)[at % 2], ("postmaster", "a.b")[at % 3 == 0]).word()
        if WORDS[word] != expected:
            yield Difference("compiler", domain, family, address, WORDS[word], expected, str(tree))


def evaluator_differs(
    tree: Tree, records: Records, domain: str, family: int, numbers: list[int]
) -> Iterator[Difference]:
    """Whether the bare pyspf of this comparison is still what the library's evaluator says."""
    addresses = [address_text(number, family) for number in numbers]
    for address, word in zip(addresses, evaluated(tree, domain, addresses), strict=True):
        plain = Plain(records, domain, address).word()
        if plain != word:
            yield Difference("evaluator", domain, family, address, word, plain, str(tree))


def local_matters(tree: Tree, records: Records, domain: str, family: int, random: Random) -> Iterator[Difference]:
    """Addresses whose result depends on the local part although the compiler says that none does."""
    for number in points(tree, family, random, [], 10):
        address = address_text(number, family)
        one, other = (Plain(records, domain, address, HELO, local).word() for local in ("postmaster", "other"))
        if one != other:
            yield Difference("local part", domain, family, address, one, other, str(tree))
