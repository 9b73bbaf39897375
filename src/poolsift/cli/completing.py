"""What the shell completes after an option: files, rule profiles."""

from __future__ import annotations

from typing import Final

import click

#: A path or URL, taken as it stands: whoever opens it says what is wrong with it.
PATH: Final = click.Path(readable=False)


def profiles(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """The built-in profiles that begin like this."""
    from poolsift.rules import BUILT_IN, BY_DATE

    return [name for name in (*BUILT_IN, BY_DATE) if name.startswith(incomplete)]
