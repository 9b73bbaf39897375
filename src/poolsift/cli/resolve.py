"""``poolsift resolve``: asks the DNS about names once, and writes a snapshot for ``classify --snapshot``."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from poolsift.cli.classify import size
from poolsift.cli.completing import PATH
from poolsift.cli.dns_options import cache_options, cache_path, resolver_options, servers
from poolsift.cli.printing import print_json
from poolsift.errors import DnsIncompleteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAMES...", type=PATH)
@click.option("-o", "--output", required=True, metavar="FILE", type=PATH,
              help="The snapshot: Parquet by its ending, else Arrow.")  # fmt: skip
@click.option("--tenant", metavar="FILE", type=PATH, help="Also ask MX, A and mail hosts of its accepted domains.")
@click.option("--need", default="verdict", show_default=True, metavar="verdict|full",
              help="verdict: MX, and A only where there is no MX; full: both.")  # fmt: skip
@click.option("--spf/--no-spf", default=True,
              help="Also ask what SPF needs of the survey's tuples (default), or leave them aside.")  # fmt: skip
@resolver_options
@cache_options
@click.option("--attempts", type=click.IntRange(1, 10), default=3, show_default=True, metavar="N",
              help="How often a question is asked.")  # fmt: skip
@click.option("--concurrency", type=click.IntRange(1, 10_000), default=300, show_default=True, metavar="N",
              help="Names under way at once.")  # fmt: skip
@click.option("--zone-cap", type=click.IntRange(min=0), default=1_000, show_default=True, metavar="N",
              help="Names asked below one organizational domain; 0: no limit.")  # fmt: skip
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, metavar="N",
              help="Processes that ask, for a resolver of your own that bears more than one can.")  # fmt: skip
@click.option("--offline", is_flag=True, help="Open no socket: what the cache does not hold fresh is unknown.")
@click.option("--require-dns", is_flag=True, help="Write no snapshot while a name is unknown (exit 7).")
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="More rejected rows end the run (exit 4).")
@click.option("--allow-rejects", is_flag=True, help="Rejected rows do not change the exit code (else 3).")
@click.option("--allow-truncated", is_flag=True, help="Damaged inputs do not change the exit code (else 5).")
@click.option("--allow-duplicates", is_flag=True, help="A file that is named twice is read twice.")
@click.option("--max-ratio", type=click.IntRange(min=1), default=500, show_default=True, metavar="N",
              help="Bytes that one compressed byte may become.")  # fmt: skip
@click.option("--max-plain-bytes", callback=size, default="1T", show_default=True, metavar="SIZE",
              help="Bytes that one compressed input may become.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No summary, no progress.")
def command(
    names: tuple[str, ...],
    output: str,
    tenant: str | None,
    max_ratio: int,
    max_plain_bytes: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Ask the DNS about every name of the NAMES files once, and write a snapshot.

    NAMES are survey output, text with a name a line, CSV, NDJSON, Parquet, Arrow, or - for standard input.
    Answers are kept in the cache: a run that was ended goes on where it stopped.
    """
    from poolsift.analysis.escaping import shown
    from poolsift.engines.resolving import ResolveOptions, resolve_names
    from poolsift.readers.source import SourceLimits
    from poolsift.tenant import Tenant

    kept = {name: options.pop(name) for name in ("max_rejects", "allow_rejects", "allow_truncated", "allow_duplicates")}
    asked = [str(server) for server in servers(options.pop("resolvers"), quiet=quiet or options["offline"])]
    wanted = ResolveOptions(resolvers=asked, cache=cache_path(options.pop("cache")), **options)
    with _progress(quiet) as progress, _telling(wanted.cache, quiet):
        result = resolve_names(
            names,
            output,
            options=wanted,
            tenant=None if tenant is None else Tenant.load(tenant),
            limits=SourceLimits(ratio=max_ratio, plain_bytes=max_plain_bytes),
            progress=progress,
            **kept,
        )
    for failure in result.failures:
        print(f"poolsift: {shown(str(failure), limit=2_000)}", file=sys.stderr)
    for warning in result.warnings:
        print(f"warning: {shown(warning, limit=2_000)}", file=sys.stderr)
    if as_json:
        print_json(result.summary)
    if not quiet:
        print("\n".join(summary_lines(result.summary)), file=sys.stderr)
    return result.exit_code


