"""``poolsift rules``: the profiles and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from poolsift.cli.columns import aligned
from poolsift.cli.completing import profiles

if TYPE_CHECKING:
    from poolsift.rules import Profile


@click.group(invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the rule profiles, or show one."""
    if ctx.invoked_subcommand is not None:
        return
    from poolsift.rules import BUILT_IN, BY_DATE, DEFAULT, Profile, newest

    marks = {DEFAULT: "default", newest(): "newest"}
    rows = [("profile", "date", "", "source")]
    for name in BUILT_IN:
        profile = Profile.load(name)
        rows.append((name, str(profile.date or ""), marks.get(name, ""), profile.source))
    rows.append((BY_DATE, "", "", "the profile in force when the message was sent"))
    click.echo(aligned(rows))


@command.command()
@click.argument("profile", shell_complete=profiles)
def show(profile: str) -> None:
    """Show the rules of PROFILE; the first that matches decides.

    PROFILE is a name that poolsift rules lists, or a TOML file of your own.
    """
    from poolsift.rules import BY_DATE, Profile, select

    if profile != BY_DATE:
        click.echo(_text(Profile.load(profile)))
        return
    from poolsift.tables import shipped_table

    periods = shipped_table("timeline")["period"]
    rows = [("from (UTC)", "profile")]
    rows += [(str(period.get("since", "the beginning")), period["profile"]) for period in periods]
    selection = select(BY_DATE)
    rows.append(("no time", selection.profiles[selection.timeless].name))
    click.echo(aligned(rows))


def _text(profile: Profile) -> str:
    rows = [("rule", "when", "pool", "date", "source")]
    for rule in profile.rules:
        when = ", ".join(f"{fact.value} = {value.word}" for fact, value in rule.when) or "otherwise"
        rows.append((rule.name, when, rule.pool.value, str(rule.date or ""), rule.source))
    return f"{profile.name}  {profile.date or ''}  {profile.source}\n\n{aligned(rows)}"
