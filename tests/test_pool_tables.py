"""Verdict tables as arrays, and the states of the evidence that a change can move."""

from datetime import UTC, datetime
from itertools import product

import numpy as np
import pytest

import poolsift
from poolsift.analysis.pool_tables import PoolTables, may_be_normal
from poolsift.evidence import FACTS, HARMLESS, Fact, Known, encode_evidence
from poolsift.rules import DEFAULT_ASSUMPTIONS, Profile, VerdictTable, valid_states
from poolsift.tables import microseconds
from poolsift.verdicts import POOLS

STATES = np.array(valid_states(), np.uint32)


@pytest.mark.parametrize("rules", ["2023-11", "2026-06", "measured"])
def test_pools_are_those_of_the_table(rules):
    """Every state has the pool and the candidates that the table decides, whatever marks stand above it."""
    table = VerdictTable(Profile.load(rules), DEFAULT_ASSUMPTIONS)
    pools, candidates = PoolTables(rules, DEFAULT_ASSUMPTIONS).lookup(STATES | np.uint32(1 << 17), None)
    decisions = [table.decide(state) for state in STATES.tolist()]

    assert [POOLS[number] for number in pools] == [decision.pool for decision in decisions]
    assert candidates.tolist() == [decision.candidates for decision in decisions]


def test_by_date_the_profile_of_the_time_decides():
    """At each instant, and without one, the profile is that which the classifier takes."""
    tables, classifier = PoolTables("by-date", {}), poolsift.Classifier(rules="by-date", assume={})
    days = [datetime(year, month, 27, tzinfo=UTC) for year in range(2016, 2027) for month in (3, 6, 7)]
    times = [microseconds(day) for day in days]
    facts = {**HARMLESS, Fact.ACCEPTED_DOMAIN: Known.NO, Fact.SPF_PASS: Known.NO}
    state = np.uint32(encode_evidence(facts))
    pools, _ = tables.lookup(np.full(len(days) + 1, state), np.array([*times, np.iinfo(np.int64).min]))
    expected = [classifier.tables[classifier.profile_at(day).name].decide(int(state)).pool for day in (*days, None)]

    assert tables.needs_time
    assert [POOLS[number] for number in pools] == expected
    assert len(set(expected)) > 1


def test_a_single_fact_moves_what_its_value_moves():
    """Alone: exactly the states whose pool differs with the fact at one of the values."""
    tables = PoolTables("2023-11", DEFAULT_ASSUMPTIONS)
    pools, _ = tables.lookup(STATES, None)
    shift = 2 * FACTS.index(Fact.SPF_PASS)
    after, _ = tables.lookup(STATES & ~np.uint32(3 << shift) | np.uint32(2 << shift), None)
    yes = frozenset({Known.YES})

    assert (tables.moved_by(Fact.SPF_PASS, yes, {})[STATES] == (pools != after)).all()
    assert (
        tables.moved_by(Fact.SPF_PASS, yes, {}, only_to_normal=True)[STATES] == ((pools != after) & (after == 0))
    ).all()


def test_whatever_several_facts_move_one_of_them_finds():
    """For any choice of changes and any state: when they move it together, the state is among those of one of them."""
    tables = PoolTables("measured", {})
    settings = {
        Fact.OUTBOUND: frozenset({Known.NO}),
        Fact.ACCEPTED_DOMAIN: frozenset({Known.YES, Known.UNKNOWN}),
        Fact.SPF_PASS: frozenset(Known),
        Fact.SPAM: frozenset({Known.NO}),
    }
    reached = {fact: tables.moved_by(fact, values, settings)[STATES] for fact, values in settings.items()}
    before, _ = tables.lookup(STATES, None)
    for choice in product(*((None, *values) for values in settings.values())):
        states, found = STATES.copy(), np.zeros(len(STATES), bool)
        for (fact, _), value in zip(settings.items(), choice, strict=True):
            if value is not None:
                shift = 2 * FACTS.index(fact)
                states = states & ~np.uint32(3 << shift) | np.uint32(int(value) << shift)
                found |= reached[fact]
        after, _ = tables.lookup(states, None)

        assert not ((after != before) & ~found).any(), choice


def test_only_the_undetermined_may_be_normal():
    pools = np.array([0, 2, 6, 6], np.uint8)

    assert may_be_normal(pools, np.array([1, 4, 5, 4], np.uint8)).tolist() == [False, False, True, False]
