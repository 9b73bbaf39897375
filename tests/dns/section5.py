"""What each mode of the scripted server must come to: measured failures and the outcome that each is owed."""

from tests.dns.engine_runs import BRIEF, PATIENT
from tests.dns.scripted_modes import BAD_FIRST, MODES

#: Answers: records of the asked type are there, whatever happened on the way.
HAS = (
    "ok", "slow", "duplicates", "case-question", "case-owner", "cname-a", "cname-only", "chain-10", "dname", "tc",
    "tc-600", "tc-250", "tc-4000", "drop-first", "servfail-first", "edns-formerr", "edns-drop", "garbage-first",
    "ttl-0", "ttl-1", "ttl-2147483647", "ttl-2147483648", "ttl-4294967295",
)  # fmt: skip

#: Absences, by the word that names them.
NONE = {
    "nxdomain": "nxdomain",
    "nxdomain-no-soa": "nxdomain",
    "cname-nxdomain": "nxdomain",  # the response code is that of the last name
    "nodata": "nodata",
    "nodata-no-soa": "nodata",
    "cname-only-soa": "nodata",
    "cname-only-nodata": "nodata",
    "tc-nodata": "nodata",
    "aaaa-only": "nodata",
    "soa-day": "nodata",
    "soa-short": "nodata",
    "soa-minimum": "nodata",
}

#: Failures, with the reasons that fit: several where libraries tell them apart differently.
UNKNOWN = {
    "drop": {"timeout"},
    "slow-5": {"timeout"},
    "wrong-id": {"timeout"},
    "wrong-question": {"timeout"},
    "no-question": {"timeout", "malformed"},
    "cname-only-dropped": {"timeout"},
    "servfail": {"servfail"},
    "refused": {"refused"},
    "formerr": {"formerr"},
    "notimp": {"notimp"},
    "notauth": {"rcode", "empty_reply"},
    "yxdomain": {"rcode", "empty_reply"},
    "tc-hang": {"timeout"},
    "tc-drip": {"timeout"},
    "tc-close": {"connection"},
    "tc-reset": {"connection"},
    "tc-early": {"connection", "timeout", "malformed"},
    "tc-length-0": {"connection", "timeout", "malformed"},
    "garbage": {"malformed"},
    "empty-packet": {"timeout", "malformed"},
    "short": {"timeout", "malformed"},
    "oversized": {"timeout", "malformed"},
    "bad-length": {"malformed"},
    "three-bytes": {"malformed"},
    "counts": {"malformed"},
    "pointer-loop": {"malformed"},
    "pointer-forward": {"malformed"},
    "other-owner": {"mismatch"},
    "other-type": {"mismatch"},
    "other-class": {"mismatch", "malformed"},
    "cname-loop": {"cname_loop"},
    "cname-self": {"cname_loop"},
    "chain-11": {"cname_limit"},
    "chased": {"cname_limit"},
}

#: Servers that speak for nobody: aiodns sees an absence, the confirming query sees that it is none.
LAME = ("lame", "lame-empty", "lame-nxdomain", "referral")

#: Failures of a packet or a server, not of a name's data: these must be asked again.
RETRIED = tuple(sorted(set(UNKNOWN) - {"other-owner", "other-type", "other-class", "cname-loop", "cname-self", "chain-11", "chased", "cname-only-dropped", "notauth", "yxdomain"}))  # fmt: skip

#: Modes in which no reply comes, or none that ends the waiting: these alone are given little time.
SILENT = {
    "drop", "drop-first", "slow-5", "wrong-id", "wrong-question", "no-question", "not-a-reply", "empty-packet",
    "short", "oversized", "garbage", "bad-length", "three-bytes", "counts", "pointer-loop", "pointer-forward", "pointer-chain",
    "cname-only-dropped", "tc-hang", "tc-drip", "tc-early", "tc-length-0",
}  # fmt: skip

TIMEOUTS = {mode: BRIEF if mode in SILENT else PATIENT for mode in sorted({*MODES, *HAS})} | dict.fromkeys(
    (f"{word}-then-good" for word in BAD_FIRST), BRIEF
)
