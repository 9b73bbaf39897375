"""``poolsift classify``: the main job."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.completing import PATH, profiles
from poolsift.cli.dns_options import cache_options, cache_path, resolver_options, servers
from poolsift.cli.printing import print_json
from poolsift.errors import UsageError
from poolsift.readers import FORMATS
from poolsift.writers import ENDINGS
from poolsift.writers.columns import COLUMN_SETS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

_SIZE: Final = re.compile(r"(\d+)\s*([kmgt]?)(i?b)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """A size such as ``512M``, ``2G`` or ``2GiB`` in bytes; powers of 1024."""
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size such as 512M or 2G", ctx, param)
    return int(match[1]) << (10 * _POWERS[match[2].lower()])


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=PATH)
@click.option("-o", "--output", default="-", metavar="DIR|FILE|-", type=PATH,
              help="Where verdicts go, in place of an earlier output there; - (default) is stdout.")  # fmt: skip
@click.option("--tenant", metavar="FILE", type=PATH,
              help="Tenant file: accepted domains, gateways (poolsift tenant init).")  # fmt: skip
@click.option("--learn-accepted", is_flag=True, help="Learn accepted domains from the inputs instead of a tenant file.")
@click.option("--rules", default="2023-11", metavar="PROFILE|by-date|FILE", show_default=True,
              shell_complete=profiles, help="Rule profile (poolsift rules lists them).")  # fmt: skip
@click.option("--compare-rules", multiple=True, metavar="PROFILE", shell_complete=profiles,
              help="Add a column with the pool under another profile.")  # fmt: skip
@click.option("--assume", metavar="FACT=yes|no,...",
              help="What is assumed of facts not recorded; none: nothing.  "
              "[default: blocked=no,spam=no, without DNS also domain_resolves=yes]")  # fmt: skip
@click.option("--overlay", metavar="FILE", type=PATH,
              help="Changes that are taken for made, one a line, whatever the log says.")  # fmt: skip
@click.option("--dns", type=click.Choice(["off", "live"]),
              help="live: ask while reading; off (default): sender domains are assumed to resolve.")  # fmt: skip
@click.option("--snapshot", metavar="FILE", type=PATH,
              help="DNS answers gathered beforehand (poolsift resolve); nothing is asked.")  # fmt: skip
@resolver_options
@cache_options
@click.option("--offline", is_flag=True, help="Open no socket: neither live DNS nor URLs.")
@click.option("--require-dns", is_flag=True, help="Publish nothing while a sender domain is unknown (exit 7).")
@click.option("--format", "format_", metavar="NAME", help=f"Format of all inputs: {', '.join(FORMATS)}.")
@click.option("--columns", type=click.Choice(COLUMN_SETS), default="key", show_default=True, help="Output columns.")
@click.option("--to", type=click.Choice(tuple(ENDINGS)),
              help="Output format; else by the ending of FILE, else parquet (stdout: ndjson).")  # fmt: skip
@click.option("--raw-csv", is_flag=True, help="CSV without protection against spreadsheet formulas.")
@click.option("--rejects", metavar="FILE", type=PATH,
              help="Where rejected rows go (default: beside the output; with stdout nowhere).")  # fmt: skip
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="More rejected rows end the run (exit 4).")
@click.option("--allow-rejects", is_flag=True, help="Rejected rows do not change the exit code (else 3).")
@click.option("--allow-truncated", is_flag=True, help="Keep what damaged inputs gave (else left out, exit 5).")
@click.option("--allow-duplicates", is_flag=True, help="A file that is named twice is read twice.")
@click.option("--fold", type=click.Choice(["auto", "on", "off"]), default="auto", show_default=True,
              help="Make one record of the rows of one message and recipient.")  # fmt: skip
@click.option("--ignore", multiple=True, metavar="COLUMN", help="A record column that counts as not recorded.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, metavar="N",
              help="Worker threads.")  # fmt: skip
@click.option("--memory", callback=size, default="1G", show_default=True, metavar="SIZE", help="Memory ceiling.")
@click.option("--max-ratio", type=click.IntRange(min=1), default=500, show_default=True, metavar="N",
              help="Bytes that one compressed byte may become.")  # fmt: skip
@click.option("--max-plain-bytes", callback=size, default="1T", show_default=True, metavar="SIZE",
              help="Bytes that one compressed input may become.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The summary as one JSON object on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="No summary, no progress.")
def command(
    inputs: tuple[str, ...],
    output: str,
    tenant: str | None,
    assume: str | None,
    overlay: str | None,
    dns: str | None,
    snapshot: str | None,
    resolvers: tuple[str, ...],
    rate: float,
    timeout: float,
    cache: str | None,
    max_stale: float,
    offline: bool,
    format_: str | None,
    compare_rules: tuple[str, ...],
    ignore: tuple[str, ...],
    max_ratio: int,
    max_plain_bytes: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Say which delivery pool each message of the INPUTs belongs to.

    Inputs are files, globs, directories, URLs (s3:// abfs:// gs://) or - for standard input; .gz and .zst are
    unpacked, formats recognised.
    """
    if as_json and output == "-":
        raise UsageError("stdout cannot hold both verdicts and summary", key="--json", expected="-o DIR or -o FILE")
    if dns is not None and snapshot is not None:
        raise UsageError("one of the two has no effect", key=f"--dns {dns}", found="--snapshot")
    if dns != "live" and (resolvers or cache is not None):
        raise UsageError("has no effect", key="--resolver" if resolvers else "--cache", expected="--dns live too")
    if offline:
        _refuse_network(inputs, dns)
    if options["learn_accepted"] and tenant is not None:
        raise UsageError("takes the place of a tenant file", key="--learn-accepted", found="--tenant too")
    from poolsift.analysis.escaping import shown
    from poolsift.engines.local import classify_files
    from poolsift.overlay import Overlay
    from poolsift.readers.source import SourceLimits
    from poolsift.rules import parse_assume
    from poolsift.tenant import Tenant

    live = None
    if dns == "live":
        kept = cache_path(cache)
        _refuse_cache(kept, inputs, (tenant, options["rules"], overlay), output, options["rejects"])
        live = _live(resolvers, quiet, cache=kept, max_stale=max_stale, rate=rate, timeout=timeout)
    with _answers(live, snapshot) as answers, progress_bar(quiet) as progress:
        result = classify_files(
            inputs,
            output,
            tenant=None if tenant is None else Tenant.load(tenant),
            dns=answers,
            assume=None if assume is None else parse_assume(assume),
            overlay=None if overlay is None else Overlay.load(overlay),
            compare=compare_rules,
            format=format_,
            ignore=[name for entry in ignore for name in entry.split(",")],
            limits=SourceLimits(ratio=max_ratio, plain_bytes=max_plain_bytes),
            progress=progress,
            **options,
        )
    for warning in () if live is None else live.warnings:
        print(f"warning: {shown(warning, limit=2_000)}", file=sys.stderr)
    _report(result, as_json, quiet)
    if not quiet and output != "-":
        print(_where(result, output, options["rejects"]), file=sys.stderr)
        print("".join(f"{line}\n" for line in _hints(result, output, tenant, options)), end="", file=sys.stderr)
    return result.exit_code


