"""The first action worth taking for a record, and the chain of actions that ends in the normal pool."""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.evidence import FACTS, Fact, Known
from poolsift.verdicts import NONE, Pool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poolsift.rules import VerdictTable


class Fix(StrEnum):
    """An action; its place in this list is its number in the core."""

    USE_PUBLIC_DOMAIN = "use_public_domain"  #: send from a domain that can be in the public DNS
    PUBLISH_A_OR_MX = "publish_a_or_mx"  #: give the sender domain an A or MX record
    USE_ACCEPTED_SENDER = "use_accepted_sender"  #: send from an accepted domain
    UNBLOCK_SENDER = "unblock_sender"  #: release the user from Restricted entities
    REDUCE_VOLUME = "reduce_volume"  #: stay below the sending limit
    USE_OWN_DOMAIN = "use_own_domain"  #: do not send from onmicrosoft.com
    ALLOW_FORWARDING = "allow_forwarding"  #: allow automatic forwarding in the outbound policy
    EDIT_BLOCK_LIST = "edit_block_list"  #: take the recipient off the Tenant Allow/Block List
    CONTACT_MICROSOFT = "contact_microsoft"  #: only support can lift it
    REGISTER_DOMAIN = "register_domain"  #: add the sender domain to the tenant
    STOP_OUTBOUND_SPAM = "stop_outbound_spam"  #: find and stop what sends spam
    ACCEPT_DOMAIN = "accept_domain"  #: make the sender domain an accepted domain
    ENABLE_ENHANCED_FILTERING = "enable_enhanced_filtering"  #: on the connector of the gateway
    STOP_FORWARDING = "stop_forwarding"  #: end the automatic forward to outside
    AUTHORIZE_CLIENT_IP = "authorize_client_ip"  #: publish the sending host in the domain's SPF record
    INVESTIGATE = "investigate"  #: no documented cause
    RESOLVE_DNS = "resolve_dns"  #: find out whether the domain has an A or MX record
    CHECK_ACCEPTED_DOMAINS = "check_accepted_domains"  #: find out which domains are accepted
    GET_SPF = "get_spf"  #: find out the SPF result on arrival
    GET_DKIM = "get_dkim"  #: find out the DKIM result on arrival
    GET_DIRECTION = "get_direction"  #: find out whether the message left the tenant
    GET_KIND = "get_kind"  #: find out whether it is a report or automatic reply
    GET_STATUS = "get_status"  #: find out whether it was refused
    GET_SPAM_VERDICT = "get_spam_verdict"  #: find out the outbound spam verdict


class BlockReason(StrEnum):
    """Why Microsoft 365 refused to send; its place is its number in the core."""

    RESTRICTED = "restricted"
    LIMIT = "limit"
    TENANT_LIMIT = "tenant_limit"
    INITIAL_DOMAIN = "initial_domain"
    FORWARDING = "forwarding"
    ALLOW_BLOCK_LIST = "allow_block_list"
    TENANT_RESTRICTED = "tenant_restricted"
    UNREGISTERED_DOMAIN = "unregistered_domain"


class Context(IntFlag):
    """What besides rule and reason decides the fix."""

    NONE = 0
    SPECIAL_NAME = 1  #: the sender domain is special-use or a single label
    OWN = 2  #: it shares the organizational domain of an accepted domain
    IN_GATEWAY = 4  #: client_ip is in a gateway of the tenant
    NO_ENHANCED_FILTERING = 8  #: and that gateway has enhanced_filtering = false
    FORWARDED = 16
    CONNECTOR_KNOWN = 32


FIX_NUMBERS: Final = tuple(Fix)
BLOCK_REASONS: Final = tuple(BlockReason)
CONTEXTS: Final = 64
#: An action of ``chain`` only, never of the ``fix`` column: have the From domain sign.
SIGN_DKIM: Final = "sign_dkim"

#: What to find out when a fact is unknown; the order is that of the contract (section 6).
UNKNOWN_FIXES: Final = {
    Fact.DOMAIN_RESOLVES: Fix.RESOLVE_DNS,
    Fact.ACCEPTED_DOMAIN: Fix.CHECK_ACCEPTED_DOMAINS,
    Fact.SPF_PASS: Fix.GET_SPF,
    Fact.DKIM_PASS: Fix.GET_DKIM,
    Fact.OUTBOUND: Fix.GET_DIRECTION,
    Fact.NDR: Fix.GET_KIND,
    Fact.BLOCKED: Fix.GET_STATUS,
    Fact.SPAM: Fix.GET_SPAM_VERDICT,
}

_BLOCK_FIXES = {
    BlockReason.RESTRICTED: Fix.UNBLOCK_SENDER,
    BlockReason.LIMIT: Fix.REDUCE_VOLUME,
    BlockReason.TENANT_LIMIT: Fix.REDUCE_VOLUME,
    BlockReason.INITIAL_DOMAIN: Fix.USE_OWN_DOMAIN,
    BlockReason.FORWARDING: Fix.ALLOW_FORWARDING,
    BlockReason.ALLOW_BLOCK_LIST: Fix.EDIT_BLOCK_LIST,
    BlockReason.TENANT_RESTRICTED: Fix.CONTACT_MICROSOFT,
    BlockReason.UNREGISTERED_DOMAIN: Fix.REGISTER_DOMAIN,
}

