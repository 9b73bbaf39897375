"""`python -m tests.reference.compare_spf --pairs 1000000 --seed 1`: compiled SPF and pyspf on random trees.

Prints the first differences with their trees, what compiled and what did not and why, the pairs compared and the
rate, and how the test suite of RFC 7208 comes out; ends with 1 where there is a difference.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from random import Random

from tests.reference.spf_sides import Difference, compare
from tests.reference.spf_suite import suite_report
from tests.reference.spf_trees import draw_tree

QUOTA = 5_000
SHOWN = 3


@dataclass
class Tally:
    """What was compared; tallies of several jobs add up."""

    trees: int = 0
    pairs: int = 0
    compiled: int = 0
    static_left: list[str] = field(default_factory=list)
    reasons: Counter = field(default_factory=Counter)
    words: Counter = field(default_factory=Counter)
    differing: int = 0
    shown: list[Difference] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        for name in ("trees", "pairs", "compiled", "differing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons += other.reasons
        self.words += other.words
        self.static_left += other.static_left[: SHOWN - len(self.static_left)]
        self.shown += other.shown[: SHOWN - len(self.shown)]

    def __str__(self) -> str:
        asked = self.compiled + self.reasons.total()
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in self.reasons.most_common())
        words = ", ".join(f"{word} {number:,}" for word, number in self.words.most_common())
        return (
            f"{self.trees:,} trees, {asked:,} domains and families, {self.compiled:,} compiled ({self.compiled / asked:.0%})\n"
            f"not compiled: {reasons or 'none'}\nstatic but not compiled: {', '.join(self.static_left) or 'none'}\n"
            f"tables that hold: {words}\n{self.pairs:,} pairs compared, {self.differing:,} differ"
        )


def compare_tree(seed: str, addresses: int = 50) -> Tally:
    """Every domain of one tree in both families, by one compiler, in an order that the seed decides."""
    from poolsift.spf.compile import Compiler

    random = Random(seed)
    tree, compiler, tally = draw_tree(random), Compiler(), Tally(trees=1)
    jobs = [(domain, family) for domain in tree.domains() for family in (4, 6)]
    random.shuffle(jobs)
    for domain, family in jobs:
        outcome = compare(tree, domain, family, compiler, random, addresses)
        tally.pairs += outcome.compared
        tally.words.update(outcome.words)
        tally.differing += len(outcome.differences)
        tally.shown += outcome.differences[: SHOWN - len(tally.shown)]
        if not outcome.reason:
            tally.compiled += 1
            continue
        tally.reasons[outcome.reason] += 1
        if outcome.static:
            tally.static_left.append(f"{domain} of tree {seed} ({outcome.reason})")
    return tally


def compare_trees(job: tuple[int, int, int]) -> Tally:
    """Trees until so many pairs are compared; a tally without a pair after a hundred trees ends it too."""
    seed, number, pairs = job
    tally = Tally()
    for at in count():
        if tally.pairs >= pairs or (tally.trees >= 100 and not tally.pairs):
            return tally
        tally.add(compare_tree(f"{seed} {number} {at}"))
    raise AssertionError


def run(pairs: int, seed: int, processes: int) -> Tally:
    """Compares in processes, tells, and returns the tally."""
    began, tally = time.monotonic(), Tally()
    jobs = [(seed, number, min(QUOTA, pairs - start)) for number, start in enumerate(range(0, pairs, QUOTA))]
    with get_context("spawn").Pool(processes) as pool:
        for part in pool.imap_unordered(compare_trees, jobs):
            tally.add(part)
    seconds = time.monotonic() - began
    for difference in tally.shown:
        print(difference, end="\n\n")
    print(f"{tally}, seed {seed}, {seconds:.0f} s, {tally.pairs / seconds:,.0f} pairs/s")
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    tally = run(options.pairs, options.seed, options.processes)
    print(suite_report())
    return int(bool(tally.differing or tally.static_left))


if __name__ == "__main__":
    sys.exit(main())
