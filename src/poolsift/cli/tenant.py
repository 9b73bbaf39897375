"""``poolsift tenant init`` and ``poolsift tenant check``."""

from __future__ import annotations

import os
import sys

import click

from poolsift.cli.completing import PATH
from poolsift.errors import OutputError, UsageError


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
def check(file: str) -> None:
    """Check FILE and show what poolsift understands."""
    from poolsift.analysis.escaping import shown
    from poolsift.tenant import Tenant

    tenant = Tenant.load(file)
    if not tenant.tenants:
        print(f"warning: {shown(file)} names no tenant: no accepted domain is known", file=sys.stderr)
    for entry in tenant.tenants:
        name = shown(entry.name or entry.id or "(without name)")
        click.echo(f"tenant {name}" + (" (learned)" if entry.learned else ""))
        for domain, below in entry.accepted_with_initial.items():
            click.echo(f"  accepted  {domain}" + (" and everything below" if below else ""))
        for gateway in entry.gateways:
            networks = ", ".join(map(str, gateway.networks))
            filtering = {None: "not said", True: "on", False: "off"}[gateway.enhanced_filtering]
            name = shown(gateway.name or "(without name)")
            click.echo(f"  gateway   {name}: {networks}; enhanced filtering {filtering}")
    if tenant.pool_names or tenant.prefixes:
        click.echo(f"additions to the pool tables: {len(tenant.pool_names)} names, {len(tenant.prefixes)} prefixes")
    for warning in tenant.warnings:
        print(f"warning: {shown(warning, limit=2_000)}", file=sys.stderr)
