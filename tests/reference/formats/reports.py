"""Exchange's own reports in summary logs: no client, sender postmaster, a subject from the dated table."""

import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

#: The local part of Exchange's own reports.
EXCHANGE = "microsoftexchange329e71ec88ae4615bbc36ab6ce41109e"
TABLE = Path(find_spec("poolsift").origin).parent / "data" / "ndr_subjects.toml"


@cache
def prefixes() -> tuple[str, ...]:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return tuple(prefix.casefold() for entry in table["subject"] for prefix in entry["prefixes"])


def is_report(sender: str | None, subject: str | None, locals_: tuple[str, ...] = ("postmaster",)) -> bool:
    """Whether sender and subject are those of a non-delivery report."""
    if not sender or not subject:
        return False
    return sender.rpartition("@")[0].lower() in locals_ and subject.strip().casefold().startswith(prefixes())


def is_postmaster(sender: str | None) -> bool:
    return (sender or "").rpartition("@")[0].lower() == "postmaster"


def is_exchange(sender: str | None) -> bool:
    return (sender or "").rpartition("@")[0].lower() == EXCHANGE


def has_srs(sender: str | None) -> bool:
    """SRS in the forms of Microsoft 365 (`+SRS=`, case lost on the way) and of others (`SRS0=`, `SRS1=`)."""
    local = (sender or "").strip("<>").rpartition("@")[0].lower()
    return "+srs=" in local or local.startswith(("srs0=", "srs0+", "srs0-", "srs1=", "srs1+", "srs1-"))
