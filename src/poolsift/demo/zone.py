"""The public DNS of the demo's world: addresses, mail hosts and SPF records of its domains, and whom the records authorize."""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import Any, Final, NamedTuple

PARTNERS: Final = [f"partner{n:03d}.example" for n in range(400)]
SUPPLIERS: Final = [f"supplier{n:02d}.example" for n in range(60)]
#: The tenants' own names and one partner's: what they publish is said below.
OWN: Final = (
    "contoso.com",
    "fabrikam.com",
    "app.contoso.com",
    "lab.contoso.com",
    "contoso.onmicrosoft.com",
    "tailspin.example",
)
GONE: Final = "retired-brand.example"
SILENT: Final = PARTNERS[0]

#: Hosts of the outside world that no record authorizes.
STRANGERS: Final = [f"198.51.100.{last}" for last in range(200, 255)]
#: Where the filter in front of the tenant hands mail on from.
GATEWAY_HOSTS: Final = [f"203.0.113.{last}" for last in range(100, 120)]
_FILTER: Final = "mx1.mailfilter.example"
_WORLD: Final = [f"198.51.100.{last}" for last in range(1, 255)]

# Two providers of mass mail whose records many suppliers include: one in two parts, one with a host of its own.
_ESP, _MAILER = "_spf.esp-one.example", "spf.mailer.example"
_ESP_PREFIXES: Final = ("198.51.100.0/27", "198.51.100.32/28")
_MAILER_PREFIXES: Final = ("198.51.100.64/27", "198.51.100.100/32")
#: Suppliers whose records are odd: asks DNS for every address, points elsewhere, includes a name without a record.
EXISTS, REDIRECT, BROKEN = SUPPLIERS[57:]

#: Record type → what it holds, or the status of an answer that holds nothing.
Types = dict[str, list[str] | str]


class Policy(NamedTuple):
    """An SPF record, the prefixes from which it passes, and its result for all other addresses."""

    record: str
    prefixes: tuple[str, ...]
    otherwise: str


def policy(supplier: str) -> Policy:
    """What a supplier publishes: four kinds in turn, and the three odd ones."""
    number = SUPPLIERS.index(supplier)
    own = f"198.51.100.{128 + number}"
    if supplier == EXISTS:
        return Policy(f"v=spf1 exists:%{{i}}._spf.{supplier} -all", (f"{own}/32",), "fail")
    if supplier == REDIRECT:
        return Policy(f"v=spf1 redirect=_spf.{supplier}", (f"{own}/32", *_MAILER_PREFIXES), "softfail")
    if supplier == BROKEN:
        return Policy(f"v=spf1 include:_spf.{supplier} -all", (), "permerror")
    kinds = (
        Policy(
            f"v=spf1 ip4:{own} ip6:2001:db8:{number:x}::/48 include:{_ESP} -all", (f"{own}/32", *_ESP_PREFIXES), "fail"
        ),
        Policy(f"v=spf1 mx include:{_MAILER} ~all", (f"{own}/32", *_MAILER_PREFIXES), "softfail"),
        Policy(
            f"v=spf1 a include:{_ESP} include:{_MAILER} ?all",
            (f"{own}/32", *_ESP_PREFIXES, *_MAILER_PREFIXES),
            "neutral",
        ),
        Policy(f"v=spf1 ip4:{own} -all", (f"{own}/32",), "fail"),
    )
    return kinds[number % len(kinds)]


@cache
def authorized(supplier: str) -> tuple[str, ...]:
    """The IPv4 addresses from which a supplier's mail passes, in their order."""
    networks = map(ipaddress.IPv4Network, policy(supplier).prefixes)
    return tuple(str(address) for network in networks for address in network)


def zone() -> dict[str, Types]:
    """Name → type → records; whatever type a name lacks here was not asked for."""
    names = {name: _site(name) for name in (*SUPPLIERS, *PARTNERS[1:])}
    names |= {
        name: {"A": ["192.0.2.1"], "MX": [f"0 {name.replace('.', '-')}.mail.protection.outlook.com"]} for name in OWN
    }
    names["contoso.com"]["MX"] = [f"10 {_FILTER}"]
    names[_FILTER] = {"A": [GATEWAY_HOSTS[0]], "AAAA": "absent"}
    names[GONE] = {"A": "absent", "MX": "absent", "TXT": "absent"}
    names[SILENT] = {"A": "unknown", "MX": "unknown"}
    for name, record in _own_records().items():
        names[name] |= {"TXT": [record] if record else "absent"}
    for supplier in SUPPLIERS:
        names |= _supplier(supplier, names[supplier])
    names[_ESP] = _text(f"v=spf1 ip4:{_ESP_PREFIXES[0]} ip6:2001:db8:e1::/48 include:_more{_ESP} -all")
    names[f"_more{_ESP}"] = _text(f"v=spf1 ip4:{_ESP_PREFIXES[1]} ~all")
    names[_MAILER] = _text(f"v=spf1 ip4:{_MAILER_PREFIXES[0]} a:out.mailer.example ~all")
    names["out.mailer.example"] = {"A": ["198.51.100.100"]}
    return names


def snapshot_rows() -> list[dict[str, Any]]:
    """The zone as rows of a DNS snapshot's full form, sorted."""
    return [
        {"name": name, "rdtype": rdtype, **_answer(types, rdtype)}
        for name, types in sorted(zone().items())
        for rdtype in sorted(types)
    ]


def _answer(types: Types, rdtype: str) -> dict[str, Any]:
    held = types[rdtype]
    if not isinstance(held, str):
        return {"status": "present", "reason": None, "confirmed": False, "rdata": held}
    missing = "nxdomain" if all(other == "absent" for other in types.values()) else "nodata"
    reason = "servfail" if held == "unknown" else missing
    return {"status": held, "reason": reason, "confirmed": held == "absent", "rdata": None}


def _site(name: str) -> Types:
    """A host of its own takes its mail."""
    return {"A": ["192.0.2.1"], "MX": [f"10 mail.{name}"]}


def _text(record: str) -> Types:
    return {"TXT": [record]}


def _listed(*, listed: bool) -> Types:
    return {"A": ["127.0.0.2"] if listed else "absent"}


def _own_records() -> dict[str, str]:
    """The first domain sends from its edge alone; a printer's subdomain publishes nothing."""
    records = dict.fromkeys(OWN, "")
    records["contoso.com"] = "v=spf1 ip4:203.0.113.0/27 -all"
    records["fabrikam.com"] = "v=spf1 include:contoso.com ~all"
    records["tailspin.example"] = "v=spf1 -all"
    return records


def _supplier(supplier: str, site: Types) -> dict[str, Types]:
    """A supplier's names: a host of its own that its record speaks of, and what the odd records lead to."""
    own = [f"198.51.100.{128 + SUPPLIERS.index(supplier)}"]
    record = policy(supplier).record
    names: dict[str, Types] = {supplier: {**site, **_text(record)}, f"mail.{supplier}": {"A": own}}
    if " a " in record:
        names[supplier]["A"] = own
    if supplier == EXISTS:
        names |= {  # the record asks for each address in turn
            f"{address}._spf.{supplier}": _listed(listed=address in own) for address in (*_WORLD, *GATEWAY_HOSTS)
        }
    if supplier == REDIRECT:
        names[f"_spf.{supplier}"] = _text(f"v=spf1 ip4:{own[0]} include:{_MAILER} ~all")
    if supplier == BROKEN:
        names[f"_spf.{supplier}"] = {"TXT": "absent"}
    return names
