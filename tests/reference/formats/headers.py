"""Twin of the header reader: mbox and single messages through the email module (contract, "Which hop, which stamp")."""

import re
from datetime import UTC
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

OUTBOUND = ".outbound.protection.outlook.com"
MICROSOFT = (".outlook.com", ".office365.com", ".microsoft.com")
HOP = re.compile(r"from\s+(\S+)\s+(?:\((\S+)\s+)?.*?\[(?:IPv6:)?([0-9A-Fa-f.:]+)\].*?\sby\s+(\S+)", re.DOTALL)
FOR = re.compile(r"\sfor\s+<([^>]+)>")
SPF_STAMP = re.compile(r"\bspf=(\w+)(?:\s*\((?:sender ip is ([^)]*)\))?)?", re.IGNORECASE)
DKIM_STAMP = re.compile(r"\bdkim=(\w+)(?:\s*\([^)]*\))?(?:\s+header\.d=([^;\s]+))?", re.IGNORECASE)

Field = tuple[str, str]


def messages(data: bytes) -> list[bytes]:
    """The messages of an mbox by its `From ` lines; any other file is one message."""
    if not data.startswith(b"From "):
        return [data] if data.strip() else []
    parts = re.split(rb"(?m)^From [^\n]*\d\d:\d\d[^\n]*\n", data)
    return parts[1:]


def read(data: bytes) -> list[dict[str, Any]]:
    return [{"row": number, **record(message)} for number, message in enumerate(messages(data), 1)]


def fields(message: Message) -> list[Field]:
    """Names in lower case, values on one line."""
    return [(name.lower(), " ".join(str(value).split())) for name, value in message.items()]


def record(data: bytes) -> dict[str, Any]:
    found = fields(message_from_bytes(data))
    place, hop = find_hop(found)
    below = found[place + 1 :] if hop else found
    result: dict[str, Any] = dict(hop)
    result |= stamp(below)
    result |= report(below)
    result |= identity(found, below, hop)
    return {name: value for name, value in result.items() if value is not None}


def find_hop(found: list[Field]) -> tuple[int, dict[str, Any]]:
    """The topmost Received from an outbound host of Microsoft's to a host that is not."""
    for place, (name, value) in enumerate(found):
        match = HOP.match(value) if name == "received" else None
        if match is None:
            continue
        helo, host, address, by = match.groups()
        names = [each.rstrip(".").lower() for each in (host, helo) if each]
        names = [each for each in names if each.endswith(OUTBOUND)]
        if names and not by.lower().rstrip(";").endswith(MICROSOFT):
            moment = parsedate_to_datetime(value.rpartition(";")[2].strip()).astimezone(UTC)
            rcpt = FOR.search(value)
            hop = {"outbound_host": names[0], "outbound_ip": address, "time": moment}
            return place, hop | ({"recipient": rcpt[1]} if rcpt else {})
    return -1, {}


def stamp(below: list[Field]) -> dict[str, Any]:
    """The results made when the message came: the nearest stamp of the best kind."""
    for value in stamps(below):
        spf = SPF_STAMP.search(value)
        dkim = [(word.lower(), domain) for word, domain in DKIM_STAMP.findall(value)]
        dmarc = re.search(r"\bdmarc=(\w+)", value)
        if spf is None and dmarc and dmarc[1] == "none" and "header.d=none" in value:
            return {}
        passed = [domain for word, domain in dkim if word == "pass" and domain not in {"", "none"}]
        return {
            "spf": spf[1].lower() if spf else None,
            "client_ip": spf[2] if spf and spf[2] else None,
            "dkim": "pass" if any(word == "pass" for word, _ in dkim) else dkim[0][0] if dkim else None,
            "dkim_domain": ",".join(passed) or None,
            "dmarc": dmarc[1].lower() if dmarc else None,
        }
    return {}


