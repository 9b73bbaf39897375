"""``poolsift blocklist``: which outbound addresses of a finished output the DNS blocklists named list."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.completing import PATH
from poolsift.cli.dns_options import resolver_options, servers
from poolsift.cli.printing import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS: Final = {
    "not_recorded": "no outbound address recorded",
    "unreadable": "outbound address cannot be read",
    "unroutable": "private, loopback or other address that is not routed",
}


@click.command()
@click.argument("out", metavar="OUT", type=PATH)
@click.option("--zone", "zones", multiple=True, required=True, metavar="ZONE",
              help="A blocklist to ask; may be repeated. None is built in.")  # fmt: skip
@resolver_options
@click.option("--require-dns", is_flag=True, help="Unknown answers end the run, nothing is written (exit 7).")
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No table, no remarks but warnings.")
def command(
    out: str,
    zones: tuple[str, ...],
    resolvers: tuple[str, ...],
    rate: float,
    timeout: float,
    require_dns: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Ask each ZONE about the distinct outbound addresses of OUT, an output of classify --columns all.

    What they say goes to blocklists.parquet in OUT, or beside it where OUT is a file; the verdicts stay as they are.
    Ask only blocklists whose terms of use allow it, and through a resolver of your own: most refuse public ones.
    """
    from poolsift.dns.blocklist import blocklist_zone
    from poolsift.engines.blocklists import check_blocklists

    names = list(dict.fromkeys(blocklist_zone(text) for entry in zones for text in entry.split(",")))
    asked = servers(resolvers, quiet=quiet)
    summary, warnings, path = check_blocklists(out, names, asked, rate=rate, timeout=timeout, require_dns=require_dns)
    for line in (*warnings, *_warnings(summary)):
        print(f"warning: {line}", file=sys.stderr)
    if as_json:
        print_json(summary)
    elif not quiet:
        click.echo("\n".join(table_lines(summary)))
    if not quiet:
        print("\n".join((*_remarks(summary), f"{path} written")), file=sys.stderr)


def table_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """Zone by observed pool: how many addresses, how many of them listed, of how many that is unknown."""
    from poolsift.cli.columns import aligned

    rows = [("zone", "pool", "addresses", "listed", "unknown")]
    rows += [
        (entry["zone"], pool, f"{counts['addresses']:,}", f"{counts['listed']:,}", f"{counts['unknown']:,}")
        for entry in summary["zones"]
        for pool, counts in entry["pools"].items()
    ]
    yield aligned(rows) if summary["addresses"] else "no outbound address to ask about"


def _warnings(summary: Mapping[str, Any]) -> Iterator[str]:
    for entry in summary["zones"]:
        if entry["problem"] is not None:
            yield f"zone {entry['zone']} does not work as a blocklist: {entry['problem']}; its answers are unknown"
        elif entry["unknown"].get("refused_by_zone"):
            yield (
                f"zone {entry['zone']} refuses to answer this resolver (127.255.255.0/24) or is asked too much: "
                "see its terms of use"
            )


def _remarks(summary: Mapping[str, Any]) -> Iterator[str]:
    """What the table does not show: records without an address to ask about, and why answers are unknown."""
    yield f"{summary['records']:,} records, {summary['addresses']:,} outbound addresses asked about"
    for reason, records in summary["left_out"].items():
        yield f"  left out, {_WORDS[reason]}: {records:,} records"
    for entry in summary["zones"]:
        for reason, addresses in entry["unknown"].items():
            yield f"  {entry['zone']}: unknown, {reason.replace('_', ' ')}: {addresses:,} addresses"
