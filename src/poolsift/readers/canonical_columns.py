"""The canonical form as text (CSV, NDJSON): which conversion each record column takes."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from poolsift.readers.conversions import BadValue, boolean, int32, text, timestamp, word
from poolsift.records import CANONICAL_TYPES, RECORD_COLUMNS, RECORD_TYPES, TIMESTAMP, VOCABULARIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from poolsift.readers.base import Row
    from poolsift.readers.conversions import Conversion, Value
    from poolsift.readers.rejects import FileReport

_BY_TYPE: Final = {TIMESTAMP: timestamp, "string": text, "int32": int32, "bool": boolean}
_WORDS: Final = frozenset((*VOCABULARIES, "dmarc"))

#: How alike two names must be (difflib) for one to be a slip of the other: ``mailfrom`` is one of ``mail_from``.
_ALMOST: Final = 0.85
#: How many canonical names a header or object without ``mail_from`` must have.
_LEAST_COLUMNS: Final = 2
#: Names that vendor formats do not share; one of them must be there.
_TELLING: Final = frozenset(CANONICAL_TYPES) & {
    "mail_from", "header_from", "outbound_ip_pool_name", "outbound_host", "outbound_ip", "kind", "spf", "dkim",
}  # fmt: skip


def _conversion(name: str) -> Conversion:
    conversion: Conversion = word if name in _WORDS else _BY_TYPE[RECORD_TYPES[name]]
    return conversion


#: Column → conversion.
CONVERSIONS: Final = {name: _conversion(name) for name in RECORD_COLUMNS}


def looks_canonical(names: Iterable[str]) -> bool:
    """Whether these column names are those of the canonical form."""
    held = set(names)
    return "mail_from" in held or (len(held & set(CANONICAL_TYPES)) >= _LEAST_COLUMNS and bool(held & _TELLING))


def note_misspelt(names: Iterable[str], report: FileReport) -> None:
    """A note on each column that is not read but is spelled almost like a record column."""
    missing = set(CANONICAL_TYPES) - set(names)
    for name in names:
        close = get_close_matches(name.casefold(), missing, n=1, cutoff=_ALMOST)
        if name not in RECORD_TYPES and close:
            report.note(f"column {name!r} is not read; the record column is {close[0]!r}")


def records(
    rows: Iterable[tuple[Row, Mapping[str, object], Mapping[str, str | None]]], report: FileReport
) -> Iterator[tuple[Row, dict[str, Value]]]:
    """Each row with its record and its extra columns; rows with a bad value are rejected."""
    for place, values, extra in rows:
        record: dict[str, Value] = {}
        name = ""
        try:
            for name, found in values.items():
                convert = CONVERSIONS.get(name)
                if found is not None and convert is not None:
                    record[name] = convert(found)
        except BadValue as bad:
            report.reject(
                row=place.row,
                line=place.line,
                byte_offset=place.offset,
                field=name,
                code=bad.code,
                message=str(bad),
                raw=place.raw,
            )
            continue
        if extra:
            record.update(extra)
        yield place, record
