"""``poolsift whatif``: which change would take how many messages out of which pool."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from poolsift.cli.classify import size
from poolsift.cli.completing import PATH, profiles
from poolsift.cli.printing import print_json
from poolsift.errors import OverlayError, UsageError

if TYPE_CHECKING:
    from poolsift.analysis.whatif import WhatIf
    from poolsift.overlay import Change, Overlay

#: Options that are changes, in the order in which they are listed.
_CHANGES: Final = ("accept-domain", "publish-dns", "authorize", "enhanced-filtering", "sign-dkim", "rules")


@click.command()
@click.argument("out", metavar="OUT", type=PATH)
@click.option("--accept-domain", multiple=True, metavar="DOMAIN",
              help="It becomes an accepted domain; 'DOMAIN subdomains' with all below, 'DOMAIN tenant=NAME' where the "
              "tenant file has several.")  # fmt: skip
@click.option("--publish-dns", multiple=True, metavar="DOMAIN", help="It gets an A or MX record.")
@click.option("--authorize", multiple=True, metavar="ADDRESS=DOMAIN",
              help="The domain's SPF record lets the address or prefix pass.")  # fmt: skip
@click.option("--enhanced-filtering", multiple=True, metavar="GATEWAY",
              help="It is turned on for this gateway: SPF is judged by the source address.")  # fmt: skip
@click.option("--sign-dkim", multiple=True, metavar="DOMAIN", help="Mail from it is signed with DKIM by the domain.")
@click.option("--rules", metavar="PROFILE|by-date|FILE", shell_complete=profiles, help="Another rule profile decides.")
@click.option("--overlay", metavar="FILE", type=PATH, help="A file of such changes, one a line (as classify takes it).")
@click.option("--best", type=click.IntRange(min=1), metavar="N",
              help="Find the N single changes that move most messages to the normal pool.")  # fmt: skip
@click.option("--tenant", metavar="FILE", type=PATH, help="Tenant file instead of the one that the run used.")
@click.option("--snapshot", metavar="FILE", type=PATH,
              help="DNS snapshot instead of the one that the run used; asked for SPF of source addresses.")  # fmt: skip
@click.option("-o", "--output", metavar="FILE", type=PATH, help="All moves by sender domain as Parquet.")
@click.option("--save-overlay", metavar="FILE", type=PATH, help="The changes as a file for classify --overlay.")
@click.option("--threads", type=click.IntRange(1, 256), default=2, show_default=True, metavar="N",
              help="Worker threads.")  # fmt: skip
@click.option("--memory", callback=size, default="1G", show_default=True, metavar="SIZE",
              help="Memory for the tables by sender domain and address.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object on stdout instead of the table.")
@click.option("-q", "--quiet", is_flag=True, help="No remarks.")
def command(
    out: str,
    overlay: str | None,
    best: int | None,
    tenant: str | None,
    snapshot: str | None,
    output: str | None,
    save_overlay: str | None,
    threads: int,
    memory: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Count what changes would move in OUT (the -o of classify), each alone and all together; OUT stays as it is.

    The stored evidence is read again, not the archive. A message is one record of OUT.
    """
    changes = _changes(overlay, options)
    if not len(changes) and best is None:
        expected = f"one of {', '.join(f'--{word}' for word in _CHANGES)}, --overlay FILE or --best N"
        raise UsageError("nothing to look at", path=out, expected=expected)
    if save_overlay is not None and not len(changes):
        raise UsageError("no change to save", key="--save-overlay", expected="at least one change")
    _check_places(out, (overlay, tenant, snapshot, changes.rules), (("-o", output), ("--save-overlay", save_overlay)))
    from poolsift.analysis.whatif import what_if

    found = what_if(out, changes, tenant=tenant, snapshot=snapshot, best=best or 0, threads=threads, memory=memory)
    _write(found, changes, output, save_overlay)
    if as_json:
        print_json(found.as_dict())
    else:
        from poolsift.cli.whatif_table import table_lines

        click.echo("\n".join(table_lines(found)))
    if not quiet:
        _remark(found)


def _changes(path: str | None, options: dict[str, Any]) -> Overlay:
    """The changes of the overlay file, then those of the options. Raises OverlayError."""
    from poolsift.overlay import Overlay

    changes = list(Overlay.load(path)) if path is not None else []
    for word in _CHANGES:
        given = options[word.replace("-", "_")]
        for text in [given] if isinstance(given, str) else given or ():
            changes.append(_change(word, text))
    return Overlay(tuple(changes))


def _change(word: str, text: str) -> Change:
    """One option as a change; errors name the option instead of a line."""
    from poolsift.overlay import Overlay

    # The shell has already taken the quotes away that a name with spaces has in a file.
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    try:
        (change,) = Overlay.parse(f"{word} {quoted if word in _NAMES else text}", "")
    except (OverlayError, ValueError) as error:
        raise _named(error, word, text) from None
    return replace(change, line=None)


_NAMES: Final = frozenset({"enhanced-filtering", "rules"})


def _named(error: Exception, word: str, text: str) -> UsageError:
    if not isinstance(error, OverlayError):
        return UsageError("not one change", key=f"--{word}", found=repr(text), expected="one value")
    return UsageError(error.message, key=f"--{word}", found=error.found, expected=error.expected, nearest=error.nearest)


def _check_places(out: str, others: tuple[str | None, ...], written: tuple[tuple[str, str | None], ...]) -> None:
    """What is written may not replace what is or was read, nor lie among the parts of the output."""
    from poolsift.engines.finished import files_read
    from poolsift.readers.raw_files import quoted

    known = {os.path.realpath(path) for path in (out, *others, *files_read(out)) if path is not None}
    taken: list[str] = []
    for option, path in written:
        if path is None:
            continue
        place = os.path.realpath(path)
        inside = os.path.isdir(out) and os.path.dirname(place) == os.path.realpath(out)
        if place in known or place in taken or inside or place == os.path.realpath(f"{out}.manifest.json"):
            raise UsageError("would overwrite what is read", key=option, found=quoted(path), expected="another place")
        if os.path.isdir(path) or path in {"", "-"} or path.endswith("/"):
            raise UsageError("not a file name", key=option, found=quoted(path), expected="a file name")
        taken.append(place)


def _write(found: WhatIf, changes: Overlay, output: str | None, save_overlay: str | None) -> None:
    from poolsift.writers.durable import write_durably

    if save_overlay is not None:
        write_durably(Path(save_overlay), changes.text().encode())
    if output is not None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(found.table(), sink, compression="zstd", write_page_checksum=True)
        write_durably(Path(output), sink.getvalue())


def _remark(found: WhatIf) -> None:
    from poolsift.analysis.escaping import shown

    for text in found.remarks:
        print(f"note: {shown(text, limit=2_000)}", file=sys.stderr)
