"""``poolsift doctor``: versions, processor, tables, disk; exit 1 when something should be changed."""

from __future__ import annotations

import itertools
import platform
import shutil
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from typing import Final

import click

from poolsift.cli.columns import aligned

#: Older c-ares can be crashed by its peers (fixed in 1.34.9, 2026-10-19).
_LEAST_C_ARES: Final = (1, 34, 9)
_OLD_LIST: Final = timedelta(days=365)
_LEAST_DISK: Final = 10 << 30
_PACKAGES: Final = (
    "aiodns", "pycares", "dnspython", "pyspf", "orjson", "pyarrow", "click", "rich", "msgspec", "idna",
    "publicsuffixlist", "isal",
)  # fmt: skip


@click.command()
def command() -> int:
    """What is installed and how old the tables are.

    Exit code 1, with a warning each, when something should be changed.
    """
    warnings: list[str] = []
    rows = [*_versions(warnings), *_kernel(warnings), *_tables(), _suffixes(warnings), _disk(warnings)]
    click.echo(aligned(rows))
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 1 if warnings else 0


def _versions(warnings: list[str]) -> list[tuple[str, str]]:
    import pycares

    from poolsift import __version__

    rows = [("poolsift", __version__), ("python", platform.python_version())]
    for package in _PACKAGES:
        try:
            rows.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            rows.append((package, "missing"))
            warnings.append(f"{package} is not installed")
    c_ares = pycares.ARES_VERSION
    rows.append(("c-ares", c_ares))
    if tuple(int(part) for part in c_ares.split(".")[:3] if part.isdigit()) < _LEAST_C_ARES:
        least = ".".join(map(str, _LEAST_C_ARES))
        warnings.append(f"c-ares {c_ares} has known holes; {least} or newer is needed (pip install -U pycares)")
    return rows


def _kernel(warnings: list[str]) -> list[tuple[str, str]]:
    try:
        from poolsift._native import core
    except ImportError as error:
        warnings.append(f"the native core cannot be loaded: {error}")
        return [("native core", "missing")]
    return [("native core", core.isa())]


def _tables() -> list[tuple[str, str]]:
    from poolsift.engines.manifest import table_dates

    return [(f"table {name}", date) for name, date in table_dates().items()]


def _suffixes(warnings: list[str]) -> tuple[str, str]:
    """The date inside the bundled public suffix list; that of its file is only when it was installed."""
    import publicsuffixlist

    with open(publicsuffixlist.PSLFILE, encoding="utf-8") as text:
        line = next((line for line in itertools.islice(text, 50) if line.startswith("// VERSION: ")), "")
    written = line.removeprefix("// VERSION: ")[:10]
    try:
        dated = date.fromisoformat(written)
    except ValueError:
        warnings.append("the public suffix list does not say its date")
        return "public suffixes", "date unknown"
    if datetime.now(UTC).date() - dated > _OLD_LIST:
        warnings.append("the public suffix list is older than a year (pip install -U publicsuffixlist)")
    return "public suffixes", written


def _disk(warnings: list[str]) -> tuple[str, str]:
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free
    if free < _LEAST_DISK:
        warnings.append(f"{place} has {free >> 20:,} MiB free; folding large archives needs more (TMPDIR moves it)")
    return "temporary files", f"{place}, {free >> 30:,} GiB free"