#: What each action makes true, so that the verdict can be read again. Finding out a fact counts as
#: finding its harmless value: the chain shows the way to the normal pool.
EFFECTS: Final[dict[str, dict[Fact, Known]]] = {
    Fix.USE_PUBLIC_DOMAIN: {Fact.DOMAIN_RESOLVES: Known.YES},
    Fix.PUBLISH_A_OR_MX: {Fact.DOMAIN_RESOLVES: Known.YES},
    Fix.USE_ACCEPTED_SENDER: {Fact.DOMAIN_RESOLVES: Known.YES, Fact.ACCEPTED_DOMAIN: Known.YES},
    **{fix: {Fact.BLOCKED: Known.NO} for fix in _BLOCK_FIXES.values()},
    Fix.STOP_OUTBOUND_SPAM: {Fact.SPAM: Known.NO},
    Fix.ACCEPT_DOMAIN: {Fact.ACCEPTED_DOMAIN: Known.YES},
    Fix.ENABLE_ENHANCED_FILTERING: {Fact.SPF_PASS: Known.YES},
    Fix.STOP_FORWARDING: {Fact.OUTBOUND: Known.NO},
    Fix.AUTHORIZE_CLIENT_IP: {Fact.SPF_PASS: Known.YES},
    SIGN_DKIM: {Fact.DKIM_PASS: Known.YES},
    Fix.RESOLVE_DNS: {Fact.DOMAIN_RESOLVES: Known.YES},
    Fix.CHECK_ACCEPTED_DOMAINS: {Fact.ACCEPTED_DOMAIN: Known.YES},
    Fix.GET_SPF: {Fact.SPF_PASS: Known.YES},
    Fix.GET_DKIM: {Fact.DKIM_PASS: Known.YES},
    Fix.GET_DIRECTION: {Fact.OUTBOUND: Known.YES},
    Fix.GET_KIND: {Fact.NDR: Known.NO},
    Fix.GET_STATUS: {Fact.BLOCKED: Known.NO},
    Fix.GET_SPAM_VERDICT: {Fact.SPAM: Known.NO},
}


def fix_for(rule: str, context: int = 0, reason: str | None = None) -> Fix | None:
    """The fix of a determined verdict (contract, section 6); None where there is none.

    ``context`` holds ``Context`` bits, ``reason`` the block reason. Rules of a user's own have no fix.
    """
    if rule == "no_a_no_mx":
        if context & Context.SPECIAL_NAME:
            return Fix.USE_PUBLIC_DOMAIN
        return Fix.PUBLISH_A_OR_MX if context & Context.OWN else Fix.USE_ACCEPTED_SENDER
    if rule == "blocked":
        return None if reason is None else _BLOCK_FIXES[BlockReason(reason)]
    if rule in {"spam", "spam_relayed"}:
        return Fix.STOP_OUTBOUND_SPAM
    return _relay_fix(context) if rule == "relay_unauthenticated" else None


def _relay_fix(context: int) -> Fix:
    if context & Context.OWN:
        return Fix.ACCEPT_DOMAIN
    if context & Context.NO_ENHANCED_FILTERING:
        return Fix.ENABLE_ENHANCED_FILTERING
    if context & Context.FORWARDED:
        return Fix.STOP_FORWARDING
    if context & (Context.CONNECTOR_KNOWN | Context.IN_GATEWAY):
        return Fix.USE_ACCEPTED_SENDER
    return Fix.AUTHORIZE_CLIENT_IP


def fix_table(rules: Sequence[str]) -> bytes:
    """``fix_for`` for every rule, reason (the last: none) and context, flattened in that order; 255 = none."""
    table = bytearray()
    for rule in rules:
        for reason in (*BLOCK_REASONS, None):
            for context in range(CONTEXTS):
                fix = fix_for(rule, context, reason)
                table.append(NONE if fix is None else FIX_NUMBERS.index(fix))
    return bytes(table)


class Step(NamedTuple):
    """One action of a chain, the facts it changes, and the verdict after it.

    ``instead`` marks another way than the step before it, from the same state.
    """

    action: str
    changes: tuple[tuple[Fact, Known], ...]
    evidence: int
    pool: Pool
    rule: str
    instead: bool = False


def after(evidence: int, action: str) -> int:
    """Packed evidence once an action is done."""
    for fact, value in EFFECTS[action].items():
        shift = 2 * FACTS.index(fact)
        evidence = evidence & ~(3 << shift) | value << shift
    return evidence


def chain(table: VerdictTable, evidence: int, context: int = 0, reason: str | None = None) -> tuple[Step, ...]:
    """All actions, one after another, that end in the normal pool (or in no outbound mail at all).

    ``sign_dkim`` stands beside the first action where the profile's deciding rule asks for DKIM. Empty
    when the record is normal already, and when no chain of known actions ends well (reports of
    non-delivery leave by the high-risk pool by design).
    """
    steps: list[Step] = []
    decision = table.decide(evidence)
    while decision.pool not in {Pool.NORMAL, Pool.NOT_OUTBOUND}:
        action = decision.fix or fix_for(decision.rule, context, reason)
        if action is None or after(evidence, action) == evidence:
            return ()
        step = _step(table, evidence, action)
        steps.append(step)
        rule = table.profile.rule(decision.rule)
        if rule is not None and (Fact.DKIM_PASS, Known.NO) in rule.when:
            steps.append(_step(table, evidence, SIGN_DKIM)._replace(instead=True))
        if action == Fix.USE_PUBLIC_DOMAIN:
            context &= ~Context.SPECIAL_NAME
        evidence, decision = step.evidence, table.decide(step.evidence)
    return tuple(steps)


def _step(table: VerdictTable, evidence: int, action: str) -> Step:
    changed = after(evidence, action)
    decision = table.decide(changed)
    return Step(action, tuple(EFFECTS[action].items()), changed, decision.pool, decision.rule)