def stamps(below: list[Field]) -> list[str]:
    """The stamp that counts, if any, as a list."""
    for name in ("x-ms-exchange-authentication-results", "authentication-results", "arc-authentication-results"):
        for key, value in below:
            if key != name:
                continue
            if name == "authentication-results" and not ("spf=" in value and "=" in value.split(";")[0]):
                continue
            if name == "arc-authentication-results":
                if "mx.microsoft.com" not in value:
                    continue
                if "spf=pass" in value and "sender ip is" not in value.lower():
                    return []
            return [value]
    return []


def report(below: list[Field]) -> dict[str, Any]:
    """The spam filter's words on outbound mail, and what Exchange says of sender and relay."""
    values = dict(reversed(below))
    words: dict[str, str] = {}
    for item in values.get("x-forefront-antispam-report", "").split(";"):
        name, _, value = item.strip().partition(":")
        words.setdefault(name.upper(), value.strip())
    result: dict[str, Any] = {"direction": {"OUT": "outbound", "INB": "inbound", "INT": "internal"}.get(words.get("DIR"))}
    if words.get("DIR") == "OUT":
        result["sfp"] = int(words["SFP"]) if words.get("SFP") else None
        if words.get("SFV") or words.get("CAT"):
            result["spam"] = words.get("SFV") == "SPM" or words.get("CAT") == "OSPM"
    result["accepted"] = {"1": True, "0": False, "2": False}.get(values.get("x-ms-exchange-senderadcheck"))
    if values.get("x-ms-exchange-antispam-relay") == "1" or any(
        name in values
        for name in ("x-ms-exchange-forwardingloop", "x-ms-exchange-inbox-rules-loop", "resent-from")
    ):
        result["forwarded"] = True
    if values.get("x-ms-exchange-crosstenant-authas", "").lower() == "internal":
        result["submitted"] = True
    attributed = re.match(
        r"TenantId=([^;]*);Ip=\[([^\]]*)\];Helo=\[([^\]]*)\]",
        values.get("x-ms-exchange-crosstenant-originalattributedtenantconnectingip", ""),
    )
    if attributed:
        result |= {"tenant_id": attributed[1] or None, "helo": attributed[3] or None}
        result |= {"client_ip": attributed[2]} if attributed[2] else {}
    if words.get("DIR") and values.get("x-ms-exchange-crosstenant-id"):
        result["tenant_id"] = values["x-ms-exchange-crosstenant-id"]
    skipped = re.search(r"ip=\[([^\]]*)\]", values.get("x-ms-exchange-skiplistedinternetsender", ""))
    if skipped:
        result["source_ip"] = skipped[1]
    return result


def identity(found: list[Field], below: list[Field], hop: dict[str, Any]) -> dict[str, Any]:
    """Who wrote it, its ids and its kind."""
    values = dict(reversed(below)) | {}
    every = dict(reversed(found))
    authors = getaddresses([every["from"]]) if "from" in every else []
    result: dict[str, Any] = {
        "message_id": every.get("message-id"),
        "network_message_id": values.get("x-ms-office365-filtering-correlation-id"),
        "header_from": authors[0][1] if authors and "@" in authors[0][1] else None,
    }
    path = every.get("return-path")
    if path is not None and next_is_hop(found):
        result["mail_from"] = path.strip("<>") and path.strip("<> ")
    content = every.get("content-type", "").lower()
    if "x-ms-exchange-message-is-ndr" in every or (
        content.startswith("multipart/report") and "delivery-status" in content
    ):
        result["kind"] = "ndr"
    elif every.get("auto-submitted", "").lower().startswith("auto-replied"):
        result["kind"] = "auto_reply"
    return result


def next_is_hop(found: list[Field]) -> bool:
    """Whether the first Received below Return-Path is the hop: no list wrote a path of its own."""
    names = [name for name, _ in found]
    after = found[names.index("return-path") + 1 :]
    received = next((value for name, value in after if name == "received"), "")
    return OUTBOUND in received.lower()
