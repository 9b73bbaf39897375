"""Twin of the header reader: mbox and single messages through the email module (contract, "Which hop, which stamp")."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.utils import getaddresses, parsedate_to_datetime
from ipaddress import ip_address
from typing import Any, NamedTuple

OUTBOUND = ".outbound.protection.outlook.com"
MICROSOFT = (".outlook.com", ".office365.com", ".microsoft.com")
WITH_NAME = re.compile(r"from (\S+) \((\S+) \[([0-9A-Fa-f.:]+)\]\) by (\S+)")
WITHOUT_NAME = re.compile(r"from (\S+) (?:\(\S+\) )?\(([0-9A-Fa-f.:]+)\) by (\S+)")
FOR = re.compile(r" for <([^>]+)>")
SPF_STAMP = re.compile(r"\bspf=(\w+)(?: \((?:sender ip is ([^)]*)\))?)?", re.IGNORECASE)
DKIM_STAMP = re.compile(r"\bdkim=(\w+)(?: \([^)]*\))?(?: header\.d=([^;\s]+))?", re.IGNORECASE)
DIRECTIONS = {"OUT": "outbound", "INB": "inbound", "INT": "internal"}
FORWARD_FIELDS = {"x-ms-exchange-forwardingloop", "x-ms-exchange-inbox-rules-loop", "resent-from"}

Field = tuple[str, str]


class Hop(NamedTuple):
    """A Received field."""

    host: str
    helo: str
    address: str
    by: str
    time: datetime | None

    @property
    def leaves(self) -> bool:
        return self.host.endswith(OUTBOUND) and not self.by.endswith(MICROSOFT)

    @property
    def enters(self) -> bool:
        return self.by.endswith(MICROSOFT) and (self.host.endswith(OUTBOUND) or not self.host.endswith(MICROSOFT))


def messages(data: bytes) -> list[bytes]:
    """The messages of an mbox by its dated `From ` lines; any other file is one message."""
    if not data.startswith(b"From "):
        return [data] if data.strip() else []
    return re.split(rb"(?m)^From [^\n]*\d\d:\d\d[^\n]*\n", data)[1:]


def read(data: bytes) -> list[dict[str, Any]]:
    return [{"row": number, **record(message)} for number, message in enumerate(messages(data), 1)]


def parse_hop(value: str) -> Hop | None:
    time = value.rpartition(";")[2].strip()
    moment = parsedate_to_datetime(time).astimezone(UTC) if time else None
    if match := WITH_NAME.match(value):
        helo, host, address, by = match.groups()
        return Hop(host.lower(), helo, address, by.lower(), moment)
    if match := WITHOUT_NAME.match(value):
        helo, address, by = match.groups()
        return Hop(helo.lower(), helo, address, by.lower(), moment)
    return None


def record(data: bytes) -> dict[str, Any]:
    """Everything above the outbound hop but Return-Path is left out before anything is asked."""
    found = [(name.lower(), " ".join(str(value).split())) for name, value in message_from_bytes(data).items()]
    hops = [(place, parse_hop(value)) for place, (name, value) in enumerate(found) if name == "received"]
    hop_at, hop = next(((place, each) for place, each in hops if each and each.leaves), (-1, None))
    entry_at, entry = next(
        ((place, each) for place, each in hops if each and place > hop_at and each.enters), (len(found), None)
    )
    below = found[hop_at + 1 :]
    values = dict(reversed(below))
    counting = stamp(found[hop_at + 1 : entry_at]) or stamp(found[entry_at + 1 :]) or {}
    # Of mail that was seen to leave, a report of another direction is that of a different passage.
    reported = hop is None or "DIR:OUT" in values.get("x-forefront-antispam-report", "")
    above = sum(place < hop_at for place, _ in hops)
    result = {
        "message_id": values.get("message-id"),
        **report(values, reported),
        **client(
            values, entry, [value for name, value in found[entry_at + 1 :] if name == "received"], counting, reported
        ),
        **{name: counting.get(name) for name in ("spf", "dkim", "dkim_domain", "dmarc")},
        **senders(found, values, arrival_names(below, counting), above),
        "time": (hop or entry).time if hop or entry else date(values),
    }
    if hop is not None:
        rcpt = FOR.search(found[hop_at][1])
        result |= {"outbound_host": hop.host, "outbound_ip": hop.address, "recipient": rcpt[1] if rcpt else None}
    result["kind"] = kind(values, result["mail_from"])
    return {name: value for name, value in result.items() if value is not None}


def date(values: dict[str, str]) -> datetime | None:
    return parsedate_to_datetime(values["date"]).astimezone(UTC) if "date" in values else None


# ── Which stamp ───────────────────────────────────────────────────────────────


def stamp(fields: list[Field]) -> dict[str, Any] | None:
    """The results of the nearest stamp of the best kind; those of a submission are as if they were not there."""
    for kind_, counts in (
        ("x-ms-exchange-authentication-results", lambda value: not is_submission(value)),
        ("authentication-results", is_own),
        ("arc-authentication-results", is_arrival_arc),
    ):
        value = next((value for name, value in fields if name == kind_ and counts(value)), None)
        if value is not None:
            return results(value)
    return None


def is_submission(value: str) -> bool:
    return "spf=" not in value and "header.d=none" in value and "dmarc=none" in value


def is_own(value: str) -> bool:
    """Without authserv-id: the first part is a result already."""
    return "=" in value.partition(";")[0] and "spf=" in value


def is_arrival_arc(value: str) -> bool:
    """Of Microsoft 365, and not the pass without address of a submission."""
    return "mx.microsoft.com" in value and ("spf=pass" not in value or "sender ip is" in value.lower())


def results(value: str) -> dict[str, Any]:
    spf = SPF_STAMP.search(value)
    dkim = [(word.lower(), domain) for word, domain in DKIM_STAMP.findall(value)]
    dmarc = re.search(r"\bdmarc=(\w+)", value)
    passed = [domain for word, domain in dkim if word == "pass" and domain not in {"", "none"}]
    words = [word for word, _ in dkim]
    return {
        "spf": spf[1].lower() if spf else None,
        "address": spf[2] if spf and spf[2] else None,
        "dkim": "pass" if "pass" in words else words[0] if words else None,
        "dkim_domain": ",".join(passed) or None,
        "dmarc": dmarc[1].lower() if dmarc else None,
        "mail_from": named(value, "smtp.mailfrom"),
        "header_from": named(value, "header.from"),
    }


def named(value: str, property_: str) -> str | None:
    match = re.search(rf"\b{re.escape(property_)}=([^;\s]+)", value)
    return match[1].lower() if match else None


def arrival_names(below: list[Field], counting: dict[str, Any]) -> dict[str, Any]:
    """The domains of MAIL FROM and From as stamped; where the stamp names none, ARC of a submission may."""
    arc = next(
        (value for name, value in below if name == "arc-authentication-results" and "mx.microsoft.com" in value), ""
    )
    return {
        "mail_from": counting.get("mail_from") or named(arc, "smtp.mailfrom"),
        "header_from": counting.get("header_from") or named(arc, "header.from"),
    }


# ── What Exchange and its filter say ──────────────────────────────────────────


def report(values: dict[str, str], reported: bool) -> dict[str, Any]:
    """What the filter's report says, where it counts, and Exchange's own fields."""
    words: dict[str, str] = {}
    for item in values.get("x-forefront-antispam-report", "").split(";"):
        name, _, value = item.strip().partition(":")
        words.setdefault(name, value.strip())
    result: dict[str, Any] = {}
    if reported:
        result["direction"] = DIRECTIONS.get(words.get("DIR", ""))
    if words.get("DIR") == "OUT":
        result |= {"sfp": int(words["SFP"]), "spam": words["SFV"] == "SPM" or words["CAT"] == "OSPM"}
    result["accepted"] = {"1": True, "0": False, "2": False}.get(values.get("x-ms-exchange-senderadcheck", ""))
    result["submitted"] = {"internal": True, "anonymous": False}.get(
        values.get("x-ms-exchange-crosstenant-authas", "").lower()
    )
    if values.get("x-ms-exchange-antispam-relay") == "1" or FORWARD_FIELDS & values.keys():
        result["forwarded"] = True
    return result


def client(
    values: dict[str, str], entry: Hop | None, before: list[str], counting: dict[str, Any], reported: bool
) -> dict[str, Any]:
    """The attributed host, else the one that SPF was judged on, else of the hop into Microsoft 365, else CIP."""
    attributed = re.match(
        r"TenantId=([^;]*);Ip=\[([^\]]*)\];Helo=\[([^\]]*)\]",
        values.get("x-ms-exchange-crosstenant-originalattributedtenantconnectingip", ""),
    )
    skipped = re.search(r"ip=\[([^\]]*)\]", values.get("x-ms-exchange-skiplistedinternetsender", ""))
    filtered = re.search(r"\bCIP:([^;]*)", values.get("x-forefront-antispam-report", "")) if reported else None
    result: dict[str, Any] = {
        "client_ip": counting.get("address") or (entry.address if entry else filtered[1] if filtered else None),
        "helo": entry.helo if entry else None,
        "source_ip": skipped[1] if skipped else chained(before),
    }
    if attributed:
        result |= {"tenant_id": attributed[1], "client_ip": attributed[2], "helo": attributed[3]}
    return result


def chained(before: list[str]) -> str | None:
    """The first public address, unless a host without one handed the message over before."""
    for value in before:
        hop = parse_hop(value)
        if hop is None and value.startswith("from "):
            return None
        if hop is not None and is_public(hop.address):
            return hop.address
    return None


def is_public(text: str) -> bool:
    address = ip_address(text)
    return not (address.is_loopback or address.is_link_local or text.startswith(("10.", "192.168.")))


# ── Who sent it, and what it is ───────────────────────────────────────────────


def senders(found: list[Field], values: dict[str, str], stamped: dict[str, Any], above: int) -> dict[str, Any]:
    """Return-Path counts where no other server stands above the hop, or where its domain is the stamped one."""
    path = next((value.strip("<> ") for name, value in found if name == "return-path"), None)
    mail_from = None
    if path is not None and (above == 0 or (path and path.rpartition("@")[2].lower() == stamped["mail_from"])):
        mail_from = path or "<>"
    author = getaddresses([values["from"]])[0][1] if "from" in values else None
    if author and stamped["header_from"] and author.rpartition("@")[2].lower() != stamped["header_from"]:
        author = None  # rewritten on the way
    return {"mail_from": mail_from, "header_from": author}


def kind(values: dict[str, str], mail_from: str | None) -> str | None:
    content = values.get("content-type", "")
    if "x-ms-exchange-message-is-ndr" in values:
        return "ndr"
    if content.startswith("multipart/report") and "delivery-status" in content:
        return "ndr"
    if values.get("auto-submitted") == "auto-replied":
        return "auto_reply"
    return None if mail_from == "<>" and not content else "message"
