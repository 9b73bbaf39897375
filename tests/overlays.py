"""Overlays and records for the tests: changes of every kind over the names of the strategies, and verdicts as they are written."""

from ipaddress import ip_network
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

import poolsift
from poolsift.records import KEY_COLUMNS, record_schema
from tests import strategies
from tests.reference.overlay import Accept, Changes
from tests.reference.worlds import TENANT_FILES, Case, snapshot_rows

DOMAINS = (
    "contoso.com", "lab.contoso.com", "app.contoso.com", "gone.contoso.com", "xn--bcher-kva.example", "supplier.example",
    "news.supplier.example", "evil.example", "mail.brand.co.uk", "brand.co.uk", "nowhere.com", "v6.com", "nullmx.com",
    "half.com", "fass.de", "home.example.com", "tailspin.example", "contoso.onmicrosoft.com",
)  # fmt: skip
NETWORKS = tuple(map(ip_network, (*strategies.PREFIXES, "203.0.113.70/32", "40.0.0.0/8", "2001:db8:1::1/128")))
GATEWAYS = ("edge", "inner")
PROFILES = ("2016-08", "2026-06", "measured", "by-date")
TENANTS = {"several": ("contoso", "tailspin", "wide"), "single": ("contoso",), "none": ()}

#: One change of each kind, for records of `random_columns`; those that need a tenant file come last.
WITHOUT_TENANT = (
    Changes(publish=frozenset({"gone.contoso.com", "nowhere.com", "v6.com", "half.com", "supplier.example"})),
    Changes(sign=frozenset({"supplier.example", "contoso.com", "evil.example", "xn--bcher-kva.example"})),
    Changes(
        authorize=tuple((network, domain) for network in NETWORKS for domain in ("supplier.example", "evil.example"))
    ),
    Changes(rules="2026-06"),
    Changes(rules="by-date"),
    Changes(),
)
OF_CONTOSO = (
    Changes(accept=(Accept("app.contoso.com", False, "contoso"), Accept("home.example.com", False, "contoso"))),
    Changes(accept=(Accept("supplier.example", True, "contoso"), Accept("fass.de", False, "contoso"))),
    Changes(filtering=frozenset(GATEWAYS)),
    Changes(
        accept=(Accept("brand.co.uk", True, "contoso"), Accept("home.example.com", True, "contoso")),
        publish=frozenset({"gone.contoso.com", "nowhere.com"}),
        sign=frozenset({"supplier.example"}),
        authorize=tuple((network, "supplier.example") for network in NETWORKS[:16]),
        filtering=frozenset({"edge"}),
        rules="measured",
    ),
)


def changes(tenants: str = "several") -> st.SearchStrategy[Changes]:
    """Overlays of any changes that a setting's tenant file allows."""
    names, domain = TENANTS[tenants], st.sampled_from(DOMAINS)
    few = st.frozensets(domain, max_size=4)
    accept = st.builds(Accept, domain, st.booleans(), st.sampled_from(names or ("",)))
    return st.builds(
        Changes,
        accept=st.lists(accept, max_size=4 if names else 0, unique_by=lambda one: (one.domain, one.tenant)).map(tuple),
        publish=few,
        sign=few,
        authorize=st.lists(st.tuples(st.sampled_from(NETWORKS), domain), max_size=6, unique=True).map(tuple),
        filtering=st.frozensets(st.sampled_from(GATEWAYS)) if names else st.just(frozenset()),
        rules=st.none() | st.sampled_from(PROFILES),
    )


def some_columns(seed: int, count: int) -> dict[str, list[Any]]:
    """Records of the strategies with a source address."""
    random = Random(seed)
    columns = strategies.random_columns(seed, count)
    columns["source_ip"] = [random.choice((None, random.choice(strategies.IP_ADDRESSES))) for _ in range(count)]
    return columns


def table_of(columns: dict[str, list[Any]]) -> pa.Table:
    return pa.table({name: pa.array(values, record_schema().field(name).type) for name, values in columns.items()})


def classifier(case: Case, overlay: Changes | None = None, tenant_text: str | None = None) -> poolsift.Classifier:
    """The library's classifier of a setting under an overlay, or with another tenant file."""
    text = TENANT_FILES[case.tenants] if tenant_text is None else tenant_text
    return poolsift.Classifier(
        None if text is None else poolsift.Tenant.parse(text),
        dns=poolsift.Snapshot.from_rows(snapshot_rows()) if case.dns else None,
        rules=case.rules,
        assume=case.assume_text(),
        compare=case.compare,
        overlay=None if overlay is None else poolsift.Overlay.parse(overlay.text()),
    )


def written(records: pa.Table, verdicts: pa.Table, columns: str = "key") -> pa.Table:
    """Records with their verdicts, as an output has them."""
    kept = [name for name in records.column_names if columns == "all" or name in KEY_COLUMNS]
    table = records.select(kept)
    for name in verdicts.column_names:
        table = table.append_column(name, verdicts[name])
    return table