def _refuse_network(inputs: tuple[str, ...], dns: str | None) -> None:
    """What would open a socket, refused before any work."""
    from poolsift.readers.inputs import is_remote

    if dns == "live":
        raise UsageError("asks the network", key="--offline", found="--dns live", expected="--snapshot FILE")
    for name in inputs:
        if is_remote(name):
            raise UsageError("asks the network", key="--offline", found=name, expected="files")


def _refuse_cache(
    cache: str | None, inputs: tuple[str, ...], others: tuple[str | None, ...], output: str, rejects: str | None
) -> None:
    """A file of the run must not be taken for a cache, before it is opened as one."""
    from poolsift.engines.places import check_cache
    from poolsift.readers.inputs import expand_inputs, is_remote

    local = [name for name in inputs if not is_remote(name)]
    sources = expand_inputs(local, allow_duplicates=True) if local else []
    check_cache(cache, [*(source.path for source in sources), *others], output, rejects)


def _live(asked: tuple[str, ...], quiet: bool, **options: Any) -> Any:
    from poolsift.engines.live_dns import LiveDns

    return LiveDns([str(server) for server in servers(asked, quiet=quiet)], **options)


def _answers(live: Any, snapshot: str | None) -> AbstractContextManager[Any]:
    """Where DNS answers come from: live, a snapshot, or nowhere."""
    if live is not None:
        return live  # type: ignore[no-any-return]
    if snapshot is None:
        return nullcontext()
    from poolsift.dns.snapshot import Snapshot

    return nullcontext(Snapshot.open(snapshot))


def _where(result: Any, output: str, rejects: str | None) -> str:
    """The last line: where the results are, and the rejected rows."""
    from poolsift.analysis.escaping import shown

    if not result.manifest:
        return "\nnothing was published"
    names = [part["name"] for part in result.manifest["outputs"]]
    held = f"{names[0]} … {names[-1]}" if len(names) > 1 else "".join(names)
    rejected = result.manifest["rejects"]
    rest = f"; rejected rows: {shown(rejects or rejected['name'])}" if rejected else ""
    return f"\nresults: {shown(output)} ({held}{rest})"


def _hints(result: Any, output: str, tenant: str | None, options: dict[str, Any]) -> list[str]:
    """What-if commands worth trying on this output, with a title; none where its rows cannot be read again."""
    from poolsift.analysis.summary_hints import whatif_hints
    from poolsift.tenant import Tenant

    if not result.manifest or options["columns"] == "verdict":
        return []
    hints = whatif_hints(result.summary, output, None if tenant is None else Tenant.load(tenant))
    return ["to see what a change would move:", *hints] if hints else []


def _report(result: Any, as_json: bool, quiet: bool) -> None:
    from poolsift.analysis.escaping import shown
    from poolsift.analysis.summary_text import print_on_terminal, summary_lines

    for failure in result.failures:
        print(f"poolsift: {shown(str(failure), limit=2_000)}", file=sys.stderr)
    if as_json:
        print_json(result.summary)
    if quiet:
        return
    if sys.stderr.isatty():
        print_on_terminal(result.summary)
    else:
        print("\n".join(summary_lines(result.summary)), file=sys.stderr)


def progress_bar(quiet: bool) -> AbstractContextManager[Callable[[int, int | None, str], None] | None]:
    """A progress bar by compressed bytes on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        return nullcontext()
    from poolsift.cli.progress import ProgressBar

    return ProgressBar()
