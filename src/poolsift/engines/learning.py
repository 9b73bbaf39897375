"""Learns accepted domains from records that Microsoft 365 stamped as sent from one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolsift.engines.inputs import RunInput, ignoring
from poolsift.engines.verdicts import VerdictSource
from poolsift.errors import InputError, UsageError
from poolsift.readers.base import ReadOptions
from poolsift.readers.raw_files import STDIN
from poolsift.rules import DEFAULT
from poolsift.tenant import Tenant
from poolsift.tenant_text import learned_tenants

if TYPE_CHECKING:
    from collections.abc import Iterable

    from poolsift.engines.options import RunOptions
    from poolsift.readers.source import Source


def learned_tenant(sources: Iterable[Source], options: RunOptions) -> Tenant:
    """A learned tenant set from the records that say that their sender was accepted.

    ``ignore`` leaves `accepted` alone here: learning from that column and then doing without it compares the two.
    """
    ignore = options.ignore - {"accepted"}
    pairs: set[tuple[str | None, str | None]] = set()
    verdicts = VerdictSource(tenant=None, dns=None, rules=DEFAULT, compare=(), assume=None)
    for source in sources:
        if source.path == STDIN:
            raise UsageError("learning reads the inputs twice", found="-", expected="files")
        current = RunInput(source, lambda _: None, options.forced_format)
        try:
            for records, answers in verdicts.ordered(ignoring(current.batches(ReadOptions()), ignore), 1):
                accepted = records.column("accepted").fill_null(False)
                tenants = records.column("tenant_id").filter(accepted).to_pylist()
                domains = answers.column("sender_domain").filter(accepted).to_pylist()
                pairs.update(zip(tenants, domains, strict=True))
        except InputError:
            # The run itself meets the damage again and accounts for it.
            continue
        finally:
            source.close()
    return Tenant.parse(learned_tenants(pairs), "<learned from the inputs>")
