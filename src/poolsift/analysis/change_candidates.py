"""Single changes that may help, found in the rows: each with the most messages that it can move to the normal pool.

The bound is exact but for what only the kernel sees (a recipient in the same domain, a tenant the file does not name),
and never too low; ``best_changes`` counts the promising ones exactly.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from poolsift.analysis.bounded_counts import BoundedCounts, summed
from poolsift.analysis.change_effects import Behind
from poolsift.domain_facts import canonical_domain
from poolsift.evidence import FLAG_SHIFT, FLAGS, Fact, Flag, Known
from poolsift.overlay import Change, ChangeKind
from poolsift.tables import is_special_use

if TYPE_CHECKING:
    from collections.abc import Callable

    from poolsift.analysis.stored_rows import Mask, StoredRows
    from poolsift.analysis.stored_run import StoredRun
    from poolsift.tenant import Tenant

#: Columns that finding candidates needs.
COLUMNS: Final = ("mail_from", "header_from", "client_ip", "source_ip")

#: What stands before the domain of an address.
_UP_TO_DOMAIN: Final = r"(?s)^.*@"
#: Candidates of one kind that are looked at more closely.
_MOST_OF_A_KIND: Final = 10_000
_DISAGREE: Final = np.uint32(1 << (FLAG_SHIFT + FLAGS.index(Flag.P1_P2_DISAGREE)))


class Candidate(NamedTuple):
    """A change, and how many messages it moves to the normal pool at most."""

    change: Change
    most: int

    @property
    def order(self) -> tuple[int, str]:
        """The most promising first, ties by text."""
        return -self.most, self.change.text()


class _Kind(NamedTuple):
    """One kind of change: the fact it makes true, and what it would be about on the rows given."""

    kind: ChangeKind
    fact: Fact
    keys: tuple[str, ...]
    about: Callable[[StoredRows, Mask], pa.Table]


class CandidateCounts:
    """Watches every row: which domains, and which addresses of which domains, stand in the way of the normal pool."""

    def __init__(self, run: StoredRun) -> None:
        self._kinds = [
            _Kind(ChangeKind.PUBLISH_DNS, Fact.DOMAIN_RESOLVES, ("domain",), _sender_domains),
            _Kind(ChangeKind.SIGN_DKIM, Fact.DKIM_PASS, ("domain",), _reference_domains),
            _Kind(ChangeKind.AUTHORIZE, Fact.SPF_PASS, ("address", "domain"), _Sources(run)),
        ]
        if run.tenant is not None:
            keys = ("tenant", "domain")
            self._kinds.append(_Kind(ChangeKind.ACCEPT_DOMAIN, Fact.ACCEPTED_DOMAIN, keys, _Accepting(run.tenant)))
        yes = frozenset({Known.YES})
        self._states = [run.tables.moved_by(kind.fact, yes, {}, only_to_normal=True) for kind in self._kinds]
        self._counts = [BoundedCounts(kind.keys, run.most_entries) for kind in self._kinds]
        #: Most messages that a candidate not among ``candidates`` can move.
        self.beyond = 0

    def piece(self) -> _CandidatePiece:
        """A fresh count."""
        return _CandidatePiece(self._kinds, self._states)

    def merge(self, piece: _CandidatePiece) -> None:
        """Take one piece."""
        for counts, tables in zip(self._counts, piece.tables, strict=True):
            for table in tables:
                counts.add(table)

    def candidates(self) -> list[Candidate]:
        """The most promising of each kind, in no order."""
        found = []
        for kind, counts in zip(self._kinds, self._counts, strict=True):
            table = counts.table()
            head = table.slice(0, _MOST_OF_A_KIND)
            keys = zip(*(head[name].to_pylist() for name in kind.keys), strict=True)
            for key, messages in zip(keys, head["messages"].to_pylist(), strict=True):
                if "." in key[-1] and not key[-1].startswith("[") and not is_special_use(key[-1]):
                    found.append(Candidate(_change(kind.kind, *key), messages + counts.missed))
            rest = table["messages"][_MOST_OF_A_KIND].as_py() if table.num_rows > _MOST_OF_A_KIND else 0
            self.beyond = max(self.beyond, rest + counts.missed)
        return found


class _CandidatePiece:
    """The candidates of one piece of the output, counted batch by batch."""

    def __init__(self, kinds: list[_Kind], states: list[Mask]) -> None:
        self._kinds = kinds
        self._states = states
        self.tables: list[list[pa.Table]] = [[] for _ in kinds]

    def add(self, rows: StoredRows) -> None:
        """Take one batch."""
        for kind, states, tables in zip(self._kinds, self._states, self.tables, strict=True):
            helped = states[rows.states]
            if not helped.any():
                continue
            table = kind.about(rows, helped).drop_null()
            ones = pa.array(np.ones(table.num_rows, np.int64))
            table = table.append_column("messages", ones).append_column("recipients", ones)
            tables.append(summed(table, kind.keys))


def _sender_domains(rows: StoredRows, wanted: Mask) -> pa.Table:
    return pa.table({"domain": _taken(rows, "sender_domain", wanted)})


def _reference_domains(rows: StoredRows, wanted: Mask) -> pa.Table:
    """The From domain, or the sender domain where header_from is not recorded or names the same one."""
    written = rows.recorded("header_from") & ((rows.evidence & _DISAGREE) != 0)
    written |= rows.recorded("header_from") & ~rows.recorded("sender_domain")
    same = _taken(rows, "sender_domain", wanted & ~written)
    other = _domains_of(_taken(rows, "header_from", wanted & written))
    return pa.table({"domain": pa.concat_arrays([same, other])})


class _Sources:
    """Address and domain that SPF is about: source_ip behind a gateway whose Enhanced Filtering is on."""

    def __init__(self, run: StoredRun) -> None:
        self._filtered = Behind(run.tenant, lambda gateway: gateway.enhanced_filtering is True)

    def __call__(self, rows: StoredRows, wanted: Mask) -> pa.Table:
        client, source = (_taken(rows, name, wanted) for name in ("client_ip", "source_ip"))
        address = pc.if_else(pa.array(rows.where(self._filtered)[wanted]), source, client)
        said = rows.recorded("mail_from") & ~rows.is_null_path()
        domain = pc.if_else(pa.array(said[wanted]), _taken(rows, "sender_domain", wanted), None)
        return pa.table({"address": _each(address, _address), "domain": domain})


class _Accepting:
    """Sender domains by the tenant that would accept them: its name or id, '' where the file has but one."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def __call__(self, rows: StoredRows, wanted: Mask) -> pa.Table:
        coded = _taken(rows, "tenant_id", wanted).dictionary_encode(null_encoding="encode")
        words = pa.array([self._word(tenant_id) for tenant_id in coded.dictionary.to_pylist()], pa.string())
        return pa.table({"tenant": words.take(coded.indices), "domain": _taken(rows, "sender_domain", wanted)})

    def _word(self, tenant_id: str | None) -> str | None:
        entry = self._tenant.entry(tenant_id)
        if entry is None or len(self._tenant.tenants) == 1:
            return None if entry is None else ""
        same = [other for other in self._tenant.tenants if other.name == entry.name]
        return entry.name if entry.name and len(same) == 1 else entry.id


def _change(kind: ChangeKind, *about: str) -> Change:
    """The change of one kind about these keys."""
    if kind is ChangeKind.AUTHORIZE:
        return Change(kind, about[1], network=ipaddress.ip_network(about[0]))
    return Change(kind, about[-1], tenant=about[0] or None if len(about) > 1 else None)


def _taken(rows: StoredRows, column: str, wanted: Mask) -> pa.Array:
    return rows.batch.column(column).filter(pa.array(wanted)).cast(pa.string())


def _domains_of(addresses: pa.Array) -> pa.Array:
    """The domains of address texts in canonical form, null where there is none."""
    return _each(pc.ascii_rtrim(pc.replace_substring_regex(addresses, _UP_TO_DOMAIN, ""), " >"), canonical_domain)


def _each(texts: pa.Array, canonical: Callable[[str], str | None]) -> pa.Array:
    """Every text in its canonical form, each distinct one made once."""
    coded = texts.dictionary_encode()
    return pa.array([canonical(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _address(text: str) -> str | None:
    """The one spelling of an address; None where it is none. An IPv4-mapped one is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
