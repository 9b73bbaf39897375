"""What a change of an overlay can do to a stored row: the facts it may set, and on which rows at most.

Nothing is decided here: a row that an effect may touch is judged by the kernel, and no other row is ever changed
by it. The tests on rows are cheap and may hold for too many rows, never for too few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from poolsift.evidence import Fact, Known
from poolsift.overlay import ChangeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from poolsift.analysis.stored_rows import Mask, StoredRows
    from poolsift.networks import Network
    from poolsift.overlay import Change
    from poolsift.tenant import Gateway, Tenant

    Test = Callable[[StoredRows], Mask]

#: Addresses whose gateways are remembered; more are asked again.
_MAX_ADDRESSES: Final = 1_000_000

#: The version of IP whose addresses are written in whole octets.
_DOTTED: Final = 4

#: Columns that re-reading evidence takes, whatever the change; others follow from what it is about.
COLUMNS: Final = (
    "evidence",
    "pool",
    "candidates",
    "sender_domain",
    "sender_from",
    "recipient_count",
    "tenant_id",
)
#: What tells that a message was sent to the outside; an output of the key columns has only the first.
_SENT: Final = ("observed_from", "outbound_ip", "outbound_host", "outbound_ip_pool_name", "sfp")
_BY_KIND: Final = {
    ChangeKind.ACCEPT_DOMAIN: ("mail_from", "header_from", "recipient", "direction", "forwarded", *_SENT),
    ChangeKind.PUBLISH_DNS: ("mail_from", "header_from"),
    ChangeKind.SIGN_DKIM: ("mail_from", "header_from"),
    ChangeKind.AUTHORIZE: ("mail_from", "header_from", "client_ip", "source_ip"),
    ChangeKind.ENHANCED_FILTERING: ("mail_from", "header_from", "client_ip", "source_ip", "helo"),
    ChangeKind.RULES: (),
}


class Effect(NamedTuple):
    """A fact that a change may set to one of ``values``, on the rows where ``test`` holds and on no other."""

    fact: Fact
    values: frozenset[Known]
    test: Test


def needed_columns(changes: Iterable[Change]) -> list[str]:
    """The stored columns that these changes need, each once; not every output has kept ``helo``."""
    return list(dict.fromkeys([*COLUMNS, *(name for change in changes for name in _BY_KIND[change.kind])]))


def effects(change: Change, tenant: Tenant | None) -> tuple[Effect, ...]:
    """What the change can do, one effect a fact and kind of row; a change of rules sets no fact."""
    target = change.target
    if change.kind is ChangeKind.RULES:
        return ()
    if change.kind is ChangeKind.ENHANCED_FILTERING:
        return (Effect(Fact.SPF_PASS, frozenset(Known), Behind(tenant, _newly_filtered(target))),)
    if change.kind is ChangeKind.ACCEPT_DOMAIN:
        return _accepting(target, below=change.subdomains)
    fact, test = {
        ChangeKind.PUBLISH_DNS: (Fact.DOMAIN_RESOLVES, _from(target)),
        ChangeKind.SIGN_DKIM: (Fact.DKIM_PASS, _signed_by(target)),
        ChangeKind.AUTHORIZE: (Fact.SPF_PASS, _from(target)),
    }[change.kind]
    return (Effect(fact, frozenset({Known.YES}), test),)


def _accepting(domain: str, *, below: bool) -> tuple[Effect, ...]:
    """The sender is accepted; where only the From domain is, no longer known not to be; mail to it stays inside."""
    return (
        Effect(Fact.ACCEPTED_DOMAIN, frozenset({Known.YES}), _from(domain, below=below)),
        Effect(Fact.ACCEPTED_DOMAIN, frozenset({Known.UNKNOWN}), _ending("header_from", domain)),
        Effect(Fact.OUTBOUND, frozenset({Known.NO}), _ending("recipient", domain)),
    )


def _newly_filtered(name: str) -> Callable[[Gateway], bool]:
    return lambda gateway: gateway.name == name and gateway.enhanced_filtering is not True


def _from(domain: str, *, below: bool = False) -> Test:
    return lambda rows: rows.sender_in(domain, below=below)


def _ending(column: str, domain: str) -> Test:
    return lambda rows: rows.may_end_in(column, domain)


def _signed_by(domain: str) -> Test:
    """The reference domain: that of header_from, of mail_from where header_from is not recorded."""

    def test(rows: StoredRows) -> Mask:
        unsaid = ~rows.recorded("header_from") & rows.sender_in(domain)
        return rows.may_end_in("header_from", domain) | unsaid

    return test


class Behind:
    """Whether a row's ``client_ip`` lies in one of certain gateways of the row's tenant; remembers addresses."""

    def __init__(self, tenant: Tenant | None, counts: Callable[[Gateway], bool]) -> None:
        self._tenant = tenant
        self._counts = counts
        self._known: dict[tuple[str | None, str], bool] = {}
        entries = () if tenant is None else tenant.tenants
        networks = [net for entry in entries for one in entry.gateways if counts(one) for net in one.networks]
        self._beginnings = sorted({_beginning(network) for network in networks})

    def __call__(self, rows: StoredRows) -> Mask:
        """The mask."""
        found = np.zeros(len(rows), np.bool_)
        places = np.flatnonzero(_beginning_so(rows.batch.column("client_ip"), self._beginnings))
        if not len(places):
            return found
        near = rows.batch.select(["tenant_id", "client_ip"]).take(pa.array(places))
        tenants = _encoded(near.column("tenant_id"))
        for number, tenant_id in [(None, None), *enumerate(tenants.dictionary.to_pylist())]:
            own = pc.is_null(tenants.indices) if number is None else pc.equal(tenants.indices, number)
            own = np.flatnonzero(pc.fill_null(own, False).to_numpy(zero_copy_only=False))
            found[places[own]] = self._held(tenant_id, near.column("client_ip").take(pa.array(own)))
        return found

    def _held(self, tenant_id: str | None, addresses: pa.Array) -> Mask:
        coded = _encoded(addresses)
        words = [self._is_behind(tenant_id, text) for text in coded.dictionary.to_pylist()]
        found: Mask = np.array(words, np.bool_)[coded.indices.to_numpy()]
        return found

    def _is_behind(self, tenant_id: str | None, address: str) -> bool:
        known = self._known.get((tenant_id, address))
        if known is None:
            assert self._tenant is not None
            entry = self._tenant.entry(tenant_id)
            gateway = None if entry is None else entry.gateway_of(address)
            known = gateway is not None and self._counts(gateway)
            if len(self._known) >= _MAX_ADDRESSES:
                self._known.clear()
            self._known[tenant_id, address] = known
        return known


def _beginning_so(addresses: pa.Array, beginnings: Iterable[str]) -> Mask:
    """By the first characters: an address in the dotted form has one spelling, any other is to be looked at."""
    found = pc.match_substring(addresses, ":")
    for beginning in beginnings:
        found = pc.or_(found, pc.starts_with(addresses, beginning))
    mask: Mask = pc.fill_null(found, False).to_numpy(zero_copy_only=False)
    return mask


def _beginning(network: Network) -> str:
    """What the text of every address of a prefix begins with: its whole octets; a colon stands for IPv6."""
    if network.version != _DOTTED:
        return ":"
    whole = network.prefixlen // 8
    octets = str(network.network_address).split(".")
    return ".".join([*octets[:whole], ""] if whole < len(octets) else octets)


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
