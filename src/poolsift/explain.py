"""One verdict in words: each fact and where it came from, the rule, what was observed, what would change it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from poolsift.domain_facts import organizational_domain
from poolsift.evidence import FACTS, Fact, fact_value
from poolsift.fixes import Context, chain
from poolsift.rules import UNDETERMINED, VerdictTable
from poolsift.srs import decode_srs
from poolsift.tables import is_special_use, shipped_table
from poolsift.verdicts import Agreement, Pool, SenderFrom, candidate_pools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from poolsift.evidence import Known
    from poolsift.fixes import Step
    from poolsift.rules import Profile
    from poolsift.tenant import Tenant
    from poolsift.verdicts import Verdict

#: The columns each fact is read from; the sender domain's own columns come on top.
_COLUMNS: Final = {
    Fact.OUTBOUND: (
        "direction",
        "status",
        "recipient",
        "forwarded",
        "outbound_host",
        "outbound_ip",
        "outbound_ip_pool_name",
        "sfp",
    ),
    Fact.DOMAIN_RESOLVES: (),
    Fact.BLOCKED: ("status", "status_code", "status_text"),
    Fact.NDR: ("kind", "mail_from"),
    Fact.SPAM: ("spam",),
    Fact.ACCEPTED_DOMAIN: ("accepted",),
    Fact.SPF_PASS: ("spf",),
    Fact.DKIM_PASS: ("dkim", "dkim_domain", "dmarc"),
}
_QUESTIONS: Final = {
    Fact.OUTBOUND: "went to somebody outside the tenant",
    Fact.DOMAIN_RESOLVES: "sender domain has an A or MX record",
    Fact.BLOCKED: "Microsoft 365 refused to send it",
    Fact.NDR: "non-delivery report or automatic reply",
    Fact.SPAM: "outbound spam verdict",
    Fact.ACCEPTED_DOMAIN: "sender domain is accepted",
    Fact.SPF_PASS: "SPF passed on arrival",
    Fact.DKIM_PASS: "DKIM of the From domain passed on arrival",
}
_POOL_WORDS: Final = {
    Pool.NORMAL: "the normal pool",
    Pool.HIGH_RISK: "the high-risk delivery pool",
    Pool.RELAY: "the relay pool",
    Pool.RELAY_HIGH_RISK: "the high-risk relay pool",
    Pool.BLOCKED: "no pool: Microsoft 365 refused to send it",
    Pool.NOT_OUTBOUND: "no pool: it is not outbound",
    Pool.UNDETERMINED: "what is unknown decides",
}
_AGREEMENT_WORDS: Final = {
    Agreement.MATCH: "as predicted",
    Agreement.COMPATIBLE: "compatible with the prediction",
    Agreement.MISMATCH: "not as predicted; no documented cause explains it",
    Agreement.NOT_COMPARABLE: "not comparable with the prediction",
    Agreement.UNOBSERVED: "not observed",
}
_ACTIONS: Final = {
    "use_public_domain": "send from a domain that exists in the public DNS",
    "publish_a_or_mx": "publish an A or MX record for the sender domain",
    "use_accepted_sender": "send from an accepted domain",
    "unblock_sender": "release the sender from Restricted entities",
    "reduce_volume": "stay below the sending limit",
    "use_own_domain": "send from a domain of your own, not from onmicrosoft.com",
    "allow_forwarding": "allow automatic forwarding in the outbound spam policy",
    "edit_block_list": "take the recipient off the Tenant Allow/Block List",
    "contact_microsoft": "ask Microsoft support to lift the restriction",
    "register_domain": "add and verify the sender domain in the tenant",
    "stop_outbound_spam": "find and stop what sends spam",
    "accept_domain": "make the sender domain an accepted domain",
    "enable_enhanced_filtering": "turn on Enhanced Filtering for the gateway's connector",
    "stop_forwarding": "end the automatic forward to outside",
    "authorize_client_ip": "publish the sending address in the domain's SPF record",
    "sign_dkim": "have the From domain sign with DKIM",
    "investigate": "group such messages and look for what they share",
    "resolve_dns": "find out whether the domain has an A or MX record",
    "check_accepted_domains": "find out which domains the tenant accepts",
    "get_spf": "find out the SPF result on arrival",
    "get_dkim": "find out the DKIM result on arrival",
    "get_direction": "find out whether the message left the tenant",
    "get_kind": "find out whether it is a report or automatic reply",
    "get_status": "find out whether it was refused",
    "get_spam_verdict": "find out the outbound spam verdict",
}
_CELL: Final = 100


def explain_verdict(
    record: Mapping[str, Any],
    verdict: Verdict,
    table: VerdictTable,
    tenant: Tenant | None = None,
    *,
    snapshot: str | None = None,
) -> list[str]:
    """The lines that explain one verdict.

    ``table`` is the profile and the assumptions that decided; ``snapshot`` names where DNS was looked up,
    None means it was not asked. Text of the record is shown with control characters escaped.
    """
    return [
        *_heading(record, verdict),
        "",
        "facts",
        *_facts(record, verdict, table, tenant, snapshot),
        "",
        *_rule(verdict, table.profile),
        "",
        *_observed(verdict),
        "",
        *_way_out(record, verdict, table, tenant),
    ]


def _heading(record: Mapping[str, Any], verdict: Verdict) -> list[str]:
    lines = [f"pool: {verdict.pool} ({_POOL_WORDS[Pool(verdict.pool)]})"]
    if verdict.pool == Pool.UNDETERMINED:
        lines.append(f"still possible: {', '.join(candidate_pools(verdict.candidates))}")
    if verdict.sender_domain is not None:
        lines.append(f"sender domain: {verdict.sender_domain}, from {verdict.sender_from}")
    return [*lines, *_rewriting(record, verdict)]


def _rewriting(record: Mapping[str, Any], verdict: Verdict) -> list[str]:
    """Whom an SRS address holds; on which day it was made, where the record's time tells the cycle of 1,024 days."""
    column = "header_from" if verdict.sender_from == SenderFrom.HEADER_FROM else "mail_from"
    srs, time = decode_srs(record.get(column) or ""), record.get("time")
    if srs is None:
        return []
    day = f" on {srs.day(time)}" if isinstance(time, datetime) else ""
    whom = f"was {_safe(verdict.srs_sender)}" if verdict.srs_sender is not None else "is not in the address"
    return [f"rewritten by SRS{day}; the original sender {whom}"]


