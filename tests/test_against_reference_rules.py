"""All 6,561 states of every profile: the packed verdict table equals brute force over completions."""

from itertools import product

import pytest

from poolsift import rules
from tests.reference import rules as reference
from tests.reference.evidence import FACTS, low_bits
from tests.reference.worlds import CASES, Case

# The numbers that every floor shares (docs/internals.md).
FIXES = (
    "use_public_domain publish_a_or_mx use_accepted_sender unblock_sender reduce_volume use_own_domain "
    "allow_forwarding edit_block_list contact_microsoft register_domain stop_outbound_spam accept_domain "
    "enable_enhanced_filtering stop_forwarding authorize_client_ip investigate resolve_dns check_accepted_domains "
    "get_spf get_dkim get_direction get_kind get_status get_spam_verdict"
).split()
ASSUMPTIONS = sorted({case.assume for case in CASES if case.assume is not None} | {(("blocked", "no"), ("spam", "no"))})


def expected_row(profile: str, facts: dict[str, str], assume: dict[str, str]) -> tuple[str, str, int, str | None]:
    """Pool, rule, candidates and fix of a state by brute force."""
    settled = {name: assume.get(name, value) if value == "unknown" else value for name, value in facts.items()}
    pool, rule, pools = reference.decide(profile, settled)
    fix = reference.missing_fact(profile, settled) if rule == "undetermined" else None
    return pool, rule, reference.candidate_bits(pools), fix


@pytest.mark.parametrize("assume", ASSUMPTIONS, ids=str)
@pytest.mark.parametrize("profile", reference.PROFILES)
def test_verdict_table(profile, assume):
    """Every combination of unknown, no and yes has the verdict that its completions agree on."""
    names = [rule[0] for rule in reference.PROFILES[profile]] + ["undetermined"]
    packed = rules.table(rules.Profile.load(profile), rules.parse_assume(Case(assume=assume).assume_text()))
    wrong = []
    for values in product(("unknown", "no", "yes"), repeat=len(FACTS)):
        at = 4 * low_bits(values)
        pool, rule, candidates, fix = packed[at : at + 4]
        found = reference.POOLS[pool], names[rule], candidates, None if fix == 255 else FIXES[fix]
        expected = expected_row(profile, dict(zip(FACTS, values, strict=True)), dict(assume))
        if found != expected:
            wrong.append((values, found, expected))

    assert wrong == []


@pytest.mark.parametrize("profile", reference.PROFILES)
def test_profile_has_the_rules_of_the_contract(profile):
    """Names, order and pools of the shipped rules."""
    shipped = [(rule.name, str(rule.pool)) for rule in rules.Profile.load(profile).rules]

    assert shipped == [(name, pool) for name, _, pool in reference.PROFILES[profile]]
