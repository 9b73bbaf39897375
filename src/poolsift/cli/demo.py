"""``poolsift demo``: a generated archive, classified."""

from __future__ import annotations

from pathlib import Path

import click

from poolsift.cli.completing import PATH


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option("--messages", type=click.IntRange(1, 10_000_000), default=60_000, show_default=True, metavar="N",
              help="Messages to write; each makes about four rows.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same archive.")
@click.option("--only-write", is_flag=True, help="Write the archive, do not classify it.")
@click.pass_context
def command(ctx: click.Context, folder: str, messages: int, seed: int, only_write: bool) -> int:
    """Write a generated archive into DIR/archive and classify it into DIR/verdicts."""
    from poolsift.cli import classify
    from poolsift.demo import write_archive
    from poolsift.writers.durable import naming

    with naming(Path(folder)):
        archive = write_archive(Path(folder) / "archive", messages=messages, seed=seed)
    inputs = [str(path) for path in archive.inputs]
    known = ["--tenant", str(archive.tenant), "--snapshot", str(archive.snapshot)]
    arguments = [*inputs, *known, "-o", f"{folder}/verdicts"]
    held = ", ".join(f"{count:,} rows of {name}" for name, count in archive.rows.items())
    click.echo(f"wrote {held} to {archive.folder} (seed {seed})", err=True)
    click.echo("poolsift classify " + " ".join(arguments), err=True)
    if only_write:
        return 0
    with classify.command.make_context("classify", arguments, parent=ctx) as inner:
        code: int = classify.command.invoke(inner)
    return code
