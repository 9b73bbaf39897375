"""Several rows of one message to its records, on lists of dicts (semantics section 1, choices 31 and 32)."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.reference.addresses import fold as fold_ascii
from tests.reference.evidence import WORDS

Row = dict[str, Any]

LATEST = datetime.max.replace(tzinfo=UTC)
JOINED = ("spf", "dkim", "dkim_domain", "dmarc", "client_ip", "helo")
STATUS = ("status", "status_code", "status_text")
NOT_A_COLUMN = ("input", "row", "rows")
INNER = ("tenant", "alone")


def recorded(row: Row, column: str) -> bool:
    """Choices 1 and 2: an empty string is a value in `mail_from` alone; a word must be of the vocabulary."""
    value = row.get(column)
    if column in WORDS and isinstance(value, str):
        return fold_ascii(value) in WORDS[column]
    return value is not None and (value != "" or column == "mail_from")


def in_time(rows: Iterable[Row]) -> list[Row]:
    """Rows by time, those without one last; ties by input and row."""
    return sorted(rows, key=lambda row: (row.get("time") or LATEST, row["input"], row["row"]))


def message_key(row: Row) -> Hashable | None:
    """The message a row belongs to, whatever its tenant; None where no id was recorded."""
    if recorded(row, "network_message_id"):
        return "network", fold_ascii(row["network_message_id"]).replace("-", "")
    return ("message", row["message_id"]) if recorded(row, "message_id") else None


def messages(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that are of one message and one tenant; a row that cannot be told stands alone.

    Rows get `tenant` (lower case, of their message) and `alone`, both for `join`.
    """
    by_key: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        key = message_key(row)
        by_key[("row", row["input"], row["row"]) if key is None else key].append(row)
    return [part for group in by_key.values() for part in by_tenant(group)]


def by_tenant(group: list[Row]) -> list[list[Row]]:
    """The rows of one message by tenant; those without one go to the only tenant named."""
    named = {fold_ascii(row["tenant_id"]) for row in group if recorded(row, "tenant_id")}
    parts: dict[Hashable, list[Row]] = defaultdict(list)
    for row in group:
        own = fold_ascii(row["tenant_id"]) if recorded(row, "tenant_id") else None
        row["alone"] = own is None and len(named) > 1
        row["tenant"] = own or (next(iter(named)) if len(named) == 1 else None)
        parts[(row["input"], row["row"]) if row["alone"] else row["tenant"]].append(row)
    return list(parts.values())


def fold(given: Sequence[Row]) -> list[Row]:
    """The records of the rows, each with `input`, `row` and `rows`, in no particular order."""
    rows = [dict(row) for row in given]
    records = [record for group in messages(rows) for record in records_of(group)]
    for record in records:
        join(record, rows)
    return [{name: value for name, value in record.items() if name not in INNER} for record in records]


def records_of(group: list[Row]) -> list[Row]:
    """One record a recipient; rows without a recipient lend to all of them."""
    by_recipient: dict[str | None, list[Row]] = defaultdict(list)
    for row in group:
        by_recipient[fold_ascii(row["recipient"]) if recorded(row, "recipient") else None].append(row)
    lenders = by_recipient.pop(None, [])
    if not by_recipient:
        return [merged(lenders, [])]
    return [merged(own, lenders) for own in by_recipient.values()]


def merged(own: list[Row], lenders: list[Row]) -> Row:
    """Each column from the first row that recorded it; the three status columns are one statement, the last one."""
    ordered = in_time([*own, *lenders])
    record: Row = {name: own[0][name] for name in INNER}
    for row in ordered:
        for column in row:
            if column not in NOT_A_COLUMN and column not in record and recorded(row, column):
                record[column] = row[column]
    stating = [row for row in ordered if recorded(row, "status")] or [
        row for row in ordered if recorded(row, "status_code") or recorded(row, "status_text")
    ]
    for row in stating[-1:]:
        record.update({column: row.get(column) for column in STATUS})
    if record["tenant"]:
        record.setdefault("tenant_id", record["tenant"])
    first = in_time(own)[0]
    return {**record, "input": first["input"], "row": first["row"], "rows": len(own)}


def join(record: Row, rows: Sequence[Row]) -> None:
    """Authentication from the inbound row of the same message where the record has none of its own."""
    if recorded(record, "spf") or recorded(record, "dkim"):
        return
    donors = [row for row in in_time(rows) if may_lend(row, record)]
    same_network = [row for row in donors if same(row, record, "network_message_id")]
    same_message = [row for row in donors if same(row, record, "message_id") and same(row, record, "mail_from")]
    for donor in (same_network or same_message)[:1]:
        record.update({column: donor[column] for column in JOINED if recorded(donor, column)})
        record["joined"] = True


def may_lend(row: Row, record: Row) -> bool:
    """An inbound row with a result, of the same tenant; what stands alone neither lends nor borrows."""
    inbound = fold_ascii(row.get("direction") or "") == "inbound"
    together = row["tenant"] == record["tenant"] and not row["alone"] and not record["alone"]
    return inbound and together and (recorded(row, "spf") or recorded(row, "dkim"))


def same(row: Row, record: Row, column: str) -> bool:
    """Both recorded and equal; ASCII case and dashes of a network id are ignored."""

    def plain(value: str) -> str:
        return fold_ascii(value).replace("-", "") if column == "network_message_id" else value

    return recorded(row, column) and recorded(record, column) and plain(row[column]) == plain(record[column])
