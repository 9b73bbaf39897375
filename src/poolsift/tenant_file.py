"""Reading a tenant file: names and prefixes made canonical, the wrong refused, the doubtful warned of."""

from __future__ import annotations

import ipaddress
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import msgspec

from poolsift.domain_facts import canonical_domain, canonical_domains, public_suffixes_among
from poolsift.errors import nearest
from poolsift.networks import Network, PoolPrefix, parse_network
from poolsift.tables import microseconds
from poolsift.tenant import Gateway, Limits, Tenant, TenantEntry
from poolsift.toml_text import KeyPath, LongLists, TomlText, known_keys
from poolsift.verdicts import OBSERVED_POOLS, ObservedPool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MAX_LIMIT: Final = 10_000  # Outbound spam policy: 0 to 10,000
_WARNINGS_SHOWN: Final = 20


def read_tenant(text: TomlText) -> Tenant:
    """The tenant file with this text. Raises TenantFileError."""
    return _Builder(text).build()


class _AcceptedText(msgspec.Struct, forbid_unknown_fields=True):
    domain: str
    subdomains: bool = False


class _GatewayText(msgspec.Struct, forbid_unknown_fields=True):
    prefixes: list[str]
    name: str = ""
    connector: str | None = None
    enhanced_filtering: bool | None = None


class _LimitsText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    external_per_hour: int = 0
    internal_per_hour: int = 0
    per_day: int = 0


class _TenantText(msgspec.Struct, forbid_unknown_fields=True):
    accepted_domains: list[str | _AcceptedText] | None = None
    id: str | None = None
    name: str | None = None
    initial_domain: str | None = None
    licenses: int | None = None
    learned: bool = False
    gateway: list[_GatewayText] = []
    limits: _LimitsText = _LimitsText()


class _PrefixText(msgspec.Struct, forbid_unknown_fields=True):
    prefix: str
    pool: str
    since: Any = None  # a date or a date and time: unions of the two are checked by hand
    until: Any = None


class _PoolsText(msgspec.Struct, forbid_unknown_fields=True):
    names: dict[str, str] = {}
    prefixes: list[_PrefixText] = []


class _FileText(msgspec.Struct, forbid_unknown_fields=True):
    tenant: list[_TenantText] = []
    pools: _PoolsText = msgspec.field(default_factory=_PoolsText)


_KEYS = known_keys(_FileText, _TenantText, _GatewayText, _LimitsText, _AcceptedText, _PoolsText, _PrefixText)


