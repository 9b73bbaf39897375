"""``poolsift doctor``: versions, processor, tables, disk, resolvers; exit 1 when something should be changed."""

from __future__ import annotations

import itertools
import platform
import secrets
import shutil
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from typing import TYPE_CHECKING, Final

import click

from poolsift.cli.columns import aligned
from poolsift.cli.dns_options import number
from poolsift.errors import UsageError

if TYPE_CHECKING:
    from poolsift.dns.answers import Answer, Question
    from poolsift.dns.health import Health
    from poolsift.dns.servers import Server

#: Older c-ares can be crashed by its peers (fixed in 1.34.9, 2026-10-19).
_LEAST_C_ARES: Final = (1, 34, 9)
_OLD_LIST: Final = timedelta(days=365)
_LEAST_DISK: Final = 10 << 30
_PACKAGES: Final = (
    "aiodns", "pycares", "dnspython", "pyspf", "orjson", "pyarrow", "numpy", "click", "rich", "msgspec", "idna",
    "publicsuffixlist", "isal",
)  # fmt: skip


@click.command()
@click.option("--dns", is_flag=True, help="Ask each resolver a few questions; without it no packet is sent.")
@click.option("--resolver", "resolvers", multiple=True, metavar="ADDRESS[:PORT]",
              help="Resolver to look at (default: the system's).")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0.05, 60), callback=number, default=2.0, show_default=True,
              metavar="SECONDS", help="How long one query is waited for.")  # fmt: skip
def command(dns: bool, resolvers: tuple[str, ...], timeout: float) -> int:
    """What is installed, how old the tables are, which resolvers there are and whether they are fit for use.

    Exit code 1, with a warning each, when something should be changed.
    """
    warnings: list[str] = []
    servers = _servers(resolvers, dns, warnings)
    rows = [*_versions(warnings), *_kernel(warnings), *_tables(), _suffixes(warnings), _disk(warnings)]
    rows += [_looked_at(server, timeout, warnings) if dns else ("resolver", str(server)) for server in servers]
    click.echo(aligned(rows if servers else [*rows, ("resolver", "none")]))
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


def _servers(asked: tuple[str, ...], dns: bool, warnings: list[str]) -> list[Server]:
    """The resolvers named, else the system's; a system that names none is a defect where they are to be asked."""
    from poolsift.cli import dns_options

    try:
        return dns_options.servers(asked, quiet=True)
    except UsageError as error:
        if asked:
            raise
        if dns:
            warnings.append(str(error))
        return []


def _looked_at(server: Server, timeout: float, warnings: list[str]) -> tuple[str, str]:
    """What a resolver does: answers, speaks TCP, recurses, tells the truth about names that do not exist."""
    from poolsift.dns.answers import AnswerStatus, Question, Reason
    from poolsift.dns.health import look_at

    # Any word of a resolver about a name that nobody has registered is an answer.
    question = Question(f"{secrets.token_hex(12)}.com", "A")
    health = look_at(server, question, timeout)
    defects, findings = _roles(health), []
    if health.udp.is_answer:
        findings.append(f"answers in {health.udp.seconds * 1_000:.0f} ms")
        answer, lies = _asked_by_aiodns(server, question, timeout)
        if answer.reason == Reason.NXDOMAIN and not lies:
            findings.append("says which names do not exist")
        elif answer.status is AnswerStatus.UNKNOWN and answer.reason != Reason.HIJACKED:
            defects.append(f"gives aiodns no answer ({answer.reason})")
        warnings += lies
    if health.tcp.is_answer:
        findings.append(f"by TCP in {health.tcp.seconds * 1_000:.0f} ms")
    heard_of = health.udp if health.udp.is_answer else health.tcp
    if heard_of.is_answer:
        roles = {"recursive": heard_of.recursive, "authoritative": heard_of.authoritative}
        findings += [role for role, played in roles.items() if played]
    warnings += [f"resolver {server} {defect}" for defect in defects]
    return "resolver", ", ".join((str(server), *(findings or ["no answer"])))


def _roles(health: Health) -> list[str]:
    """What is wrong with the answers themselves."""
    udp, tcp = health
    if not udp.is_answer and not tcp.is_answer:
        return [f"does not answer ({udp.said})"]
    if not udp.is_answer:
        return [f"answers by TCP only (UDP: {udp.said})"]
    defects = []
    if not tcp.is_answer:
        defects.append(f"does not answer by TCP ({tcp.said}): long answers will be unknown")
    if not udp.recursive and not udp.authoritative:
        defects.append("neither recurses nor is authoritative: what it calls absent will be unknown")
    return defects


def _asked_by_aiodns(server: Server, question: Question, timeout: float) -> tuple[Answer, list[str]]:
    """What comes by the way that all names go, and the lies that its probe found."""
    from poolsift.engines.asking import LocalAsker

    with LocalAsker([server], timeout=timeout) as asker:
        return asker.resolve([question])[0], asker.warnings
