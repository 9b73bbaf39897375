"""An overlay: changes that are taken for made, so that facts follow from them and not from the log."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NoReturn

from poolsift.domain_facts import canonical_domain, organizational_domain
from poolsift.errors import OverlayError, nearest
from poolsift.fixes import SIGN_DKIM, Fix
from poolsift.tenant import initial_forms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poolsift.networks import Network
    from poolsift.tenant import Tenant, TenantEntry

_BARE: Final = re.compile(r'[^\s="#][^\s="]*')


class ChangeKind(StrEnum):
    """What a line of an overlay begins with; the options of ``poolsift whatif`` have the same words."""

    ACCEPT_DOMAIN = "accept-domain"  #: the domain becomes an accepted domain
    PUBLISH_DNS = "publish-dns"  #: the domain gets an A or MX record
    AUTHORIZE = "authorize"  #: the domain's SPF record lets the addresses pass
    ENHANCED_FILTERING = "enhanced-filtering"  #: is turned on for the gateway
    SIGN_DKIM = "sign-dkim"  #: the domain's mail is signed by the domain itself
    RULES = "rules"  #: another rule profile decides


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``target`` is a canonical domain, the name of a gateway, or a rule profile.

    ``network`` is what ``authorize`` lets pass; ``tenant`` is the name or id of the tenant that accepts a domain,
    None where the tenant file has only one. ``line`` counts from 1 in the text it was read from.
    """

    kind: ChangeKind
    target: str
    subdomains: bool = False
    tenant: str | None = None
    network: Network | None = None
    line: int | None = field(default=None, compare=False)

    def text(self) -> str:
        """The change as a line of an overlay, without line end."""
        words = [self.kind.value]
        if self.network is not None:
            alone = self.network.prefixlen == self.network.max_prefixlen
            words += [str(self.network.network_address if alone else self.network), "="]
        words.append(_quoted(self.target, always=self.kind is ChangeKind.ENHANCED_FILTERING))
        words += ["subdomains"] if self.subdomains else []
        words += [f"tenant={_quoted(self.tenant)}"] if self.tenant is not None else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Overlay:
    """Changes in the order in which they were written; their order changes nothing. ``path`` is named in errors.

    Raises OverlayError for a change that stands twice and for a second rule profile.
    """

    changes: tuple[Change, ...] = ()
    path: str | None = None

    def __post_init__(self) -> None:
        seen: dict[object, Change] = {}
        for change in self.changes:
            first = seen.setdefault(_identity(change), change)
            if first is not change:
                before = "" if first.line is None else f", first on line {first.line}"
                what = "a second rule profile" if change.kind is ChangeKind.RULES else "stands twice"
                self._fail(change, f"{what}{before}", expected="each change once")

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    @classmethod
    def load(cls, path: str) -> Overlay:
        """The overlay file at ``path``. Raises OverlayError."""
        from poolsift.overlay_text import read_overlay

        return cls.parse(read_overlay(str(path)), str(path))

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> Overlay:
        """The overlay with this text; ``name`` stands in errors. Raises OverlayError."""
        from poolsift.overlay_text import parse_changes

        return cls(parse_changes(text, name), name)

    def text(self) -> str:
        """The changes as the text of an overlay file; parsing it gives the same changes."""
        return "".join(f"{change.text()}\n" for change in self.changes)

    @property
    def digest(self) -> str:
        """SHA-256 in hex of ``text()``, so that comments and spaces do not count."""
        return hashlib.sha256(self.text().encode()).hexdigest()

    @property
    def rules(self) -> str | None:
        """The rule profile that decides, None where no change names one."""
        return next((change.target for change in self.of(ChangeKind.RULES)), None)

    def of(self, kind: ChangeKind) -> Iterator[Change]:
        """The changes of one kind, in order."""
        return (change for change in self.changes if change.kind is kind)

    def check(self, tenant: Tenant | None) -> None:
        """Refuse changes of tenants or gateways that the tenant file does not have. Raises OverlayError."""
        for change in self.of(ChangeKind.ACCEPT_DOMAIN):
            self._tenant_of(change, tenant)
        for change in self.of(ChangeKind.ENHANCED_FILTERING):
            entries = self._file(change, tenant).tenants
            names = [gateway.name for entry in entries for gateway in entry.gateways]
            if change.target not in names:
                close = nearest(change.target, names)
                expected = f"a gateway of the tenant file: {', '.join(dict.fromkeys(names)) or 'it has none'}"
                self._fail(change, "no such gateway", found=repr(change.target), expected=expected, close=close)

    def spec(self, tenant: Tenant | None) -> dict[str, Any]:
        """The kernel's ``overlay`` entry. Raises OverlayError as ``check`` does."""
        self.check(tenant)
        networks = ((change.target, change.network) for change in self.of(ChangeKind.AUTHORIZE))
        return {
            "accept": [list(self.accepted(tenant, index).items()) for index, _ in enumerate(_entries(tenant))],
            "publish": [change.target for change in self.of(ChangeKind.PUBLISH_DNS)],
            "sign": [change.target for change in self.of(ChangeKind.SIGN_DKIM)],
            "authorize": [(name, net.network_address.packed, net.prefixlen) for name, net in networks if net],
        }

    def tenant_specs(self, tenant: Tenant | None) -> list[dict[str, Any]]:
        """The kernel's ``tenants``: own organizational domains and gateways are those after the changes.

        Accepted domains are those of the file, so that the kernel sees which are accepted only under the overlay.
        """
        filtered = {change.target for change in self.of(ChangeKind.ENHANCED_FILTERING)}
        specs = []
        for index, entry in enumerate(_entries(tenant)):
            spec = entry.spec(newly_filtered=filtered)
            brought = self.accepted(tenant, index).keys() - initial_forms(entry.initial_domain)
            specs.append({**spec, "own": sorted({*spec["own"], *map(organizational_domain, brought)})})
        return specs

    def accepted(self, tenant: Tenant | None, index: int) -> dict[str, bool]:
        """What the tenant of this index accepts besides: canonical name → whether any depth below it too."""
        found: dict[str, bool] = {}
        for change in self.of(ChangeKind.ACCEPT_DOMAIN):
            if self._tenant_of(change, tenant) == index:
                # A tenant may be named once by its name and once by its id; the order of lines means nothing.
                found[change.target] = change.subdomains or found.get(change.target, False)
        return found

    def _file(self, change: Change, tenant: Tenant | None) -> Tenant:
        if tenant is None:
            self._fail(change, "needs a tenant file", expected="--tenant FILE")
        return tenant

    def _tenant_of(self, change: Change, tenant: Tenant | None) -> int:
        """The index of the tenant that an accepted domain is for."""
        entries = self._file(change, tenant).tenants
        words = [word for entry in entries for word in (entry.name, entry.id) if word]
        if change.tenant is None and len(entries) != 1:
            expected = f"tenant=NAME-OR-ID, one of {', '.join(words)}" if words else "a tenant file with a tenant"
            self._fail(change, "which tenant accepts it is unclear", found=f"{len(entries)} tenants", expected=expected)
        found = [index for index, entry in enumerate(entries) if _is_called(entry, change.tenant)]
        if len(found) != 1:
            message = "several tenants are called so" if found else "no such tenant"
            expected = "an id" if found else f"a tenant of the file: {', '.join(words) or 'none has a name or id'}"
            close = None if found else nearest(change.tenant or "", words)
            self._fail(change, message, found=repr(change.tenant), expected=expected, close=close)
        return found[0]

    def _fail(
        self, change: Change, message: str, *, found: str | None = None, expected: str, close: str | None = None
    ) -> NoReturn:
        raise OverlayError(
            message, path=self.path, line=change.line, key=change.text(), found=found, expected=expected, nearest=close
        )