class _Builder:
    """Turns one TOML text into a Tenant: normalises names and prefixes, refuses the wrong, warns of the doubtful."""

    def __init__(self, text: TomlText) -> None:
        self.lists = LongLists(text)
        self.text = self.lists.shortened
        self.warnings: list[str] = []
        self._unsaid = 0

    def build(self) -> Tenant:
        raw = self.text.convert(self.text.parse(), _FileText, _KEYS)
        tenants = tuple(self.tenant(index, entry) for index, entry in enumerate(raw.tenant))
        self.check_ids(tenants)
        names = {name: self.pool(pool, ("pools", "names", name)) for name, pool in raw.pools.names.items()}
        self.check_names(names)
        prefixes = tuple(self.prefix(index, entry) for index, entry in enumerate(raw.pools.prefixes))
        self.warn_overlaps([entry.network for entry in prefixes], ("pools", "prefixes"))
        if self._unsaid:
            self.warnings.append(f"{self.text.path}: {self._unsaid} more warnings of these kinds")
        return Tenant(self.text.path, tenants, names, prefixes, tuple(self.warnings))

    def warn(self, message: str, path: KeyPath, needle: str | None = None, occurrence: int = 1) -> None:
        """Keeps the first warnings in full and counts the others: a large file must stay readable."""
        if len(self.warnings) >= _WARNINGS_SHOWN:
            self._unsaid += 1
            return
        line = self.text.line_of(path, needle, occurrence)
        self.warnings.append(f"{self.text.path}, line {line}: {message}")

    def tenant(self, index: int, raw: _TenantText) -> TenantEntry:
        here: KeyPath = ("tenant", index)
        if raw.id is not None and not raw.id.strip():
            self.text.fail("empty id", (*here, "id"), expected="the tenant's id, or no such key")
        if raw.licenses is not None and raw.licenses < 1:
            self.text.fail("bad number of licenses", (*here, "licenses"), found=str(raw.licenses), expected="1 or more")
        initial = None
        if raw.initial_domain is not None:
            initial = self.domain(raw.initial_domain, (*here, "initial_domain"))
        accepted = self.accepted(raw.accepted_domains, (*here, "accepted_domains"))
        if not accepted and initial is None and not raw.learned:
            self.text.fail("no accepted domain", (*here, "accepted_domains"), expected="at least one domain")
        gateways = tuple(self.gateway(number, entry, here) for number, entry in enumerate(raw.gateway))
        self.warn_overlaps([network for gateway in gateways for network in gateway.networks], (*here, "gateway"))
        limits = self.limits(raw.limits, (*here, "limits"))
        return TenantEntry(raw.id, raw.name, accepted, initial, raw.licenses, raw.learned, gateways, limits)

    def accepted(self, raw: Sequence[str | _AcceptedText] | None, here: KeyPath) -> dict[str, bool]:
        """Canonical accepted domains in order; the wider of two entries for one name stands."""
        found: dict[str, bool] = {}
        for entry in raw or ():
            if isinstance(entry, str) and (names := self.lists.taken(entry)) is not None:
                self.add_names(found, names, here)
            elif isinstance(entry, str):
                self.add_name(found, entry, here, subdomains=False)
            else:
                self.add_name(found, entry.domain, here, subdomains=entry.subdomains)
        for name in public_suffixes_among(found):
            self.warn(f"accepted domain {name} is a public suffix", here, name)
        return found

    def add_names(self, found: dict[str, bool], names: Sequence[str], here: KeyPath) -> None:
        """Adds a long list at once where every name is canonical but for case, else one by one."""
        canonical = canonical_domains(names)
        if canonical is not None and len(fresh := dict.fromkeys(canonical, False)) == len(canonical) and not found:
            found.update(fresh)
            return
        for name in names:
            self.add_name(found, name, here, subdomains=False)

    def add_name(self, found: dict[str, bool], written: str, here: KeyPath, *, subdomains: bool) -> None:
        name = self.domain(written, here)
        if name in found:
            self.warn(f"accepted domain {name} is listed twice", here, f'"{written}"', occurrence=2)
        found[name] = found.get(name, False) or subdomains

    def domain(self, written: str, here: KeyPath) -> str:
        """The canonical form of an accepted domain, with two labels or more."""
        needle = f'"{written}"'
        if written.startswith("*"):
            name = written.lstrip("*.")
            expected = f'{{ domain = "{name}", subdomains = true }}'
            self.text.fail("wildcards are not written so", here, found=written, expected=expected, needle=needle)
        name = canonical_domain(written) or ""
        if "@" in written or not name:
            self.text.fail("not a domain name", here, found=repr(written), expected="contoso.com", needle=needle)
        return name

    def gateway(self, index: int, raw: _GatewayText, tenant: KeyPath) -> Gateway:
        here = (*tenant, "gateway", index, "prefixes")
        if not raw.prefixes:
            self.text.fail("a gateway without addresses", here, expected="at least one prefix")
        networks = tuple(self.network(written, here) for written in raw.prefixes)
        return Gateway(raw.name or f"gateway {index + 1}", networks, raw.connector, raw.enhanced_filtering)

    def network(self, written: str, here: KeyPath) -> Network:
        try:
            return parse_network(written)
        except ValueError as problem:
            self.text.fail(
                f"not a usable prefix: {problem}",
                here,
                found=repr(written),
                expected=_expected_prefix(written),
                needle=f'"{written}"',
                cause=problem,
            )

    def limits(self, raw: _LimitsText, here: KeyPath) -> Limits:
        for name in raw.__struct_fields__:
            value: int = getattr(raw, name)
            if not 0 <= value <= _MAX_LIMIT:
                self.text.fail("limit out of range", (*here, name), found=str(value), expected=f"0 to {_MAX_LIMIT}")
        return Limits(raw.external_per_hour, raw.internal_per_hour, raw.per_day)

    def pool(self, written: str, here: KeyPath) -> ObservedPool:
        if written not in OBSERVED_POOLS:
            self.text.fail(
                "unknown pool",
                here,
                found=written,
                expected=", ".join(OBSERVED_POOLS),
                nearest=nearest(written, OBSERVED_POOLS),
            )
        return ObservedPool(written)

    def prefix(self, index: int, raw: _PrefixText) -> PoolPrefix:
        here: KeyPath = ("pools", "prefixes", index)
        network = self.network(raw.prefix, here)
        since, until = self.day(raw.since, (*here, "since")), self.day(raw.until, (*here, "until"))
        if since is not None and until is not None and since >= until:
            self.text.fail("until is not after since", here, found=f"{raw.since} and {raw.until}", expected="a period")
        return PoolPrefix(network, self.pool(raw.pool, (*here, "pool")), since, until)

    def day(self, value: Any, here: KeyPath) -> int | None:
        if value is not None and not isinstance(value, date):
            self.text.fail("wrong type", here, found=repr(value), expected="a date such as 2026-01-01, without quotes")
        return microseconds(value)

    def check_ids(self, tenants: Sequence[TenantEntry]) -> None:
        seen: dict[str, int] = {}
        for index, entry in enumerate(tenants):
            here: KeyPath = ("tenant", index)
            if entry.id is None and len(tenants) > 1:
                self.text.fail("a tenant without id among several", here, expected="id")
            if entry.id is not None and entry.id.lower() in seen:
                self.text.fail("two tenants have this id", (*here, "id"), found=entry.id, expected="an id of its own")
            seen[(entry.id or "").lower()] = index

    def check_names(self, names: Iterable[str]) -> None:
        seen: dict[str, str] = {}
        for name in names:
            here: KeyPath = ("pools", "names", name)
            if not name:
                self.text.fail("an empty pool name never speaks", here, expected="a name as logged")
            other = seen.setdefault(name.lower(), name)
            if other != name:
                self.text.fail("pool names differ in case only", here, found=repr(name), expected="one of them")

    def warn_overlaps(self, networks: Iterable[Network], here: KeyPath) -> None:
        """Warns of each prefix that another one holds; sorted, the holder stands right before what it holds."""
        ordered = sorted(networks, key=lambda network: (network.version, network.network_address, network.prefixlen))
        holders: list[Network] = []
        for network in ordered:
            while holders and (
                holders[-1].version != network.version or holders[-1].broadcast_address < network.network_address  # type: ignore[operator]
            ):
                holders.pop()
            if holders:
                self.warn(f"prefix {network} lies within {holders[-1]}; the longer prefix decides", here)
            holders.append(network)


def _expected_prefix(written: str) -> str:
    try:
        network = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return "a prefix such as 203.0.113.0/24 or 2001:db8:1::/48"
    return "a longer prefix" if network.prefixlen == 0 else str(network)
