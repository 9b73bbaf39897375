"""pytest-benchmark: the kernel in process, one idea each. `python -m pytest benchmarks --benchmark-disable-gc`."""

import numpy as np
import pyarrow as pa
import pytest

import poolsift
from benchmarks import data, w1

ROWS = 100_000
SEED = 1


@pytest.fixture(scope="module")
def setup():
    """A classifier with ten thousand names and the table it classifies."""
    names = data.domain_names(np.random.default_rng(SEED), 10_000)
    tables = data.tables(SEED, names=names, dns_size=20_000)
    tenant = poolsift.Tenant.parse(w1.tenant_text(tables), "bench.toml")
    snapshot = poolsift.Snapshot.from_dict({name: {"A": word, "MX": word} for name, word in tables.dns.items()})
    return poolsift.Classifier(tenant, dns=snapshot), data.records(SEED, ROWS, names, 50_000)


def test_classify_with_a_fresh_memo(benchmark, setup):
    """A hundred thousand rows, every name met for the first time."""
    classifier, table = setup
    result = benchmark(lambda: pa.table(classifier.classify(table)))

    assert result.num_rows == ROWS


def test_classify_with_a_warm_memo(benchmark, setup):
    """The same rows, every name known."""
    classifier, table = setup
    facts = classifier.domain_facts()
    result = benchmark(lambda: pa.table(classifier.classify(table, domains=facts)))

    assert result.num_rows == ROWS


def test_classify_one_record(benchmark, setup):
    """A mapping in, a verdict out."""
    classifier, table = setup
    record = {name: value for name, value in table.slice(7, 1).to_pylist()[0].items() if value is not None}

    assert benchmark(lambda: classifier.classify_record(record)).pool