def _facts(
    record: Mapping[str, Any], verdict: Verdict, table: VerdictTable, tenant: Tenant | None, snapshot: str | None
) -> list[str]:
    width = max(map(len, FACTS))
    lines = []
    for fact in FACTS:
        value = fact_value(verdict.evidence, fact)
        source = _source(fact, value, record, verdict, tenant, snapshot)
        if not value and fact in table.assume:
            source = f"assumed {table.assume[fact].word}; {source}"
        if verdict.overlaid >> FACTS.index(fact) & 1:
            source = f"by the overlay; otherwise: {source}"
        lines.append(f"  {fact:<{width}}  {value.word:<7}  {_QUESTIONS[fact]}: {source}")
    remarks = [name for name in verdict.facts if name not in FACTS and verdict.facts[name]]
    return [*lines, f"  remarks: {', '.join(remarks)}"] if remarks else lines


def _source(
    fact: Fact,
    value: Known,
    record: Mapping[str, Any],
    verdict: Verdict,
    tenant: Tenant | None,
    snapshot: str | None,
) -> str:
    """Where a fact's value came from: the columns, the snapshot or the tenant file."""
    cells = [f"{name} = {_safe(record[name])}" for name in _COLUMNS[fact] if record.get(name) is not None]
    if fact is Fact.DOMAIN_RESOLVES:
        cells = [_dns_source(verdict.sender_domain, snapshot)]
    if fact is Fact.ACCEPTED_DOMAIN and not cells:
        cells = [_tenant_source(record, verdict, tenant)]
    if fact is Fact.OUTBOUND and tenant is not None and value:
        cells.append(f"accepted domains of {_safe(tenant.path)}")
    if fact is Fact.SPF_PASS and verdict.spf_from not in {None, "log"}:
        cells.append(f"{verdict.spf_from}")
    return ", ".join(cells) if cells else "not recorded"


def _dns_source(domain: str | None, snapshot: str | None) -> str:
    if domain is None:
        return "no usable sender domain"
    if "." not in domain or is_special_use(domain):
        return f"{domain} cannot be in the public DNS"
    return "DNS was not asked" if snapshot is None else f"{domain} in {_safe(snapshot)}"


