"""The formats that poolsift reads, each loaded when first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poolsift.readers.base import Format

#: Format name → module and attribute. Detection asks in this order: a vendor format before the
#: canonical form that has the same syntax.
_HOMES: Final = {
    "parquet": ("poolsift.readers.canonical_arrow", "PARQUET"),
    "arrow": ("poolsift.readers.canonical_arrow", "ARROW"),
    "emailevents": ("poolsift.readers.emailevents", "FORMAT"),
    "extended": ("poolsift.readers.extended", "FORMAT"),
    "summary": ("poolsift.readers.summary_trace", "FORMAT"),
    "headers": ("poolsift.readers.headers", "FORMAT"),
    "ndjson": ("poolsift.readers.canonical_ndjson", "FORMAT"),
    "csv": ("poolsift.readers.canonical_csv", "FORMAT"),
}

#: The names of all formats, in the order in which detection tries them.
FORMATS: Final = tuple(_HOMES)


def load_format(name: str) -> Format:
    """The format of that name; KeyError when there is none."""
    module, attribute = _HOMES[name]
    found: Format = getattr(import_module(module), attribute)
    return found


def iter_formats() -> Iterator[Format]:
    """All formats, in the order in which detection tries them."""
    return (load_format(name) for name in FORMATS)


def formats_by_name() -> dict[str, Format]:
    """All formats by name."""
    return {name: load_format(name) for name in FORMATS}
