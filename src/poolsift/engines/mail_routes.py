"""Where the mail of a tenant's accepted domains comes in: their MX compared with Exchange Online and the gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from poolsift.dns.answers import NOT_LISTED, Answer, AnswerStatus
from poolsift.dns.inquiry import Inquiry
from poolsift.tables import shipped_table
from poolsift.tenant import initial_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from poolsift.dns.snapshot import Snapshot
    from poolsift.engines.name_answers import Asker
    from poolsift.tenant import Gateway, TenantEntry

    Answers = Mapping[str, Mapping[str, Answer]]

_TYPES: Final = {"full": ("MX", "A"), "addresses": ("A", "AAAA")}
#: Addresses shown of one host.
_SHOWN: Final = 5


class Records(Protocol):
    """Whoever knows DNS answers of many names."""

    def answers(self, names: Sequence[str], need: str) -> Answers:
        """Name → type → answer, by what is needed: ``full`` is MX and A, ``addresses`` A and AAAA."""


class AskedRecords:
    """Answers of resolvers, asked now."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker

    def answers(self, names: Sequence[str], need: str) -> Answers:
        """Name → type → answer."""
        found: dict[str, Mapping[str, Answer]] = {}

        def finished(inquiry: Inquiry) -> None:
            found[inquiry.name] = inquiry.answers

        self._asker.run((Inquiry(name, need) for name in names), finished)
        return found


class SnapshotRecords:
    """Answers of a snapshot; what it lacks is unknown."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def answers(self, names: Sequence[str], need: str) -> Answers:
        """Name → type → answer."""
        return {name: {rdtype: self._snapshot.lookup(name, rdtype) for rdtype in _TYPES[need]} for name in names}


class MailHost(NamedTuple):
    """A host that takes mail: its addresses, and why some of them could not be found out."""

    name: str
    addresses: tuple[str, ...]
    gaps: tuple[str, ...]

    @property
    def is_exchange(self) -> bool:
        """Whether it is Exchange Online itself, by its name."""
        return any(self.name.endswith(entry["name"]) for entry in shipped_table("exchange_mx")["suffix"])

    def __str__(self) -> str:
        if self.is_exchange:
            return f"{self.name} (Exchange Online)"
        parts = [*self.addresses[:_SHOWN]]
        if len(self.addresses) > _SHOWN:
            parts.append(f"{len(self.addresses) - _SHOWN} more")
        parts += [f"addresses could not be found out: {', '.join(self.gaps)}"] if self.gaps else []
        return f"{self.name} ({', '.join(parts) or 'no address'})"


class MailRoute(NamedTuple):
    """What DNS says of one accepted domain: its MX and A, and the hosts that take its mail.

    Without MX the domain's own address takes it (RFC 5321 section 5.1).
    """

    domain: str
    mx: Answer
    a: Answer
    hosts: tuple[MailHost, ...]

    def __str__(self) -> str:
        if self.mx.status is AnswerStatus.PRESENT:
            if not self.mx.rdata:
                return "some, but the snapshot does not say which (poolsift resolve --tenant FILE makes one that does)"
            return "none, by a null MX: it takes no mail" if self.mx.is_null_mx else ", ".join(map(str, self.hosts))
        if self.mx.status is AnswerStatus.INVALID:
            return f"no name of the public DNS ({_word(self.mx)})"
        if not _is_absent(self.mx):
            return f"could not be found out ({_word(self.mx)})"
        if _is_absent(self.a):
            return "none, and no A either"
        if self.a.status is AnswerStatus.PRESENT:
            return f"none seen; its own A takes the mail: {', '.join(map(str, self.hosts))}"
        return f"none seen; whether it has an A could not be found out ({_word(self.a)})"


def mail_routes(entry: TenantEntry, records: Records) -> list[MailRoute]:
    """The routes of a tenant's accepted domains, without the initial domain and its mail form, in their order."""
    initial = initial_forms(entry.initial_domain)
    domains = [name for name in entry.accepted if name not in initial]
    answers = records.answers(domains, "full")
    hosts = {host for types in answers.values() for host in _mx_hosts(_held(types, "MX"))}
    asked = [host for host in sorted(hosts) if not MailHost(host, (), ()).is_exchange]
    addresses = records.answers(asked, "addresses")
    return [_route(name, answers.get(name, {}), addresses) for name in domains]


def _route(domain: str, types: Mapping[str, Answer], addresses: Answers) -> MailRoute:
    mx, a = _held(types, "MX"), _held(types, "A")
    if _is_absent(mx) and a.status is AnswerStatus.PRESENT:
        return MailRoute(domain, mx, a, (MailHost(domain, a.rdata, ()),))
    return MailRoute(domain, mx, a, tuple(_host(name, addresses.get(name)) for name in _mx_hosts(mx)))


