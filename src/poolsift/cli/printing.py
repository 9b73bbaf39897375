"""What several commands print in the same form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def print_json(summary: Mapping[str, Any]) -> None:
    """A summary as one indented JSON object on standard output."""
    import orjson

    from poolsift.writers.destination import standard_output

    with standard_output() as out:
        out.write(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
