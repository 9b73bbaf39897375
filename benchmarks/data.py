"""The seeded data of the in-memory workloads: Zipf-distributed domains and addresses, and the tables that both sides look up."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

TLDS = ("com", "net", "org", "de", "co.uk", "example")
SPF = ("pass", "softfail", "fail", "none", "neutral", "temperror", None)
DKIM = ("pass", "none", "fail", None)
CODES = (None, "2.0.0", "5.1.8", "5.7.1", "5.1.90", "5.7.705", "5.2.2")
GATEWAY = "203.0.113.0/24"


@dataclass(frozen=True)
class Tables:
    """What the classifier is built with; `prefixes` are the tenant's additions (prefix, pool)."""

    accepted: list[tuple[str, bool]]
    dns: dict[str, str]  # name → 'present', 'absent' or 'unknown', for A and MX alike
    prefixes: list[tuple[str, str]]


def zipf(random: np.random.Generator, distinct: int, exponent: float, count: int) -> np.ndarray:
    """`count` ranks below `distinct`, rank k with weight k^-exponent, shuffled so that rank says nothing about the name."""
    weights = np.cumsum(np.arange(1, distinct + 1, dtype=np.float64) ** -exponent)
    ranks = np.searchsorted(weights, random.random(count) * weights[-1])
    return random.permutation(distinct)[ranks]


def domain_names(random: np.random.Generator, count: int) -> list[str]:
    """Distinct names of 10 to 30 characters; one in five a subdomain."""
    lengths = random.integers(4, 12, count)
    tlds = random.integers(0, len(TLDS), count)
    subdomain = random.random(count) < 0.2
    return [
        f"{'mail.' if sub else ''}{'abcdefghijklmnop'[n % 16] * int(length)}-{n:x}.{TLDS[tld]}"
        for n, (length, tld, sub) in enumerate(zip(lengths, tlds, subdomain, strict=True))
    ]


def addresses(random: np.random.Generator, count: int) -> list[str]:
    """Distinct-ish client and outbound addresses, 90 % IPv4, a third of them Microsoft's."""
    words = random.integers(0, 2**32, count, dtype=np.uint32)
    kinds = random.random(count)
    blocks = (0x285F0000, 0x286B0000, 0x34640000, 0x34670000)  # 40.95/16, 40.107/16, 52.100/16, 52.103/16
    texts = []
    for n in range(count):
        word = int(words[n])
        if kinds[n] < 0.1:
            texts.append(str(ipaddress.IPv6Address((0x2A01_0111_F400 << 80) | word)))
            continue
        if kinds[n] < 0.4:
            word = blocks[word & 3] | (word >> 16)
        texts.append(f"{word >> 24}.{word >> 16 & 255}.{word >> 8 & 255}.{word & 255}")
    return texts


def tables(
    seed: int, *, names: list[str], dns_size: int = 1_000_000, prefixes: int = 1_000, accepted: int = 10_000
) -> Tables:
    """10,000 accepted domains (a tenth with subdomains), a DNS snapshot of a million names, a thousand prefixes."""
    random = np.random.default_rng(seed + 1)
    chosen = random.choice(len(names), min(accepted, len(names) // 4), replace=False)
    listed = [(names[n], bool(k % 10 == 0)) for k, n in enumerate(chosen)]
    fill = max(dns_size - len(names), 0)
    states = random.choice(3, len(names) + fill, p=(0.96, 0.03, 0.01))
    every = [*names, *(f"filler{n:x}.example" for n in range(fill))]
    words = ("present", "absent", "unknown")
    dns = {name: words[state] for name, state in zip(every, states.tolist(), strict=True)}
    pools = ("normal", "high_risk", "relay")
    starts = random.choice(2**24, prefixes, replace=False)
    given = [(f"{s >> 16}.{s >> 8 & 255}.{s & 255}.0/24", pools[k % 3]) for k, s in enumerate(starts.tolist())]
    return Tables(listed, dns, given)


def records(seed: int, rows: int, names: list[str], distinct_addresses: int = 1_000_000) -> pa.Table:
    """The columns of W1 as plain strings."""
    random = np.random.default_rng(seed)
    count = min(distinct_addresses, max(rows, 1000))
    pool = pa.array(addresses(random, count))
    domains = pa.array(names)
    locals_ = pa.array([f"{'user' * (n % 4)}{n:x}" for n in range(50_000)])

    def draw(options: tuple[str | None, ...], shares: tuple[float, ...]) -> pa.Array:
        return pa.array(options).take(pa.array(random.choice(len(options), rows, p=shares)))

    def nulls(array: pa.Array, share: float, instead: pa.Scalar | None = None) -> pa.Array:
        return pc.if_else(pa.array(random.random(rows) < share), instead or pa.scalar(None, array.type), array)

    def address_of(domain: pa.Array) -> pa.Array:
        return pc.binary_join_element_wise(locals_.take(pa.array(random.integers(0, len(locals_), rows))), domain, "@")

    from_domain = domains.take(pa.array(zipf(random, len(names), 1.0, rows)))
    other = domains.take(pa.array(zipf(random, len(names), 1.0, rows)))
    header_domain = pc.if_else(pa.array(random.random(rows) < 0.7), from_domain, other)
    dkim = draw(DKIM, (0.55, 0.30, 0.05, 0.10))
    signed = pc.if_else(pa.array(random.random(rows) < 0.85), header_domain, other)
    return pa.table(
        {
            "direction": draw(("outbound", "inbound", "internal", None), (0.7, 0.15, 0.05, 0.1)),
            "mail_from": nulls(nulls(address_of(from_domain), 0.05, pa.scalar("")), 0.01),
            "header_from": nulls(address_of(header_domain), 0.02),
            "recipient": nulls(address_of(domains.take(pa.array(zipf(random, len(names), 1.0, rows)))), 0.02),
            "client_ip": nulls(pool.take(pa.array(zipf(random, count, 0.9, rows))), 0.3),
            "outbound_ip": nulls(pool.take(pa.array(zipf(random, count, 0.9, rows))), 0.4),
            "spf": draw(SPF, (0.6, 0.08, 0.05, 0.05, 0.02, 0.02, 0.18)),
            "dkim": dkim,
            "dkim_domain": pc.if_else(
                pc.fill_null(pc.equal(dkim, "pass"), fill_value=False), signed, pa.scalar(None, pa.string())
            ),
            "spam": nulls(pa.array(random.random(rows) < 0.06), 0.5),
            "forwarded": nulls(pa.array(random.random(rows) < 0.1), 0.3),
            "status_code": draw(CODES, (0.9, 0.04, 0.01, 0.02, 0.01, 0.01, 0.01)),
        }
    )
