"""Distinct findings over any number of inputs, counted in bounded memory and given back in order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from poolsift.engines.scratch import ScratchFile
from poolsift.engines.survey_findings import DOMAIN, SPF
from poolsift.writers.columns import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poolsift.engines.survey_findings import Finding

SCHEMA: Final = pa.schema(
    [
        pa.field("kind", pa.string()),
        pa.field("name", pa.string()),
        pa.field("client_ip", pa.string()),
        pa.field("helo", pa.string()),
        pa.field("records", pa.int64()),
    ],
    metadata=METADATA,
)
#: Rows of a batch. Fixed, so that the bytes of an output depend on the findings alone.
_BATCH_ROWS: Final = 1 << 16
#: What Python needs for one finding beside its characters.
_FINDING_BYTES: Final = 400

_COLUMNS: Final = "kind TEXT, name TEXT, client_ip TEXT, helo TEXT"
_KEY: Final = "kind, name, client_ip, helo"
_TABLES: Final = "".join(
    f"CREATE TABLE {table} ({_COLUMNS}, records INTEGER, PRIMARY KEY ({_KEY})) WITHOUT ROWID;"
    for table in ("whole", "current")
)
_ADD_UP: Final = f"ON CONFLICT ({_KEY}) DO UPDATE SET records = records + excluded.records"


class SurveyStore:
    """Findings of the input that is being read, kept apart from those of the inputs that were read to their end.

    An input that breaks off can so be left out without reading the others again. ``memory`` is in bytes.
    """

    def __init__(self, directory: str | None, memory: int) -> None:
        self._file = ScratchFile(directory, _TABLES, cache_bytes=memory // 2)
        self._pending: Counter[Finding] = Counter()
        self._room = memory // 2
        self._free = self._room
        self._spilled = False

    def add(self, named: Counter[Finding]) -> None:
        """Count findings of the current input."""
        for finding, records in named.items():
            if finding not in self._pending:
                self._free -= _FINDING_BYTES + len(finding.name) + len(finding.client_ip) + len(finding.helo)
            self._pending[finding] += records
            if self._free < 0:
                self._flush("current")
                self._spilled = True

    def keep(self) -> None:
        """The current input is whole: what it named belongs to the survey."""
        if self._spilled:
            self._flush("current")
            # WHERE keeps SQLite from taking ON for that of a join.
            self._file.run(f"INSERT INTO whole SELECT * FROM current WHERE true ORDER BY {_KEY} {_ADD_UP}")  # noqa: S608
        else:
            self._flush("whole")
        self.drop()

    def drop(self) -> None:
        """What the current input named is forgotten."""
        self._pending.clear()
        self._free = self._room
        if self._spilled:
            self._file.run("DELETE FROM current")
        self._spilled = False

    def totals(self) -> dict[str, tuple[int, int]]:
        """Kind → (findings, records that named them)."""
        found = dict.fromkeys((DOMAIN, SPF), (0, 0))
        for rows in self._file.read("SELECT kind, count(*), sum(records) FROM whole GROUP BY kind"):
            found.update((kind, (count, records)) for kind, count, records in rows)
        return found

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All findings by kind, name, client_ip and helo, in the order of their bytes; one empty batch if none."""
        nothing = True
        for rows in self._file.read(f"SELECT * FROM whole ORDER BY {_KEY}", rows=_BATCH_ROWS):  # noqa: S608
            nothing = False
            kind, name, client_ip, helo, records = zip(*rows, strict=True)
            columns = [kind, name, [one or None for one in client_ip], [one or None for one in helo], records]
            arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
            yield pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
        if nothing:
            yield pa.RecordBatch.from_pylist([], schema=SCHEMA)

    def close(self) -> None:
        """Give the space back; safe to call twice."""
        self._file.close()

    def _flush(self, table: str) -> None:
        # Sorted, so that each row meets pages its neighbours have brought in; texts compare faster than tuples.
        rows = ((*finding, self._pending[finding]) for finding in sorted(self._pending, key="\0".join))
        self._file.write(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?) {_ADD_UP}", rows)  # noqa: S608
        self._pending.clear()
        self._free = self._room
