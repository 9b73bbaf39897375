"""The manifest: what went in, what came out, and everything that the result depends on."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa

import poolsift
from poolsift.tables import shipped_table
from poolsift.verdicts import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poolsift.engines.options import RunOptions
    from poolsift.writers.durable import Part

#: The dated tables that decide verdicts.
TABLES: Final = (
    "blocks",
    "host_names",
    "ndr_subjects",
    "pool_names",
    "prefixes",
    "senders",
    "sfp",
    "special_use",
    "timeline",
)


def build_manifest(
    *,
    started: datetime,
    inputs: Sequence[Mapping[str, object]],
    parts: Sequence[Part],
    rejects: Part | None,
    accounting: Mapping[str, int],
    options: RunOptions,
    to: str,
    verdicts: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest of a finished run. Two runs of the same work differ in ``run`` and ``versions`` only."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run": {"started": _instant(started), "finished": _instant(datetime.now(UTC))},
        "accounting": dict(accounting),
        "inputs": list(inputs),
        "outputs": [part._asdict() for part in parts],
        "rejects": None if rejects is None else rejects._asdict(),
        "verdicts": {**verdicts, "tenant_file_sha256": file_hash(verdicts.get("tenant_file"))},
        "options": _plain({**asdict(options), "to": to}),
        "tables": table_dates(),
        "versions": versions(),
    }


def table_dates() -> dict[str, str]:
    """The date of each shipped table."""
    return {name: str(shipped_table(name)["date"]) for name in TABLES}


def versions() -> dict[str, str]:
    """Versions of what computes the result."""
    return {
        "poolsift": poolsift.__version__,
        "python": platform.python_version(),
        "pyarrow": pa.__version__,
        "orjson": orjson.__version__,
    }


def _instant(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Options that JSON can hold, without those that the result does not depend on."""
    kept = {name: value for name, value in options.items() if name not in {"threads", "memory"}}
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in kept.items()}


def file_hash(path: object) -> str | None:
    """SHA-256 of a file in hex, None where there is no such file."""
    if not isinstance(path, str) or not Path(path).is_file():
        return None
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
