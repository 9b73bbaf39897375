"""``poolsift demo``: a generated archive, classified."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from poolsift.cli.completing import PATH


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--messages", type=click.IntRange(1, 10_000_000), default=60_000, show_default=True, metavar="N",
              help="Messages to write; each makes about four rows.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same archive.")
@click.option("--dns", type=click.Choice(["snapshot", "live"]), default="snapshot", show_default=True,
              help="live: ask a DNS server on loopback that the demo starts for itself.")  # fmt: skip
@click.option("--only-write", is_flag=True, help="Write the archive, do not classify it.")
@click.pass_context
def command(ctx: click.Context, folder: str, messages: int, seed: int, dns: str, only_write: bool) -> int:
    """Write a generated archive into DIR/archive and classify it into DIR/verdicts."""
    from poolsift.cli import classify
    from poolsift.demo import write_archive
    from poolsift.writers.durable import naming

    with naming(Path(folder)):
        archive = write_archive(Path(folder) / "archive", messages=messages, seed=seed)
    inputs = [str(path) for path in archive.inputs]
    held = ", ".join(f"{count:,} rows of {name}" for name, count in archive.rows.items())
    click.echo(f"wrote {held} to {archive.folder} (seed {seed})", err=True)
    with ExitStack() as stack:
        known = ["--tenant", str(archive.tenant), *_answers(archive.snapshot, dns, stack)]
        arguments = [*inputs, *known, "-o", f"{folder}/verdicts"]
        click.echo("poolsift classify " + " ".join(arguments), err=True)
        if only_write:
            return 0
        with classify.command.make_context("classify", arguments, parent=ctx) as inner:
            code: int = classify.command.invoke(inner)
        return code


def _answers(snapshot: Path, dns: str, stack: ExitStack) -> list[str]:
    """The options that say where DNS answers come from; a server on loopback lives as long as ``stack``."""
    if dns == "snapshot":
        return ["--snapshot", str(snapshot)]
    from poolsift.demo.dns_server import DemoServer, names_of

    server = stack.enter_context(DemoServer(names_of(snapshot)))
    return ["--dns", "live", "--resolver", server.address, "--cache", "none"]
