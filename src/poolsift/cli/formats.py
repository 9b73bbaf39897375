"""``poolsift formats``: what is read, where it comes from, what it can tell."""

from __future__ import annotations

import textwrap

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(as_json: bool) -> None:
    """Which log formats are read, and where an administrator gets them."""
    from poolsift.readers import iter_formats

    found = list(iter_formats())
    if as_json:
        import orjson

        words = ("name", "title", "where", "limits", "predict", "observe", "folds")
        entries = [{word: getattr(one, word) for word in words} for one in found]
        click.echo(orjson.dumps({"formats": entries}, option=orjson.OPT_INDENT_2).decode())
        return
    for one in found:
        can = [word for word, can in (("predict", one.predict), ("observe", one.observe)) if can]
        click.echo(f"{one.name}  {one.title}")
        _entry("can", " and ".join(can) + ("; several rows a message are folded" if one.folds else ""))
        _entry("where", one.where)
        _entry("limits", one.limits)
        click.echo("")


def _entry(word: str, text: str) -> None:
    lines = textwrap.wrap(text, width=88) or [""]
    click.echo(f"  {word:7} {lines[0]}")
    for line in lines[1:]:
        click.echo(f"          {line}")
