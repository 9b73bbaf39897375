"""``poolsift completion``: the script that a shell evaluates."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    bash: eval "$(poolsift completion bash)", zsh alike; fish: poolsift completion fish | source
    """
    from poolsift.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None
    # The base class asks bash for its version, which may not be installed where the script is made.
    script = kind(cli, {}, "poolsift", "_POOLSIFT_COMPLETE")
    click.echo(script.source_template % script.source_vars())
