"""``poolsift tenant init`` and ``poolsift tenant check``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from poolsift.cli.completing import PATH
from poolsift.cli.dns_options import resolver_options, servers
from poolsift.errors import OutputError, UsageError

if TYPE_CHECKING:
    from poolsift.engines.mail_routes import Records
    from poolsift.tenant import TenantEntry


@click.group()
def command() -> None:
    """Write a tenant file to fill in, or check one."""


@command.command()
@click.argument("file", default="-", type=PATH)
def init(file: str) -> None:
    """Write a tenant file to fill in.

    It goes to FILE (default: stdout); a FILE that exists is never overwritten.
    """
    from poolsift.tenant_text import TEMPLATE

    if file == "-":
        click.echo(TEMPLATE, nl=False)
        return
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    except FileExistsError:
        raise UsageError("exists already", path=file, expected="a new file") from None
    except OSError as error:
        raise OutputError("write_failed", f"cannot write: {error.strerror}", file) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(TEMPLATE)
    print(f"{file} written; fill it in, then: poolsift tenant check {file}", file=sys.stderr)


@command.command()
@click.argument("file", type=PATH)
@click.option("--dns", is_flag=True, help="Ask for MX and addresses of the accepted domains.")
@click.option("--snapshot", metavar="FILE", type=PATH,
              help="Look them up in a DNS snapshot instead (resolve --tenant writes one that holds them).")  # fmt: skip
@resolver_options
def check(file: str, dns: bool, snapshot: str | None, resolvers: tuple[str, ...], rate: float, timeout: float) -> None:
    """Check FILE and show what poolsift understands.

    With DNS, a warning for each accepted domain whose mail comes by hosts that are neither Exchange Online nor a
    declared gateway with enhanced filtering, and a [[tenant.gateway]] to paste for the hosts that are in none.
    """
    from poolsift.analysis.escaping import shown
    from poolsift.tenant import Tenant

    _check_options(dns, snapshot, resolvers)
    tenant = Tenant.load(file)
    if not tenant.tenants:
        print(f"warning: {shown(file)} names no tenant: no accepted domain is known", file=sys.stderr)
    warnings = list(tenant.warnings)
    with ExitStack() as stack:
        records = None
        if snapshot is not None:
            records = _snapshot_records(snapshot)
        elif dns:
            records = _asked_records(stack, warnings, resolvers, rate, timeout)
        for entry in tenant.tenants:
            _show(entry)
            if records is not None:
                _show_routes(entry, records, warnings)
    if tenant.pool_names or tenant.prefixes:
        click.echo(f"additions to the pool tables: {len(tenant.pool_names)} names, {len(tenant.prefixes)} prefixes")
    for warning in warnings:
        print(f"warning: {shown(warning, limit=2_000)}", file=sys.stderr)


def _check_options(dns: bool, snapshot: str | None, resolvers: tuple[str, ...]) -> None:
    if dns and snapshot is not None:
        raise UsageError("answers come from resolvers or from a snapshot", key="--snapshot", expected="no --dns")
    if resolvers and not dns:
        raise UsageError("nobody is asked", key="--resolver", expected="--dns")


def _snapshot_records(path: str) -> Records:
    from poolsift.dns.snapshot import Snapshot
    from poolsift.engines.mail_routes import SnapshotRecords

    return SnapshotRecords(Snapshot.open(path))


def _asked_records(
    stack: ExitStack, warnings: list[str], resolvers: tuple[str, ...], rate: float, timeout: float
) -> Records:
    from poolsift.engines.asking import LocalAsker
    from poolsift.engines.mail_routes import AskedRecords

    asker = stack.enter_context(LocalAsker(servers(resolvers), rate=rate, timeout=timeout, zone_cap=0))
    warnings += asker.warnings
    return AskedRecords(asker)


def _show(entry: TenantEntry) -> None:
    from poolsift.analysis.escaping import shown

    name = shown(entry.name or entry.id or "(without name)")
    click.echo(f"tenant {name}" + (" (learned)" if entry.learned else ""))
    for domain, below in entry.accepted_with_initial.items():
        click.echo(f"  accepted  {domain}" + (" and everything below" if below else ""))
    for gateway in entry.gateways:
        networks = ", ".join(map(str, gateway.networks))
        filtering = {None: "not said", True: "on", False: "off"}[gateway.enhanced_filtering]
        name = shown(gateway.name or "(without name)")
        click.echo(f"  gateway   {name}: {networks}; enhanced filtering {filtering}")


def _show_routes(entry: TenantEntry, records: Records, warnings: list[str]) -> None:
    from poolsift.analysis.escaping import shown
    from poolsift.engines.gateway_suggestions import suggested_gateways
    from poolsift.engines.mail_routes import mail_routes, route_warnings

    routes = mail_routes(entry, records)
    for route in routes:
        click.echo(f"  mx        {route.domain}: {shown(str(route), limit=2_000)}")
    warnings += route_warnings(entry, routes)
    for text in suggested_gateways(entry, routes):
        click.echo(f"\n{text}\n")