def summary_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """The summary in plain text."""
    from poolsift.analysis.escaping import shown

    rows = summary["rows"]
    yield (
        f"rows in {rows['read']:,} = names {rows['names']:,} + SPF tuples {rows['spf']:,} "
        f"+ left aside {rows['other']:,} + rejected {rows['rejected']:,}; distinct names {summary['names']:,}"
    )
    if summary["resolvers"]:
        yield (
            f"asked {', '.join(summary['resolvers'])}: {summary['queries']:,} queries for {summary['asked']:,} names "
            f"in {summary['seconds']:,.1f} s "
            f"(confirmations {summary['confirmations']:,}, retries {summary['retries']:,})"
        )
    else:
        yield "asked nobody (offline)"
    kept = "none" if summary["cache"] is None else shown(summary["cache"])
    yield f"cache: {kept}; it knew {summary['from_cache']:,} names"
    yield f"  have A or MX       {summary['resolves']:,}"
    yield f"  neither A nor MX   {summary['neither']:,}"
    for word in ("unknown", "invalid"):
        for reason, count in summary[word].items():
            yield f"  {word}: {reason.replace('_', ' ')}  {count:,}"
    if summary["stale"]:
        yield f"{summary['stale']:,} answers of before stand in for failures (--max-stale)"
    if summary["accepted_domains"]:
        yield f"also {summary['accepted_domains']:,} accepted domains and their {summary['mail_hosts']:,} mail hosts"
    if summary["spf"] is not None:
        yield from _spf_lines(summary["spf"])
    where = f"; rejected rows: {shown(summary['rejects'])}" if summary["rejects"] else ""
    yield f"\nsnapshot: {shown(summary['snapshot'])}{where}"


def _spf_lines(spf: Mapping[str, Any]) -> Iterator[str]:
    from poolsift.analysis.escaping import shown

    share = spf["compiled"] / spf["domains"] if spf["domains"] else 0.0
    yield (
        f"SPF: {spf['tuples']:,} tuples of {spf['domains']:,} domains, {spf['compiled']:,} of them compiled "
        f"({share:.1%}); {spf['questions']:,} questions, {spf['from_cache']:,} of them known to the cache"
    )
    for reason, count in spf["not_compiled"].items():
        yield f"  evaluated message by message: {shown(reason)}  {count:,}"
    if spf["not_compiled_names"]:
        yield f"  among them {', '.join(map(shown, spf['not_compiled_names']))}"
    for reason, count in spf["unknown"].items():
        yield f"  unknown: {reason.replace('_', ' ')}  {count:,}"
    if spf["stale"]:
        yield f"  {spf['stale']:,} answers of before stand in for failures (--max-stale)"


@contextmanager
def _telling(cache: str | None, quiet: bool) -> Iterator[None]:
    """Whoever ends a run learns that it can go on; whose run comes to nothing learns what is known of why."""
    from poolsift.analysis.escaping import shown

    try:
        yield
    except DnsIncompleteError as error:
        for warning in error.warnings:
            print(f"warning: {shown(warning, limit=2_000)}", file=sys.stderr)
        raise
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        if cache is not None and not quiet:
            print(f"ended: what was learned is in {shown(cache)}; the same command goes on from there", file=sys.stderr)
        raise


def _progress(quiet: bool) -> AbstractContextManager[Callable[[int, int], None] | None]:
    """A progress bar by names on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return nullcontext()
    from poolsift.cli.progress import NamesBar

    return NamesBar()