def change_for(
    fix: str,
    *,
    sender_domain: str | None = None,
    mail_from_domain: str | None = None,
    header_from_domain: str | None = None,
    address: str | None = None,
    gateway: str | None = None,
    tenant: str | None = None,
) -> Change | None:
    """The change that a fix (or ``sign_dkim``) stands for; None where it stands for none, or what it needs is missing.

    ``sender_domain`` is that of the verdict, ``mail_from_domain`` the domain that SPF is evaluated for,
    ``header_from_domain`` the domain that is to sign (that of ``mail_from`` where ``header_from`` is not recorded),
    ``address`` the one that SPF is about, ``gateway`` and ``tenant`` names of the tenant file.
    """
    if fix == Fix.ENABLE_ENHANCED_FILTERING:
        return Change(ChangeKind.ENHANCED_FILTERING, gateway) if gateway else None
    kinds = {
        Fix.ACCEPT_DOMAIN: (ChangeKind.ACCEPT_DOMAIN, sender_domain),
        Fix.PUBLISH_A_OR_MX: (ChangeKind.PUBLISH_DNS, sender_domain),
        Fix.AUTHORIZE_CLIENT_IP: (ChangeKind.AUTHORIZE, mail_from_domain),
        SIGN_DKIM: (ChangeKind.SIGN_DKIM, header_from_domain),
    }
    kind, domain = kinds.get(fix, (None, None))
    name = canonical_domain(domain) if domain else None
    if kind is None or name is None or "." not in name:
        return None
    if kind is ChangeKind.AUTHORIZE:
        network = _alone(address)
        return None if network is None else Change(kind, name, network=network)
    return Change(kind, name, tenant=tenant if kind is ChangeKind.ACCEPT_DOMAIN else None)


def _alone(address: str | None) -> Network | None:
    """The prefix of one address; None for what is no address."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return None
        found = found.ipv4_mapped or found
    return ipaddress.ip_network(found)


def _identity(change: Change) -> object:
    """Two changes with the same one say the same thing twice, or contradict each other."""
    if change.kind is ChangeKind.RULES:
        return change.kind
    return change.kind, change.target, change.tenant and change.tenant.casefold(), change.network


def _entries(tenant: Tenant | None) -> tuple[TenantEntry, ...]:
    return () if tenant is None else tenant.tenants


def _is_called(entry: TenantEntry, word: str | None) -> bool:
    if word is None:
        return True
    return word == entry.name or (entry.id is not None and word.lower() == entry.id.lower())


def _quoted(text: str, *, always: bool = False) -> str:
    if not always and _BARE.fullmatch(text):
        return text
    return json.dumps(text, ensure_ascii=False)
