"""Names that cannot exist in the public DNS; nobody is ever asked about them."""

from __future__ import annotations

import ipaddress

from poolsift.dns.answers import Reason
from poolsift.domain_facts import canonical_domain
from poolsift.tables import is_special_use


def unaskable(name: str) -> Reason | None:
    """Why a name must not be asked; None for a canonical name that may exist.

    A single label is never completed by a search list; special-use names are a dated table.
    """
    if name.startswith("[") or _is_address(name):
        return Reason.LITERAL
    if canonical_domain(name) != name:
        return Reason.SYNTAX
    if "." not in name:
        return Reason.SINGLE_LABEL
    return Reason.SPECIAL_USE if is_special_use(name) else None


def _is_address(name: str) -> bool:
    if name[-1:].isdigit() or ":" in name:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
    return False
