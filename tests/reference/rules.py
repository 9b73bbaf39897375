"""Rule profiles as plain lists, and the verdict of a state by trying every completion (semantics section 3)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product

from tests.reference.evidence import FACTS

POOLS = ("normal", "high_risk", "relay", "relay_high_risk", "blocked", "not_outbound", "undetermined")

Rule = tuple[str, dict[str, str], str]

NOT_OUTBOUND: Rule = ("not_outbound", {"outbound": "no"}, "not_outbound")
NO_A_NO_MX: Rule = ("no_a_no_mx", {"domain_resolves": "no"}, "high_risk")
BLOCKED: Rule = ("blocked", {"blocked": "yes"}, "blocked")
BLOCKED_HIGH: Rule = ("blocked", {"blocked": "yes"}, "high_risk")
NDR: Rule = ("ndr", {"ndr": "yes"}, "high_risk")
SPAM: Rule = ("spam", {"spam": "yes"}, "high_risk")
SPAM_RELAYED: Rule = (
    "spam_relayed",
    {"spam": "yes", "accepted_domain": "no", "spf_pass": "no"},
    "relay_high_risk",
)
RELAY: Rule = (
    "relay_unauthenticated",
    {"accepted_domain": "no", "spf_pass": "no", "dkim_pass": "no"},
    "relay",
)
RELAY_WITHOUT_DKIM: Rule = ("relay_unauthenticated", {"accepted_domain": "no", "spf_pass": "no"}, "relay")
NORMAL: Rule = ("normal", {}, "normal")

PROFILES: dict[str, list[Rule]] = {
    "2016-08": [NOT_OUTBOUND, NO_A_NO_MX, BLOCKED_HIGH, NDR, SPAM, NORMAL],
    "2021-07": [NOT_OUTBOUND, NO_A_NO_MX, BLOCKED_HIGH, NDR, SPAM, RELAY, NORMAL],
    "2023-11": [NOT_OUTBOUND, NO_A_NO_MX, BLOCKED, NDR, SPAM, RELAY, NORMAL],
    "2026-06": [NOT_OUTBOUND, NO_A_NO_MX, BLOCKED, NDR, SPAM, RELAY_WITHOUT_DKIM, NORMAL],
    "measured": [NOT_OUTBOUND, NO_A_NO_MX, BLOCKED, NDR, SPAM_RELAYED, SPAM, RELAY_WITHOUT_DKIM, NORMAL],
}

PERIODS = (
    (datetime(2026, 6, 25, tzinfo=UTC), "2026-06"),
    (datetime(2022, 3, 23, tzinfo=UTC), "2023-11"),
    (datetime(2021, 7, 27, tzinfo=UTC), "2021-07"),
)

HARMLESS = {
    "outbound": "yes",
    "domain_resolves": "yes",
    "blocked": "no",
    "ndr": "no",
    "spam": "no",
    "accepted_domain": "yes",
    "spf_pass": "yes",
    "dkim_pass": "yes",
}

GETTERS = {
    "domain_resolves": "resolve_dns",
    "accepted_domain": "check_accepted_domains",
    "spf_pass": "get_spf",
    "dkim_pass": "get_dkim",
    "outbound": "get_direction",
    "ndr": "get_kind",
    "blocked": "get_status",
    "spam": "get_spam_verdict",
}


def profile_at(name: str, time: datetime | None) -> str:
    """The profile that decides a record: `by-date` goes by its time, in UTC."""
    if name != "by-date":
        return name
    if time is None:
        return "2023-11"
    return next((profile for since, profile in PERIODS if time >= since), "2016-08")


def fire(profile: str, facts: Mapping[str, str]) -> Rule:
    """The first rule whose conditions all hold; every fact is known."""
    return next(rule for rule in PROFILES[profile] if all(facts[name] == value for name, value in rule[1].items()))


def completions(facts: Mapping[str, str]) -> list[dict[str, str]]:
    """Every way in which the unknown facts may turn out."""
    choices = [["no", "yes"] if facts[name] == "unknown" else [facts[name]] for name in FACTS]
    return [dict(zip(FACTS, values, strict=True)) for values in product(*choices)]


def candidates(profile: str, facts: Mapping[str, str]) -> frozenset[str]:
    """The pools over all completions."""
    return state_candidates(profile, tuple(facts[name] for name in FACTS))


@lru_cache(maxsize=None)
def state_candidates(profile: str, state: tuple[str, ...]) -> frozenset[str]:
    facts = dict(zip(FACTS, state, strict=True))
    return frozenset(fire(profile, complete)[2] for complete in completions(facts))


def decide(profile: str, facts: Mapping[str, str]) -> tuple[str, str, frozenset[str]]:
    """Pool, rule and candidates of a state; `facts` are those after the assumptions."""
    pools = candidates(profile, facts)
    if len(pools) > 1:
        return "undetermined", "undetermined", pools
    harmless = {name: HARMLESS[name] if value == "unknown" else value for name, value in facts.items()}
    rule = fire(profile, harmless)
    return rule[2], rule[0], pools


def missing_fact(profile: str, facts: Mapping[str, str]) -> str:
    """The fix of an undetermined state: the first unknown fact that alone changes the candidates, else the first."""
    unknown = [name for name in GETTERS if facts[name] == "unknown"]
    here = candidates(profile, facts)
    for name in unknown:
        if any(candidates(profile, {**facts, name: value}) != here for value in ("no", "yes")):
            return GETTERS[name]
    return GETTERS[unknown[0]]


def candidate_bits(pools: frozenset[str]) -> int:
    """Bit 0 is normal, bit 5 not_outbound."""
    return sum(1 << POOLS.index(pool) for pool in pools)
