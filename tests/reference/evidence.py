"""Eight facts and nine flag bits of one record (semantics section 2, choices 1 to 3 and 12 to 19)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.reference.accepted import Tenant, tenant_of
from tests.reference.addresses import Mailbox, canonical_domain, fold, ip_address, mailbox, organizational
from tests.reference.dns import Resolution, Snapshot, resolve
from tests.reference.networks import Tables, host_pool

FACTS = ("outbound", "domain_resolves", "blocked", "ndr", "spam", "accepted_domain", "spf_pass", "dkim_pass")
FLAGS = (
    "sender_from_header",
    "spf_evaluated",
    "joined",
    "p1_p2_disagree",
    "observed_conflict",
    "null_path_without_kind",
    "aaaa_only",
    "null_mx",
    "submitted",
)
NUMBER = {"unknown": 0, "no": 1, "yes": 2}
WORDS = {
    "kind": frozenset("message ndr auto_reply delay receipt journal".split()),
    "direction": frozenset("outbound inbound internal".split()),
    "status": frozenset("delivered failed pending expanded quarantined dropped filtered".split()),
    "spf": frozenset("pass fail softfail neutral none permerror temperror".split()),
    "dkim": frozenset("pass none fail policy neutral permerror temperror timeout".split()),
    "dmarc": frozenset(["pass"]),
}
NDR_SENDER = "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e"

# Section 5: code -> (phrase the text must hold, whether a text is required, reason).
BLOCKS = {
    "5.1.8": ("bad outbound sender", False, "restricted"),
    "5.1.90": (None, False, "limit"),
    "5.2.2": ("submissionquotaexceeded", True, "limit"),
    "5.7.232": (None, False, "tenant_limit"),
    "5.7.233": (None, False, "tenant_limit"),
    "5.7.236": (None, False, "initial_domain"),
    "5.7.501": ("access denied", False, "restricted"),
    "5.7.502": ("access denied", False, "restricted"),
    "5.7.503": ("access denied", False, "restricted"),
    "5.7.520": (None, False, "forwarding"),
    "5.7.703": (None, False, "allow_block_list"),
    "5.7.705": (None, False, "tenant_restricted"),
    "5.7.708": ("traffic not accepted from this ip", False, "tenant_restricted"),
    "5.7.750": (None, False, "unregistered_domain"),
}

Record = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """What a verdict depends on besides the record."""

    tables: Tables
    tenants: Sequence[Tenant] = ()
    snapshot: Snapshot | None = None


@dataclass
class Evidence:
    """The facts by name with what later steps need; `flags` holds the names of the set bits."""

    facts: dict[str, str]
    flags: set[str]
    sender: str | None
    from_header: bool
    sender_from: str | None
    tenant: Tenant | None
    reason: str | None


def text(record: Record, column: str) -> str | None:
    """Choice 1: an empty string is not recorded."""
    return record.get(column) or None


def word(record: Record, column: str) -> str | None:
    """Choice 2: ASCII case ignored, nothing trimmed, other words are not recorded."""
    return known_word(record.get(column), column)


@lru_cache(maxsize=1 << 16)
def known_word(value: str | None, column: str) -> str | None:
    folded = fold(value or "")
    return folded if folded in WORDS[column] else None


def gather(record: Record, world: World) -> Evidence:
    """All facts of one record."""
    mail_from = None if record.get("mail_from") is None else mailbox(record["mail_from"])
    header_from = None if text(record, "header_from") is None else mailbox(record["header_from"])
    from_header = mail_from is None or mail_from.kind == "null_path"
    source = header_from if from_header else mail_from
    sender = source.domain if source else None
    tenant = tenant_of(world.tenants, text(record, "tenant_id"))
    resolution = resolve(world.snapshot, sender, world.tables.special_use)
    blocked, reason = block(text(record, "status_code"), text(record, "status_text"), word(record, "status"))
    facts = {
        "outbound": outbound(record, world, tenant),
        "domain_resolves": resolution.state,
        "blocked": blocked,
        "ndr": ndr(word(record, "kind"), mail_from, source),
        "spam": yes_or_no(record.get("spam")),
        "accepted_domain": accepted_domain(record.get("accepted"), tenant, sender, mail_from, header_from),
        "spf_pass": spf_pass(word(record, "spf")),
        "dkim_pass": dkim_pass(
            word(record, "dkim"),
            word(record, "dmarc"),
            word(record, "spf"),
            text(record, "dkim_domain"),
            mail_from,
            header_from,
        ),
    }
    flags = set_flags(record, mail_from, header_from, from_header and sender is not None, resolution)
    return Evidence(facts, flags, sender, from_header, sender_column(record, sender, from_header), tenant, reason)


def sender_column(record: Record, sender: str | None, from_header: bool) -> str | None:
    if sender is None:
        return None
    if from_header:
        return "header_from"
    return "trace" if record.get("sender_from_trace") else "mail_from"


def set_flags(
    record: Record, mail_from: Mailbox | None, header_from: Mailbox | None, from_header: bool, resolution: Resolution
) -> set[str]:
    """Bits 16 to 24 but for the observed conflict, which the verdict knows."""
    p1 = mail_from.domain if mail_from else None
    p2 = header_from.domain if header_from else None
    null_path = mail_from is not None and mail_from.kind == "null_path"
    states = {
        "sender_from_header": from_header,
        "joined": bool(record.get("joined")),
        "p1_p2_disagree": p1 is not None and p2 is not None and p1 != p2,
        "null_path_without_kind": null_path and word(record, "kind") is None,
        "aaaa_only": resolution.aaaa_only,
        "null_mx": resolution.null_mx,
        "submitted": bool(record.get("submitted")),
    }
    return {name for name, state in states.items() if state}


def yes_or_no(value: bool | None) -> str:
    return "unknown" if value is None else "yes" if value else "no"


def outbound(record: Record, world: World, tenant: Tenant | None) -> str:
    """First that applies, in the order of the contract."""
    direction, time = word(record, "direction"), record.get("time")
    recipient = mailbox(record["recipient"]) if text(record, "recipient") else None
    domain = recipient.domain if recipient else None
    accepted = tenant is not None and tenant.accepts(domain)
    if (
        direction == "internal"
        or host_pool(world.tables, text(record, "outbound_host"), time) == "consumer"
        or fold(record.get("tenant_id") or "") in world.tables.consumer_tenants
        or word(record, "status") in {"expanded", "quarantined", "dropped"}
        or (direction == "inbound" and (accepted or domain is None))
    ):
        return "no"
    if (
        text(record, "outbound_host")
        or ip_address(text(record, "outbound_ip"))
        or text(record, "outbound_ip_pool_name")
        or record.get("sfp") is not None
    ):
        return "yes"
    if accepted:
        return "no"
    if domain is not None and tenant is not None and not tenant.learned:
        return "yes" if direction != "inbound" or record.get("forwarded") else "unknown"
    return "yes" if direction == "outbound" else "unknown"


@lru_cache(maxsize=1 << 16)
def block(code: str | None, said: str | None, status: str | None) -> tuple[str, str | None]:
    """Fact 2 and the reason of section 5."""
    code = (code or "").strip(" ") or None
    if code in BLOCKS:
        phrase, required, reason = BLOCKS[code]
        holds = not required if said is None else phrase is None or phrase in fold(said)
        return ("yes", reason) if holds else ("unknown", None)
    if status in {"delivered", "pending"} or (status == "failed" and code):
        return "no", None
    return "unknown", None


def ndr(kind: str | None, mail_from: Mailbox | None, sender: Mailbox | None) -> str:
    """Fact 3; local parts by their content, ASCII case ignored (choice 13)."""
    if kind is not None:
        return "yes" if kind in {"ndr", "auto_reply"} else "no"
    if mail_from is not None and mail_from.kind == "null_path":
        return "yes"
    if sender is None or sender.domain is None:
        return "unknown"
    local = fold(sender.local)
    if local == NDR_SENDER:
        return "yes"
    return "unknown" if local in {"postmaster", "mailer-daemon"} else "no"


def accepted_domain(
    recorded: bool | None,
    tenant: Tenant | None,
    sender: str | None,
    mail_from: Mailbox | None,
    header_from: Mailbox | None,
) -> str:
    """Fact 5."""
    if recorded is not None:
        return yes_or_no(recorded)
    if sender is None or tenant is None:
        return "unknown"
    if tenant.accepts(sender):
        return "yes"
    others = [found.domain for found in (mail_from, header_from) if found is not None]
    return "unknown" if tenant.learned or any(tenant.accepts(domain) for domain in others) else "no"


def spf_pass(result: str | None) -> str:
    """Fact 6."""
    return {None: "unknown", "temperror": "unknown", "pass": "yes"}.get(result, "no")


@lru_cache(maxsize=1 << 18)
def dkim_pass(
    result: str | None,
    dmarc: str | None,
    spf: str | None,
    domains: str | None,
    mail_from: Mailbox | None,
    header_from: Mailbox | None,
) -> str:
    """Fact 7, cells in the order yes, no, unknown."""
    if result != "pass":
        return "no" if result in {"none", "fail", "policy", "neutral", "permerror"} else "unknown"
    items = [item for part in (domains or "").split(",") if (item := part.strip(" "))]
    if not items:
        return "yes" if dmarc == "pass" and spf is not None and spf != "pass" else "unknown"
    referred = header_from if header_from is not None else mail_from
    if referred is None or referred.kind != "domain" or referred.domain is None:
        return "unknown"
    passed = [canonical_domain(item) for item in items]
    if referred.domain in passed:
        return "yes"
    if None in passed:
        return "unknown"
    related = any(organizational(item) == organizational(referred.domain) for item in passed if item)
    from_mail_from = mail_from is not None and mail_from.domain in passed
    return "unknown" if related or from_mail_from else "no"


@lru_cache(maxsize=None)
def low_bits(facts: tuple[str, ...]) -> int:
    """Two bits a fact, in their order."""
    return sum(NUMBER[value] << (2 * index) for index, value in enumerate(facts))


@lru_cache(maxsize=None)
def high_bits(flags: frozenset[str]) -> int:
    """One bit a flag, from bit 16."""
    return sum(1 << (16 + index) for index, name in enumerate(FLAGS) if name in flags)