def _tenant_source(record: Mapping[str, Any], verdict: Verdict, tenant: Tenant | None) -> str:
    if verdict.sender_domain is None:
        return "no usable sender domain"
    if tenant is None:
        return "no tenant file"
    entry = tenant.entry(record.get("tenant_id"))
    if entry is None:
        return f"{_safe(tenant.path)} has no such tenant"
    kind = "learned domains" if entry.learned else "accepted domains"
    return f"{verdict.sender_domain} and the {kind} of {_safe(tenant.path)}"


def _rule(verdict: Verdict, profile: Profile) -> list[str]:
    if verdict.rule == UNDETERMINED:
        return [f"rule: none decides; profile {profile.name} gives different pools for what is unknown"]
    rule = profile.rule(verdict.rule)
    if rule is None:
        return [f"rule: {verdict.rule} (not in profile {profile.name})"]
    when = ", ".join(f"{fact} = {value.word}" for fact, value in rule.when) or "no other rule fits"
    dated = "" if rule.date is None else f" ({rule.date})"
    lines = [f"rule: {rule.name} of profile {profile.name}: {when} => {rule.pool}"]
    return [*lines, f"  source: {rule.source}{dated}"] if rule.source else lines


def _observed(verdict: Verdict) -> list[str]:
    if verdict.observed_pool is None:
        return ["observed: nothing in the log shows the pool it really took"]
    words = _AGREEMENT_WORDS[Agreement(verdict.agreement)]
    return [f"observed: {verdict.observed_pool}, from {verdict.observed_from}: {words}"]


def _way_out(record: Mapping[str, Any], verdict: Verdict, table: VerdictTable, tenant: Tenant | None) -> list[str]:
    if verdict.fix == "investigate":
        return [f"fix: investigate: {_ACTIONS['investigate']}"]
    if verdict.pool in {Pool.NORMAL, Pool.NOT_OUTBOUND}:
        return ["fix: none needed"]
    context, reason = fix_context(record, verdict, tenant), block_reason(record)
    steps = chain(table, verdict.evidence, context, reason)
    if not steps:
        return ["fix: none; by design such messages do not leave by the normal pool"]
    return ["what would change it", *_steps(steps)]


def _steps(steps: Iterable[Step]) -> list[str]:
    lines = []
    number = 0
    for step in steps:
        number += not step.instead
        mark = "   or" if step.instead else f"  {number}."
        changes = ", ".join(f"{fact} = {value.word}" for fact, value in step.changes)
        lines.append(f"{mark} {step.action}: {_ACTIONS[step.action]} ({changes} => {step.pool})")
    return lines


def block_reason(record: Mapping[str, Any]) -> str | None:
    """The block reason that the status code of a record stands for (contract, section 5)."""
    code, text = (record.get("status_code") or "").strip(" "), record.get("status_text")
    for entry in shipped_table("blocks")["block"]:
        if entry["code"] != code:
            continue
        phrase = entry.get("phrase")
        holds = phrase is None or (phrase.lower() in text.lower() if text else not entry.get("required", False))
        return str(entry["reason"]) if holds else None
    return None


def fix_context(record: Mapping[str, Any], verdict: Verdict, tenant: Tenant | None) -> int:
    """The context bits that decide the fix of a record (contract, section 6)."""
    context = Context.NONE
    domain = verdict.sender_domain
    if domain is not None and ("." not in domain or is_special_use(domain)):
        context |= Context.SPECIAL_NAME
    if record.get("forwarded"):
        context |= Context.FORWARDED
    if record.get("connector"):
        context |= Context.CONNECTOR_KNOWN
    entry = tenant.entry(record.get("tenant_id")) if tenant is not None else None
    if entry is None:
        return int(context)
    if domain is not None and not domain.startswith("[") and organizational_domain(domain) in entry.own:
        context |= Context.OWN
    gateway = entry.gateway_of(record.get("client_ip"))
    if gateway is not None:
        context |= Context.IN_GATEWAY
        if gateway.enhanced_filtering is False:
            context |= Context.NO_ENHANCED_FILTERING
    return int(context)


def _safe(value: object) -> str:
    """A cell as text on one line: shortened, control characters escaped."""
    text = str(value)
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[:_CELL])
    return shown + ("…" if len(text) > _CELL else "")
