"""S1: SPF of distinct (domain, address) tuples from compiled tables, against pyspf; all words must agree before a time counts."""

from __future__ import annotations

import ipaddress
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.measure import interleave, once
from benchmarks.peers.pyspf_peer import FORMS
from poolsift._native.nouns import SpfTable
from poolsift.spf.compile import Compiler
from tests.reference.spf_real import World, real_tuples, real_world
from tests.reference.spf_sides import driven

if TYPE_CHECKING:
    from collections.abc import Sequence

GOAL = 100
#: CI fails below 60 % of a goal.
GATE = 0.6 * GOAL
#: Rounds of ours within one of the peer's: its sample is smaller and it takes longer.
REPEATS = 5


def compiled(world: World) -> SpfTable:
    """Every domain in both families, by one compiler."""
    table, compiler = SpfTable(), Compiler()
    for domain in world.domains:
        for family, width in ((4, 4), (6, 16)):
            program = driven(compiler.compile(domain, family), world.tree.answers)
            if not hasattr(program, "starts"):
                raise RuntimeError(f"{domain} does not compile: {program}")
            starts = b"".join(start.to_bytes(width, "big") for start in program.starts)
            table.add(domain, family, starts, program.words)
    return table


def packed(tuples: Sequence[tuple[str, str]]) -> tuple[list[str], bytes]:
    """Names, and addresses of sixteen bytes each."""
    addresses = [ipaddress.ip_address(address) for _, address in tuples]
    blob = b"".join(b"\0" * 10 + b"\xff\xff" + one.packed if one.version == 4 else one.packed for one in addresses)
    return [domain for domain, _ in tuples], blob


def check(found: bytes, expected: bytes, tuples: Sequence[tuple[str, str]], form: str) -> None:
    """Raises when one word differs."""
    wrong = [at for at, (one, other) in enumerate(zip(found, expected, strict=True)) if one != other]
    if wrong:
        first = wrong[0]
        raise AssertionError(
            f"{len(wrong)} differ from {form}, first {tuples[first]}: {found[first]}, {expected[first]}"
        )


def run(domains: int, addresses: int, seed: int, rounds: int, sample: int) -> dict[str, Any]:
    """Nanoseconds a tuple of each side; `sample`: tuples that each form of the peer is timed with."""
    world = real_world(seed, domains)
    tuples = real_tuples(world, seed + 1, addresses)
    compile_seconds = min(once(partial(compiled, world))[0] for _ in range(2))
    table = compiled(world)
    names, blob = packed(tuples)
    found = table.lookup_many(names, blob)
    some, count = tuples[:sample], len(tuples)
    forms = [form(world.tree) for form in FORMS]
    check(found, forms[0].words(tuples), tuples, forms[0].name)
    for form in forms[1:]:
        check(found[:sample], form.words(some), some, form.name)
    costs = {form.name: once(partial(form.words, some))[0] / len(some) for form in forms}
    best = min(forms, key=lambda form: costs[form.name])

    def ours() -> None:
        for _ in range(REPEATS):
            table.lookup_many(names, blob)

    timing = interleave(ours, partial(best.words, some), rounds)
    ours_each, peer_each = timing.ours_cpu / REPEATS / count, timing.peer_cpu / len(some)
    return {
        "id": "S1", "domains": domains, "tuples": count, "segments": table.segments, "bytes": table.bytes,
        "ours_ns": ours_each * 1e9, "peer": best.name, "peer_ns": peer_each * 1e9,
        **{f"{name}_ns": cost * 1e9 for name, cost in costs.items() if name != best.name},
        "compile_us_a_domain": compile_seconds / domains * 1e6,
        "ratio_with_compiling": peer_each * count / (compile_seconds + ours_each * count),
        "ratio": timing.ratio * (REPEATS * count / len(some)),
        "goal": f">= {GOAL}", "gate": GATE,
    }  # fmt: skip
