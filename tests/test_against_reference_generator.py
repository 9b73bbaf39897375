"""The random records reach what they are to test: every value of every verdict column occurs often."""

from collections import Counter

import pytest

from tests.reference.evidence import FACTS, FLAGS
from tests.reference.rules import GETTERS, POOLS, PROFILES
from tests.reference.verdict import BLOCK_FIXES, VERDICT_COLUMNS, classify
from tests.reference.worlds import CASES, reference_world
from tests.strategies import random_records

RECORDS = 6_000
OFTEN = 10

EXPECTED = {
    "pool": {*POOLS},
    "rule": {name for rules in PROFILES.values() for name, _, _ in rules} | {"undetermined"},
    "observed_pool": {None, "normal", "high_risk", "relay", "relay_high_risk", "consumer"},
    "observed_from": {None, "pool_name", "outbound_host", "outbound_ip", "reject_text", "sfp"},
    "agreement": {"match", "compatible", "mismatch", "not_comparable", "unobserved"},
    "fix": {
        None,
        "use_public_domain",
        "publish_a_or_mx",
        "use_accepted_sender",
        "stop_outbound_spam",
        "accept_domain",
        "enable_enhanced_filtering",
        "stop_forwarding",
        "authorize_client_ip",
        "investigate",
        *BLOCK_FIXES.values(),
        *GETTERS.values(),
    },
    "sender_from": {None, "mail_from", "header_from", "trace"},
    "spf_from": {None, "log", "joined"},
}


@pytest.fixture(scope="module")
def verdicts() -> list[dict]:
    found = []
    for number, case in enumerate(CASES):
        world = reference_world(case.tenants, case.dns)
        found += [
            classify(record, world, case.rules, case.assumed(), case.compare)
            for record in random_records(number, RECORDS)
        ]
    return found


@pytest.mark.parametrize("column", EXPECTED)
def test_every_value_occurs_often(verdicts, column):
    """No value of the column is left to luck, and no other value appears."""
    counts = Counter(verdict[column] for verdict in verdicts)

    assert set(counts) == EXPECTED[column]
    assert min(counts.values()) >= OFTEN, counts


@pytest.mark.parametrize("fact", FACTS)
def test_every_fact_takes_every_value(verdicts, fact):
    """Unknown, no and yes are all common."""
    counts = Counter(verdict["evidence"] >> (2 * FACTS.index(fact)) & 3 for verdict in verdicts)

    assert set(counts) == {0, 1, 2}
    assert min(counts.values()) >= RECORDS // 10, counts


@pytest.mark.parametrize("flag", [flag for flag in FLAGS if flag != "spf_evaluated"])
def test_every_flag_is_set_often(verdicts, flag):
    """All but `spf_evaluated`, which comes from outside the record."""
    assert sum(verdict["evidence"] >> (16 + FLAGS.index(flag)) & 1 for verdict in verdicts) >= OFTEN


def test_free_columns_vary(verdicts):
    """Sender domains and rewritten senders are many."""
    for column in ("sender_domain", "srs_sender"):
        assert len({verdict[column] for verdict in verdicts}) >= 4
    assert set(VERDICT_COLUMNS) <= set(verdicts[0])


def test_the_same_seed_gives_the_same_records():
    """A difference that was found can be found again."""
    assert random_records(7, 300) == random_records(7, 300)
    assert random_records(7, 300) != random_records(8, 300)
