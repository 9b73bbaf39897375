"""The options of every command that asks the DNS: whom, how fast, and where answers are kept."""

from __future__ import annotations

import math
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.completing import PATH
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from poolsift.dns.servers import Server

_DURATION: Final = re.compile(r"(\d+)\s*([smhd]?)", re.IGNORECASE)
_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DIGITS: Final = 12
#: Ten years; nobody means more.
_LONGEST: Final = 10 * 365 * 86_400
NO_CACHE: Final = "none"


def seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """A duration such as 90, 15m, 36h or 3d in seconds."""
    match = _DURATION.fullmatch(value.strip())
    if match is None or len(match[1]) > _DIGITS:
        raise click.BadParameter(f"{value[:40]!r} is not a duration such as 90s, 15m, 36h or 3d", ctx, param)
    return float(min(int(match[1]) * _SECONDS[match[2].lower()], _LONGEST))


def number(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """A number that is one: a range lets NaN by."""
    if not math.isfinite(value):
        raise click.BadParameter(f"found {value}, expected a number", ctx, param)
    return value


def resolver_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--resolver --rate --timeout``."""
    for option in (
        click.option("--timeout", type=click.FloatRange(0.05, 60), callback=number, default=2.0, show_default=True,
                     metavar="SECONDS", help="How long one query is waited for."),
        click.option("--rate", type=click.FloatRange(min=0), callback=number, default=500.0, show_default="500",
                     metavar="N", help="Queries a second and resolver; 0: no limit."),
        click.option("--resolver", "resolvers", multiple=True, metavar="ADDRESS[:PORT]",
                     help="Resolver to ask, may be repeated (default: the system's)."),
    ):  # fmt: skip
        command = option(command)
    return command


def cache_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--cache --max-stale``."""
    for option in (
        click.option("--max-stale", callback=seconds, default="0", metavar="DURATION",
                     help="How long past their time old answers may stand in for failures, such as 1d."),
        click.option("--cache", metavar="FILE|none", type=PATH,
                     help="Where DNS answers are kept between runs (default: in the user's cache directory)."),
    ):  # fmt: skip
        command = option(command)
    return command


def cache_path(asked: str | None) -> str | None:
    """The cache file: the one asked for, else the user's own; None for ``none`` and where the user has no home."""
    if asked is not None:
        return None if asked == NO_CACHE else asked
    base = os.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "poolsift", "dns.sqlite") if os.path.isabs(base) else None


def servers(asked: tuple[str, ...], *, quiet: bool = False) -> list[Server]:
    """The resolvers named, or the system's, which are then said on standard error. Raises UsageError."""
    from poolsift.dns.servers import RESOLV_CONF, Server, system_servers

    if asked:
        try:
            return list(dict.fromkeys(Server.parse(text) for entry in asked for text in entry.split(",")))
        except UsageError as error:
            raise UsageError(error.message, key="--resolver", found=error.found, expected=error.expected) from None
    found = system_servers(RESOLV_CONF)
    if not quiet:
        named = ", ".join(map(str, found))
        print(f"asking the system's resolver {named} ({RESOLV_CONF}); --resolver names another", file=sys.stderr)
    return found
