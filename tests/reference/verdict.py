"""One record to its verdict columns (semantics sections 4 and 6, choices 20 to 30)."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tests.reference import rules
from tests.reference.dns import is_special
from tests.reference.evidence import FACTS, Evidence, Record, World, gather, high_bits, low_bits, text, word
from tests.reference.networks import Tables, host_pool, pool_name_pool, prefix_pool, reply_pool
from tests.reference.srs import srs_original

VERDICT_COLUMNS = (
    "pool",
    "rule",
    "evidence",
    "candidates",
    "observed_pool",
    "observed_from",
    "agreement",
    "fix",
    "sender_domain",
    "sender_from",
    "spf_from",
    "srs_sender",
)

BLOCK_FIXES = {
    "restricted": "unblock_sender",
    "limit": "reduce_volume",
    "tenant_limit": "reduce_volume",
    "initial_domain": "use_own_domain",
    "forwarding": "allow_forwarding",
    "allow_block_list": "edit_block_list",
    "tenant_restricted": "contact_microsoft",
    "unregistered_domain": "register_domain",
}


def default_assumptions(world: World) -> dict[str, str]:
    """`blocked` and `spam` are logged only when they happen; without DNS every domain is taken to resolve."""
    return {"blocked": "no", "spam": "no", **({} if world.snapshot is not None else {"domain_resolves": "yes"})}


def classify(
    record: Record,
    world: World,
    profile: str = "2023-11",
    assume: Mapping[str, str] | None = None,
    compare: tuple[str, ...] = (),
) -> dict[str, Any]:
    """The verdict columns of section 4, and one `pool_…` column for each profile to compare with."""
    return judge(record, world, gather(record, world), profile, assume, compare)


def judge(
    record: Record,
    world: World,
    found: Evidence,
    profile: str,
    assume: Mapping[str, str] | None,
    compare: tuple[str, ...],
) -> dict[str, Any]:
    """The same for facts that have been gathered."""
    assumed = default_assumptions(world) if assume is None else assume
    facts = tuple(assumed.get(name, "unknown") if value == "unknown" else value for name, value in found.facts.items())
    decided = rules.profile_at(profile, record.get("time"))
    pool, rule, pools = decide(decided, facts)
    observed, source, conflict = observe(record, world.tables)
    if conflict:
        found.flags.add("observed_conflict")
    agreement = agree(pool, pools, observed, source)
    rewritten = record["header_from" if found.from_header else "mail_from"] if found.sender is not None else ""
    verdict = {
        "pool": pool,
        "rule": rule,
        "evidence": low_bits(tuple(found.facts.values())) | high_bits(frozenset(found.flags)),
        "candidates": rules.candidate_bits(pools),
        "observed_pool": observed,
        "observed_from": source,
        "agreement": agreement,
        "fix": missing(decided, facts) if rule == "undetermined" else fix(rule, record, found, world, agreement),
        "sender_domain": found.sender,
        "sender_from": found.sender_from,
        "spf_from": spf_from(record),
        "srs_sender": srs_original(rewritten),
    }
    for other in compare:
        name = "pool_" + other.replace("-", "_")
        verdict[name] = decide(rules.profile_at(other, record.get("time")), facts)[0]
    return verdict


@lru_cache(maxsize=None)
def decide(profile: str, facts: tuple[str, ...]) -> tuple[str, str, frozenset[str]]:
    return rules.decide(profile, dict(zip(FACTS, facts, strict=True)))


@lru_cache(maxsize=None)
def missing(profile: str, facts: tuple[str, ...]) -> str:
    return rules.missing_fact(profile, dict(zip(FACTS, facts, strict=True)))


def spf_from(record: Record) -> str | None:
    """Choice 19."""
    if word(record, "spf") is None:
        return None
    return "joined" if record.get("joined") else "log"


def observe(record: Record, tables: Tables) -> tuple[str | None, str | None, bool]:
    """The first source that speaks, which one it was, and whether two sources differ."""
    time, sfp = record.get("time"), record.get("sfp")
    answers = {
        "pool_name": pool_name_pool(tables, text(record, "outbound_ip_pool_name")),
        "outbound_host": host_pool(tables, text(record, "outbound_host"), time),
        "outbound_ip": prefix_pool(tables, text(record, "outbound_ip"), time),
        "reject_text": reply_pool(tables, text(record, "status_text"), time),
        "sfp": tables.sfp.get(sfp) if sfp is not None else None,
    }
    speaking = [
        (source, "relay_high_risk" if pool == "relay" and sfp == 1023 else pool)
        for source, pool in answers.items()
        if pool is not None
    ]
    if not speaking:
        return None, None, False
    source, pool = speaking[0]
    return pool, source, len({said for _, said in speaking}) > 1


def agree(pool: str, pools: frozenset[str], observed: str | None, source: str | None) -> str:
    """Cells in the order of choice 25."""
    if observed is None or pool == "not_outbound":
        return "unobserved"
    if pool == observed:
        return "match"
    if (
        (pool == "undetermined" and observed in pools)
        or {pool, observed} == {"high_risk", "relay_high_risk"}
        or (pool == "relay_high_risk" and observed == "relay" and source in {"outbound_ip", "reject_text"})
    ):
        return "compatible"
    return "not_comparable" if observed == "consumer" else "mismatch"


def fix(rule: str, record: Record, found: Evidence, world: World, agreement: str) -> str | None:
    """Section 6: the first action worth taking; None where there is none."""
    if rule == "no_a_no_mx":
        return fix_name(found, world)
    if rule == "blocked":
        return BLOCK_FIXES.get(found.reason or "")
    if rule in {"spam", "spam_relayed"}:
        return "stop_outbound_spam"
    if rule == "relay_unauthenticated":
        return fix_relay(record, found)
    return "investigate" if rule == "normal" and agreement == "mismatch" else None


def fix_name(found: Evidence, world: World) -> str:
    sender = found.sender
    if sender is not None and not sender.startswith("[") and is_special(sender, world.tables.special_use):
        return "use_public_domain"
    return "publish_a_or_mx" if owns(found) else "use_accepted_sender"


def owns(found: Evidence) -> bool:
    return found.tenant is not None and found.tenant.owns(found.sender)


def fix_relay(record: Record, found: Evidence) -> str:
    gateway = found.tenant.gateway_of(text(record, "client_ip")) if found.tenant is not None else None
    if owns(found):
        return "accept_domain"
    if gateway is not None and gateway.enhanced is False:
        return "enable_enhanced_filtering"
    if record.get("forwarded"):
        return "stop_forwarding"
    if text(record, "connector") or gateway is not None:
        return "use_accepted_sender"
    return "authorize_client_ip"
