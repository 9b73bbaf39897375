"""How many sender domains of a run DNS could not decide: each name once, and "at least" where there are too many."""

from random import Random

import pyarrow as pa
import pytest

import poolsift
from poolsift.dns.names import unaskable
from poolsift.engines.undecided import UndecidedNames
from tests.reference.encodings import encode
from tests.reference.worlds import Case, classifier, snapshot_rows
from tests.strategies import random_columns


def verdicts(*senders, dns):
    batch = pa.RecordBatch.from_pylist(
        [{"mail_from": sender} for sender in senders], schema=pa.schema([("mail_from", pa.string())])
    )
    return pa.record_batch(next(iter(poolsift.Classifier(dns=dns).classify(batch))))


@pytest.fixture
def snapshot():
    return poolsift.Snapshot.from_rows(snapshot_rows())


def test_each_name_counts_once(snapshot):
    """Upper case, another batch, another local part: the same name."""
    names = UndecidedNames()
    for _ in range(2):
        names.add(
            verdicts(
                "a@late.example", "b@LATE.example", "c@contoso.com", "d@nowhere.com", "e@other.example", dns=snapshot
            )
        )

    assert names.counts() == (2, 4)


def test_names_that_nobody_would_ask_are_not_undecided(snapshot):
    """Literals, numbers, single labels, special-use names, unusable addresses, null paths."""
    names = UndecidedNames()
    names.add(verdicts("a@[192.0.2.1]", "a@192.0.2.1", "a@printer", "a@mfp.test", "a@b@c", "<>", None, dns=snapshot))

    assert names.counts()[0] == 0


def test_too_many_names_are_at_least_so_many(snapshot):
    """Once the most are kept, the fullest of the later batches counts: its names at least are distinct."""
    names, counts = UndecidedNames(most=3), []
    for numbers in ((0, 1), (2, 3), (4, 5, 0), (4,), (5, 6, 7)):
        names.add(verdicts(*(f"a@n{number}.example" for number in numbers), dns=snapshot))
        counts.append(names.counts())

    assert counts == [(2, 2), (4, 4), (6, 6), (6, 6), (7, 7)]


def test_an_undecided_name_after_too_many_is_still_noticed(snapshot):
    """Who requires every answer is not told that all is well."""
    names = UndecidedNames(most=1)
    names.add(verdicts("a@contoso.com", "a@nowhere.com", dns=snapshot))
    names.add(verdicts("a@evil.example", "a@[192.0.2.1]", dns=snapshot))
    before = names.counts()
    names.add(verdicts("a@late.example", dns=snapshot))

    assert (before, names.counts()) == ((0, 3), (1, 3))


def test_nothing_counts_as_nothing(snapshot):
    """An empty batch, and no batch."""
    names = UndecidedNames()
    names.add(verdicts(dns=snapshot))

    assert names.counts() == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_equals_a_count_row_by_row(seed):
    """On adversarial records, in batches of any size."""
    table = pa.table(classifier(Case()).classify(encode(random_columns(seed, 2_000), "string")))
    random, names, start = Random(seed), UndecidedNames(), 0
    while start < len(table):
        part = table.slice(start, random.randint(1, 400))
        names.add(part.combine_chunks().to_batches()[0])
        start += len(part)
    rows = [row for row in table.select(["sender_domain", "evidence"]).to_pylist() if row["sender_domain"] is not None]
    undecided = {row["sender_domain"] for row in rows if row["evidence"] >> 2 & 3 == 0}
    seen = {row["sender_domain"] for row in rows if not row["sender_domain"].startswith("[")}

    assert names.counts() == (sum(unaskable(name) is None for name in undecided), len(seen))
