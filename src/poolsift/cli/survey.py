"""``poolsift survey``: which names an archive has to ask the DNS about."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.classify import progress_bar, size
from poolsift.cli.completing import PATH
from poolsift.cli.printing import print_json
from poolsift.errors import UsageError
from poolsift.readers import FORMATS
from poolsift.writers import ENDINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORDS: Final = {"domain": "sender domains", "spf": "SPF tuples"}


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=PATH)
@click.option("-o", "--output", default="-", metavar="DIR|FILE|-", type=PATH,
              help="Where the names go, in place of an earlier output there; - (default) is stdout.")  # fmt: skip
@click.option("--tenant", metavar="FILE", type=PATH,
              help="Tenant file: behind its gateways SPF is about the address before them.")  # fmt: skip
@click.option("--to", type=click.Choice(tuple(ENDINGS)),
              help="Output format; else by the ending of FILE, else parquet (stdout: ndjson).")  # fmt: skip
@click.option("--format", "format_", metavar="NAME", help=f"Format of all inputs: {', '.join(FORMATS)}.")
@click.option("--rejects", metavar="FILE", type=PATH,
              help="Where rejected rows go (default: beside the output; with stdout nowhere).")  # fmt: skip
@click.option("--max-rejects", type=click.IntRange(min=0), metavar="N", help="More rejected rows end the run (exit 4).")
@click.option("--allow-rejects", is_flag=True, help="Rejected rows do not change the exit code (else 3).")
@click.option("--allow-truncated", is_flag=True, help="Keep what damaged inputs gave (else left out, exit 5).")
@click.option("--allow-duplicates", is_flag=True, help="A file that is named twice is read twice.")
@click.option("--ignore", multiple=True, metavar="COLUMN", help="A record column that counts as not recorded.")
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
    format_: str | None,
    ignore: tuple[str, ...],
    max_ratio: int,
    max_plain_bytes: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """List the distinct sender domains and SPF tuples of the INPUTs, for poolsift resolve.

    Rows are read as by classify, but not folded: an archive in several formats may have some more names here than
    records that need them. Names that nobody can be asked about are left out and counted.
    """
    if as_json and output == "-":
        raise UsageError("stdout cannot hold both names and summary", key="--json", expected="-o DIR or -o FILE")
    from poolsift.analysis.escaping import shown
    from poolsift.engines.survey import survey_files
    from poolsift.readers.source import SourceLimits
    from poolsift.tenant import Tenant

    with progress_bar(quiet) as progress:
        result = survey_files(
            inputs,
            output,
            tenant=None if tenant is None else Tenant.load(tenant),
            format=format_,
            ignore=[name for entry in ignore for name in entry.split(",")],
            limits=SourceLimits(ratio=max_ratio, plain_bytes=max_plain_bytes),
            progress=progress,
            **options,
        )
    for failure in result.failures:
        print(f"poolsift: {shown(str(failure), limit=2_000)}", file=sys.stderr)
    if as_json:
        print_json(result.summary)
    if not quiet:
        print("\n".join(summary_lines(result.summary, output)), file=sys.stderr)
    return result.exit_code


def summary_lines(summary: Mapping[str, Any], output: str) -> Iterator[str]:
    """The summary in plain text: what was found, what was left out and why, how the rows add up."""
    from poolsift.analysis.escaping import shown

    for kind, words in _WORDS.items():
        counts = summary[kind]
        yield f"{words}: {counts['found']:,}, named by {counts['records']:,} records"
        for reason, records in counts["left_out"].items():
            yield f"  left out, {reason.replace('_', ' ')}: {records:,} records"
    account = summary["accounting"]
    yield (
        f"rows in {account['rows_in']:,} = records {account['records']:,} + rejected {account['rejects']:,}; "
        "rows were not folded"
    )
    if output != "-":
        yield f"names: {shown(output)}; next: poolsift resolve {shown(output)} -o dns.arrow"
    for title in ("notes", "field_errors", "reject_codes"):
        for word, count in summary[title].items():
            # Summaries go to terminals, which addresses must not.
            yield f"  {title.replace('_', ' ')}: {'(holds an address)' if '@' in word else shown(word)} ({count:,})"
