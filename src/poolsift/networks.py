"""Where Microsoft 365 sends from: the shipped prefix, host, pool-name and SFP tables with a tenant file's additions."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poolsift.tables import microseconds, shipped_table
from poolsift.verdicts import NONE, OBSERVED_POOLS, ObservedPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PoolPrefix(NamedTuple):
    """A prefix and the pool it serves from ``since_us`` (inclusive) until ``until_us`` (exclusive)."""

    network: Network
    pool: ObservedPool
    since_us: int | None = None
    until_us: int | None = None


class Networks(NamedTuple):
    """Everything that tells the observed pool, ready for the kernel's spec."""

    prefixes: tuple[PoolPrefix, ...]
    host_suffixes: tuple[str, ...]
    host_codes: dict[str, int]
    pool_names: dict[str, int]
    pool_name_patterns: tuple[tuple[str, tuple[str, ...], int], ...]
    sfp: dict[int, int]

    def spec(self) -> dict[str, Any]:
        """The kernel's keys of the same names."""
        return {
            "prefixes": [packed_prefix(entry) for entry in self.prefixes],
            "host_suffixes": list(self.host_suffixes),
            "host_codes": dict(self.host_codes),
            "pool_names": dict(self.pool_names),
            "pool_name_patterns": [(kind, list(words), pool) for kind, words, pool in self.pool_name_patterns],
            "sfp": dict(self.sfp),
        }


def parse_network(text: str) -> Network:
    """The prefix in CIDR notation; an IPv4-mapped one becomes IPv4, as addresses are matched.

    Raises ValueError for anything else, host bits and a length of 0 included.
    """
    if "/" not in text:
        raise ValueError("no prefix length")
    network = ipaddress.ip_network(text, strict=True)
    if network.prefixlen == 0:
        raise ValueError("a prefix of length 0 holds every address")
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        return ipaddress.IPv4Network((network.network_address.packed[12:], network.prefixlen - 96))
    return network


def packed_prefix(entry: PoolPrefix) -> tuple[bytes, int, int | None, int | None, int]:
    """A prefix as the kernel takes it: (packed address, length, since µs, until µs, pool number)."""
    network = entry.network
    pool = OBSERVED_POOLS.index(entry.pool)
    return network.network_address.packed, network.prefixlen, entry.since_us, entry.until_us, pool


def shipped_prefixes() -> tuple[PoolPrefix, ...]:
    """The dated prefix table."""
    return tuple(
        PoolPrefix(
            parse_network(entry["prefix"]),
            ObservedPool(entry["pool"]),
            microseconds(entry.get("since")),
            microseconds(entry.get("until")),
        )
        for entry in shipped_table("prefixes")["prefix"]
    )


def load_networks(names: Mapping[str, ObservedPool] | None = None, prefixes: Iterable[PoolPrefix] = ()) -> Networks:
    """The shipped tables with a tenant file's pool names and prefixes, which stand above shipped ones."""
    hosts = shipped_table("host_names")
    shipped_names = shipped_table("pool_names")
    own = {name.lower(): OBSERVED_POOLS.index(pool) for name, pool in (names or {}).items()}
    return Networks(
        prefixes=(*shipped_prefixes(), *prefixes),
        host_suffixes=tuple(hosts["suffixes"]),
        host_codes={code: NONE if pool == "digits" else _number(pool) for code, pool in hosts["codes"].items()},
        pool_names={**{name.lower(): _number(pool) for name, pool in shipped_names["names"].items()}, **own},
        pool_name_patterns=tuple(_pattern(entry) for entry in shipped_names["pattern"]),
        sfp={int(value): _number(pool) for value, pool in shipped_table("sfp")["pools"].items()},
    )


def _number(pool: str) -> int:
    return OBSERVED_POOLS.index(ObservedPool(pool))


def _pattern(entry: Mapping[str, Any]) -> tuple[str, tuple[str, ...], int]:
    if "contains" in entry:
        return "contains", tuple(entry["contains"]), _number(entry["pool"])
    return "prefix", (entry["prefix"],), _number(entry["pool"])