def _mx_hosts(mx: Answer) -> list[str]:
    """The hosts of an MX answer, the preferred first; a null MX names none (RFC 7505)."""
    if mx.status is not AnswerStatus.PRESENT or mx.is_null_mx:
        return []
    pairs = [record.partition(" ") for record in mx.rdata]
    ordered = sorted((int(preference) if preference.isdigit() else 0, host) for preference, _, host in pairs)
    return list(dict.fromkeys(host for _, host in ordered))


def _host(name: str, types: Mapping[str, Answer] | None) -> MailHost:
    if types is None:  # Exchange Online: nobody asked for its addresses
        return MailHost(name, (), ())
    held = {rdtype: _held(types, rdtype) for rdtype in _TYPES["addresses"]}
    found = tuple(rdata for answer in held.values() if answer.status is AnswerStatus.PRESENT for rdata in answer.rdata)
    gaps = [
        f"{rdtype} {_word(answer)}"
        for rdtype, answer in held.items()
        if answer.status in {AnswerStatus.UNKNOWN, AnswerStatus.INVALID}
    ]
    return MailHost(name, found, tuple(gaps))


def route_warnings(entry: TenantEntry, routes: Iterable[MailRoute]) -> list[str]:
    """What an administrator should look at, a line each."""
    return [f"{route.domain}: {text}" for route in routes for text in _faults(entry, route)]


def _faults(entry: TenantEntry, route: MailRoute) -> list[str]:
    if route.mx.status is AnswerStatus.PRESENT and route.mx.is_null_mx:
        return ["has a null MX: it takes no mail, and mail from it is refused by some receivers (RFC 7505)"]
    if route.hosts:
        return _gateway_faults(entry, route)
    if route.mx.status is AnswerStatus.INVALID:
        return [f"is no name of the public DNS ({_word(route.mx)}): nobody can be asked about it"]
    if not _is_absent(route.mx):
        return [f"its MX could not be found out ({_word(route.mx)}): whether mail comes by a gateway is unknown"]
    if _is_absent(route.a):
        return ["has neither MX nor A: mail from it leaves by the high-risk pool"]
    return [f"no MX was seen, and whether it has an A could not be found out ({_word(route.a)})"]


def _gateway_faults(entry: TenantEntry, route: MailRoute) -> list[str]:
    """Mail that comes by other hosts is judged by their address, unless a gateway with enhanced filtering is known."""
    others = [host for host in route.hosts if not host.is_exchange]
    found = [(address, entry.gateway_of(address)) for host in others for address in host.addresses]
    faults = [_filtering_fault(gateway) for gateway in _distinct(found) if gateway.enhanced_filtering is not True]
    stray = list(dict.fromkeys(address for address, gateway in found if gateway is None))
    named = ", ".join(map(str, others))
    if stray:
        prefixes = ", ".join(f'"{address}/{128 if ":" in address else 32}"' for address in stray)
        declared = "no gateway is declared" if not entry.gateways else "no gateway holds all of these addresses"
        faults.append(
            f"its MX is not Exchange Online but {named}, and {declared}; "
            f"if it is yours: [[tenant.gateway]] prefixes = [{prefixes}]"
        )
    elif not found and others:
        faults.append(f"its MX is not Exchange Online but {named}: no address that a gateway could be compared with")
    elif any(host.gaps for host in others):
        faults.append(f"its MX is not Exchange Online but {named}: other addresses may lie outside the gateways")
    return faults


def _filtering_fault(gateway: Gateway) -> str:
    if gateway.enhanced_filtering is False:
        return (
            f"mail comes by gateway {gateway.name!r}, whose enhanced_filtering is false: SPF is then judged by the "
            "gateway's address; turn Enhanced Filtering for Connectors on"
        )
    return (
        f"mail comes by gateway {gateway.name!r}, and its enhanced_filtering is not said: "
        "state whether Enhanced Filtering for Connectors is on"
    )


def _distinct(found: Iterable[tuple[str, Gateway | None]]) -> list[Gateway]:
    return list({id(gateway): gateway for _, gateway in found if gateway is not None}.values())


def _held(types: Mapping[str, Answer], rdtype: str) -> Answer:
    return types.get(rdtype, NOT_LISTED)


def _is_absent(answer: Answer) -> bool:
    return answer.status is AnswerStatus.ABSENT


def _word(answer: Answer) -> str:
    return answer.reason or answer.status.value
