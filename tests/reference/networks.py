"""Which pool an address, a host name, a pool name, a reply text or an SFP speaks for (semantics 4, choices 20 to 24)."""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from tests.reference.addresses import fold, ip_address

# The table of facts, measured over 76,700 hosts; `\d` and `\w` are ASCII only and no label holds a dot.
HOST = re.compile(
    r"mail-(?:[^.]*?(?:az(rlhn|rln|olkn|on|hn|lp)(\d{4})\d*|\d\d(rlnn|rlhn|rln|olkn|on|hn|lp)\d[0-9a-f]*)"
    r"|(eopbgr|bgr|oln)(\w*))",
    re.ASCII | re.DOTALL,
)
RUN = re.compile(r"[0-9A-Fa-f.:]+")
AROUND = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
NOT_THE_SENDER = (("[LastAttemptedIP=", "]"), ("[LastAttemptedServerName=", "]"), ("{IP=", "}"), ("{FQDN=", "}"))


class Entry(NamedTuple):
    """One line of the prefix table; `since` inclusive, `until` exclusive, None is open."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    pool: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Tables:
    """The dated tables, as arguments: later entries win over equal earlier ones."""

    prefixes: tuple[Entry, ...]
    suffixes: tuple[str, ...]
    codes: dict[str, str]
    names: dict[str, str]  # lower case
    patterns: tuple[tuple[str, tuple[str, ...], str], ...]  # ('contains' | 'prefix', words, pool)
    sfp: dict[int, str]
    special_use: tuple[str, ...]
    consumer_tenants: frozenset[str]
    memo: dict = field(default_factory=dict, compare=False, repr=False)


def midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


def entry(line: dict) -> Entry:
    """One `{prefix, pool, since, until}` of a TOML file."""
    return Entry(
        ipaddress.ip_network(line["prefix"]), line["pool"], midnight(line.get("since")), midnight(line.get("until"))
    )


def load_tables(folder: Path) -> Tables:
    """The shipped data files: they are data, so both sides read the same ones."""

    def read(name: str) -> dict:
        return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))

    hosts, pools, senders = read("host_names"), read("pool_names"), read("senders")
    patterns = [
        ("contains", tuple(line["contains"]), line["pool"])
        if "contains" in line
        else ("prefix", (line["prefix"],), line["pool"])
        for line in pools["pattern"]
    ]
    return Tables(
        prefixes=tuple(entry(line) for line in read("prefixes")["prefix"]),
        suffixes=tuple(hosts["suffixes"]),
        codes=hosts["codes"],
        names={fold(name): pool for name, pool in pools["names"].items()},
        patterns=tuple(patterns),
        sfp={int(number): pool for number, pool in read("sfp")["pools"].items()},
        special_use=tuple(read("special_use")["names"]),
        consumer_tenants=frozenset(senders["consumer_tenants"]),
    )


def prefix_pool(tables: Tables, text: str | None, time: datetime | None) -> str | None:
    """Choice 22: the longest prefix among the entries that hold at `time`; no time: those without an end."""
    address = ip_address(text)
    if address is None:
        return None
    key = (address, time)
    if key not in tables.memo:
        tables.memo[key] = scan(tables.prefixes, address, time)
    return tables.memo[key]


def scan(entries: tuple[Entry, ...], address: object, time: datetime | None) -> str | None:
    best: Entry | None = None
    for line in entries:
        if not holds(line, time) or line.network.version != address.version or address not in line.network:
            continue
        if best is None or line.network.prefixlen >= best.network.prefixlen:
            best = line
    return best.pool if best else None


def holds(line: Entry, time: datetime | None) -> bool:
    if time is None:
        return line.until is None
    return (line.since is None or line.since <= time) and (line.until is None or time < line.until)


def host_pool(tables: Tables, host: str | None, time: datetime | None) -> str | None:
    """Facts 5.2: a code in the label before an outbound suffix; `bgr` hosts carry their address in digits."""
    if not host:
        return None
    name = fold(host).removesuffix(".")
    for suffix in tables.suffixes:
        if name.endswith(suffix):
            return label_pool(tables, name.removesuffix(suffix), time)
    return None


def label_pool(tables: Tables, label: str, time: datetime | None) -> str | None:
    found = HOST.fullmatch(label)
    if found is None:
        return None
    code = found[1] or found[3] or found[4]
    if code == "bgr":
        digits = found[5]
        if not re.fullmatch(r"[0-9]{12}", digits):
            return None
        return prefix_pool(tables, ".".join(str(int(digits[at : at + 3])) for at in (0, 3, 6, 9)), time)
    return tables.codes.get(code)


def pool_name_pool(tables: Tables, name: str | None) -> str | None:
    """Choice 20: a whole name first, then the first pattern that fits."""
    if not name:
        return None
    folded = fold(name)
    if folded in tables.names:
        return tables.names[folded]
    for kind, words, pool in tables.patterns:
        if folded.startswith(words[0]) if kind == "prefix" else all(word in folded for word in words):
            return pool
    return None


def reply_parts(text: str) -> list[str]:
    """Choice 23: what the remote server itself said."""
    parts, at = [], 0
    while True:
        starts = [(text.find(mark, at), mark) for mark in ("{LED=", "{MSG=") if mark in text[at:]]
        if not starts:
            break
        start, mark = min(starts)
        end = text.find("}", start)
        end = len(text) if end < 0 else end
        parts.append(text[start + len(mark) : end])
        at = end
    return parts or ([] if "{LED=" in text or "{MSG=" in text else [own_words(text)])


def own_words(text: str) -> str:
    """What stands before Exchange's own remarks; their first letter stays, for it ends no address."""
    cut = text.find("OutboundProxyTarget")
    return text if cut < 0 else text[: cut + 1]


def without_other_hosts(part: str) -> str:
    """The hosts that the remote is not quoting are blanked out."""
    for start, end in NOT_THE_SENDER:
        while (begin := part.find(start)) >= 0:
            stop = part.find(end, begin)
            part = part[:begin] + " " + (part[stop + 1 :] if stop >= 0 else "")
    return part


def reply_addresses(text: str) -> list[str]:
    """Addresses inside the remote's reply, in order, as written."""
    found = []
    for whole in reply_parts(text):
        part = without_other_hosts(whole)
        for run in RUN.finditer(part):
            before, after = part[: run.start()][-1:], part[run.end() :][:1]
            written = run[0][:-1] if run[0][-1] in ".:" else run[0]
            if before not in AROUND and after not in AROUND and ip_address(written) is not None:
                found.append(written)
    return found


def reply_pool(tables: Tables, text: str | None, time: datetime | None) -> str | None:
    """The first quoted address that belongs to a relay or high-risk prefix."""
    if not text:
        return None
    key = ("reply", text)
    if key not in tables.memo:
        tables.memo[key] = reply_addresses(text)
    for address in tables.memo[key]:
        pool = prefix_pool(tables, address, time)
        if pool in {"relay", "high_risk", "relay_high_risk"}:
            return pool
    return None
