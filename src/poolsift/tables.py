"""The dated tables that ship with poolsift (``data/*.toml``), read once each."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time
from functools import cache
from importlib.resources import files
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = 1_000_000


@cache
def table_text(name: str) -> str:
    """The text of ``data/<name>.toml``."""
    return files("poolsift").joinpath("data", *f"{name}.toml".split("/")).read_text(encoding="utf-8")


@cache
def shipped_table(name: str) -> dict[str, Any]:
    """The shipped table ``data/<name>.toml``; treat it as read-only."""
    return tomllib.loads(table_text(name))


@cache
def ndr_subject_prefixes() -> tuple[str, ...]:
    """How the subjects of non-delivery reports begin, case-folded, longest first."""
    entries = shipped_table("ndr_subjects")["subject"]
    prefixes = {prefix.casefold() for entry in entries for prefix in entry["prefixes"]}
    return tuple(sorted(prefixes, key=lambda prefix: (-len(prefix), prefix)))


@cache
def special_use_names() -> tuple[str, ...]:
    """Names that never are in the public DNS, without leading dot."""
    return tuple(shipped_table("special_use")["names"])


def is_special_use(name: str) -> bool:
    """Whether a canonical name is special-use: one of the table's names, or below one."""
    if name.rpartition(".")[2] not in _special_tops():
        return False
    return any(name == special or name.endswith("." + special) for special in special_use_names())


@cache
def _special_tops() -> frozenset[str]:
    """The last labels of special-use names: nearly every name is settled by its own."""
    return frozenset(special.rpartition(".")[2] for special in special_use_names())


def microseconds(when: date | datetime | None) -> int | None:
    """Microseconds since 1970 of a UTC day's start or of an instant; naive means UTC."""
    if when is None:
        return None
    if not isinstance(when, datetime):
        when = datetime.combine(when, time(), UTC)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    elapsed = when - _EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * _MICROSECONDS + elapsed.microseconds
