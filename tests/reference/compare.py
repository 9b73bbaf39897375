"""`python -m tests.reference.compare --records 10000000 --seed 1`: kernel and reference on random records.

Prints the rows compared, the first differences in full and the rate; ends with 1 where there is a difference.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pprint import pformat
from typing import Any, NamedTuple

import pyarrow as pa

from tests.reference.encodings import FORMS, encode
from tests.reference.verdict import VERDICT_COLUMNS, classify
from tests.reference.worlds import CASES, Case, classifier, reference_world
from tests.strategies import random_columns, rows_of

BATCH = 1 << 16
SHOWN = 5
TYPES = {"evidence": pa.uint32(), "candidates": pa.uint8()}


class Difference(NamedTuple):
    """One record on which the two sides disagree."""

    case: Case
    form: str
    row: int
    record: dict[str, Any]
    found: dict[str, Any]
    expected: dict[str, Any]

    def columns(self) -> list[str]:
        return [name for name in self.expected if self.found.get(name) != self.expected[name]]

    def __str__(self) -> str:
        lines = [f"{name}: found {self.found.get(name)!r}, expected {self.expected[name]!r}" for name in self.columns()]
        record = {name: value for name, value in self.record.items() if value is not None}
        return "\n".join([f"row {self.row} of {self.form}, {self.case}", *lines, pformat(record, width=120)])


def expected_rows(records: list[dict[str, Any]], case: Case) -> list[dict[str, Any]]:
    """What the reference says."""
    world, assume = reference_world(case.tenants, case.dns), case.assumed()
    return [classify(record, world, case.rules, assume, case.compare) for record in records]


def differing_rows(found: pa.Table, expected: list[dict[str, Any]]) -> list[int]:
    """Indices of the rows in which any column differs; whole columns are compared first."""
    rows: set[int] = set()
    for name in expected[0]:
        kind = TYPES.get(name, pa.string())
        wanted = pa.chunked_array([pa.array([verdict[name] for verdict in expected], kind)])
        got = found.column(name).cast(kind)
        if not got.equals(wanted):
            pairs = zip(got.to_pylist(), wanted.to_pylist(), strict=True)
            rows.update(row for row, (one, other) in enumerate(pairs) if one != other)
    return sorted(rows)


def differences(columns: dict[str, list[Any]], case: Case, form: str, seed: int = 0) -> Iterator[Difference]:
    """Both sides on the same columns."""
    records = rows_of(columns)
    expected = expected_rows(records, case)
    found = pa.table(classifier(case).classify(encode(columns, form, seed)))
    if found.num_rows != len(records):
        raise AssertionError(f"{len(records)} records gave {found.num_rows} verdicts")
    for row in differing_rows(found, expected):
        yield Difference(case, form, row, records[row], found.slice(row, 1).to_pylist()[0], expected[row])


def compare_batch(job: tuple[int, int, int]) -> tuple[int, list[Difference], int]:
    """One batch: rows, the first differences, and how many there are."""
    seed, number, count = job
    case, form = CASES[number % len(CASES)], FORMS[number % len(FORMS)]
    found = list(differences(random_columns(seed * 1_000_003 + number, count), case, form, number))
    return count, found[:SHOWN], len(found)


def jobs(records: int, seed: int) -> Iterator[tuple[int, int, int]]:
    for number, start in enumerate(range(0, records, BATCH)):
        yield seed, number, min(BATCH, records - start)


def run(records: int, seed: int, processes: int) -> int:
    """Compares, tells, and returns the number of differing records."""
    began, rows, total, shown = time.monotonic(), 0, 0, 0
    # spawn: a forked child must not inherit the threads of Arrow
    with get_context("spawn").Pool(processes) as pool:
        for count, found, number in pool.imap_unordered(compare_batch, jobs(records, seed)):
            rows, total = rows + count, total + number
            for difference in found[: SHOWN - shown]:
                print(difference, end="\n\n")
                shown += 1
    seconds = time.monotonic() - began
    print(
        f"{rows:,} records compared, {total:,} differ, {len(VERDICT_COLUMNS)} columns and more, seed {seed}, "
        f"{seconds:.0f} s, {rows / seconds:,.0f} records/s"
    )
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    return 1 if run(options.records, options.seed, options.processes) else 0


if __name__ == "__main__":
    sys.exit(main())
