"""Folding: the rows of one message and recipient become one record, and records borrow authentication.

Rows belong together when tenant, network message id (without dashes, else message id) and recipient agree,
whatever file or format they come from and however far apart they stand. The result depends on the rows
alone: not on their order, the number of files or the memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc

from poolsift.readers.partitions import PARTITIONS, PartitionedRows
from poolsift.records import RECORD_COLUMNS, VOCABULARIES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

#: What a record without SPF and DKIM takes from the inbound row of its message.
JOINED_COLUMNS: Final = ("spf", "dkim", "client_ip", "helo", "dkim_domain", "dmarc")

#: Columns that make one statement and are taken from one row, the last that has a status.
_STATUS_COLUMNS: Final = ("status", "status_code", "status_text")

#: Columns that say something of another column and come from its row.
_FOLLOWERS: Final = {"sender_from_trace": "mail_from"}

_PLACE: Final = ("input", "row", "rows")
_KEY: Final = "\0key"
_ORDER: Final = [("time", "ascending"), ("input", "ascending"), ("row", "ascending")]


def _lower(column: pa.Array) -> pa.Array:
    return pc.ascii_lower(column)


def recorded(name: str, column: pa.Array) -> pa.Array:
    """The column with what counts as not recorded made null: empty text and words outside the vocabulary."""
    if name in VOCABULARIES:
        known = pc.is_in(_lower(column), value_set=pa.array(VOCABULARIES[name]))
        return pc.if_else(known, column, pa.scalar(None, column.type))
    if pa.types.is_string(column.type) and name != "mail_from":
        return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    return column


def message_key(network_message_id: pa.Array, message_id: pa.Array) -> pa.Array:
    """What names the message of each row, null where nothing does."""
    network = _lower(pc.replace_substring(recorded("network_message_id", network_message_id), "-", ""))
    return pc.coalesce(
        pc.binary_join_element_wise("n:", network, ""),
        pc.binary_join_element_wise("m:", recorded("message_id", message_id), ""),
    )


def _second_key(table: pa.Table, tenant: pa.Array, alone: pa.Array) -> pa.Array:
    """Message id, reverse-path and tenant: what joins a record to the inbound row when the network id does not.

    Null where one of the first two is not recorded, and for rows that stand alone.
    """
    path = _lower(pc.utf8_trim(_flat(table["mail_from"]), " <>"))
    message_id = _flat(recorded("message_id", table["message_id"]))
    key = pc.binary_join_element_wise(message_id, path, pc.coalesce(tenant, pa.scalar("")), "\0")
    return pc.if_else(alone, pa.scalar(None, pa.string()), key)


def _partition_numbers(keys: pa.Array, rows: pa.Array) -> pa.Array:
    """The partition of each row: a checksum of its key, the row number where it has none."""
    encoded = _flat(keys).dictionary_encode()
    numbers = pa.array((crc32(key.encode()) % PARTITIONS for key in encoded.dictionary.to_pylist()), pa.uint8())
    by_row = pc.bit_wise_and(_flat(rows), pa.scalar(PARTITIONS - 1, pa.int64())).cast(pa.uint8())
    return pc.coalesce(numbers.take(encoded.indices), by_row)


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _dense(*columns: pa.Array) -> pa.Array:
    """A number for each row, equal where all columns are equal (null equals null), in order of appearance."""
    ids = pa.repeat(pa.scalar(0, pa.int64()), len(columns[0]))
    for column in columns:
        codes = _flat(column).dictionary_encode(null_encoding="encode")
        width = max(len(codes.dictionary), 1)
        mixed = pc.add(pc.multiply(ids, pa.scalar(width, pa.int64())), codes.indices.cast(pa.int64()))
        ids = mixed.dictionary_encode().indices.cast(pa.int64())
    return ids


def _per_group(groups: pa.Array, columns: dict[str, pa.Array], how: str) -> pa.Table:
    """One aggregate of every column per group; groups keep their order of appearance."""
    table = pa.table({"\0group": groups, **columns})
    answer = table.group_by("\0group", use_threads=False).aggregate([(name, how) for name in columns])
    return answer.rename_columns([name.removesuffix(f"_{how}") for name in answer.column_names])


def _looked_up(wanted: pa.Array, answers: pa.Table, name: str) -> pa.Array:
    """The answer of each wanted group, null where there is none."""
    places = pc.index_in(wanted, value_set=_flat(answers["\0group"]))
    return _flat(answers[name]).take(places)


class _Messages:
    """Which message each row of one partition belongs to: same key, same tenant (choice 32)."""

    def __init__(self, keys: pa.Array, tenant_ids: pa.Array) -> None:
        codes = _dense(keys)
        own = _lower(recorded("tenant_id", tenant_ids))
        named = _per_group(codes, {"tenant": _dense_or_null(own)}, "count_distinct")
        first = _per_group(codes, {"tenant": own}, "min")
        several = pc.greater(_looked_up(codes, named, "tenant"), 1)
        self.tenant = pc.coalesce(own, pc.if_else(several, None, _looked_up(codes, first, "tenant")))
        # Without an id, or without a tenant where several are named, a row is a message of its own.
        self.alone = pc.or_(pc.is_null(keys), pc.and_(pc.is_null(own), several))
        places = pa.array(range(len(keys)), pa.int64())
        self.ids = _dense(codes, self.tenant, pc.if_else(self.alone, places, -1))


def _dense_or_null(column: pa.Array) -> pa.Array:
    return _flat(column).dictionary_encode().indices


class Folder:
    """Takes batches with their ``input`` column in any order and gives back one record a message and recipient.

    ``memory`` (bytes) is what rows may hold before they go to files in a new directory of mode 0700
    inside ``spill_dir``. Use as a context manager, or call ``close``.
    """

    def __init__(self, spill_dir: str | Path | None = None, memory: int = 256 << 20) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix=".tmp-fold-", dir=spill_dir)
        where = Path(self._directory.name)
        self._rows = PartitionedRows(where, "rows", memory // 3)
        self._donors = PartitionedRows(where, "donors", memory // 12)
        self._waiting = PartitionedRows(where, "waiting", memory // 6)
        self._schema: pa.Schema | None = None
        self._has_donors = False
        self.rows_in = 0
        self.records_out = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folded(self) -> int:
        """Rows that went into a record that another row began; final after ``finish`` is exhausted."""
        return self.rows_in - self.records_out

    def close(self) -> None:
        """Remove every file."""
        for store in (self._rows, self._donors, self._waiting):
            store.close()
        self._directory.cleanup()

    def add(self, batch: pa.RecordBatch) -> None:
        """Set the rows of a batch aside; it has the record columns, ``row``, ``input`` and perhaps extra ones."""
        table = pa.Table.from_batches([batch])
        fields = [field for field in batch.schema if field.name != "rows"]
        schema = pa.schema(fields)
        self._schema = schema if self._schema is None else pa.unify_schemas([self._schema, schema])
        keys = message_key(batch.column("network_message_id"), batch.column("message_id"))
        self.rows_in += batch.num_rows
        table = table.select(schema.names).append_column(_KEY, keys)
        self._rows.add(table, _partition_numbers(keys, batch.column("row")))
        self._has_donors = self._has_donors or bool(pc.any(_is_donor(table)).as_py())

    def finish(self) -> Iterator[pa.RecordBatch]:
        """The records: by partition and inside by place; those that waited for the second join come last."""
        for numbers in self._rows.ranges():
            table = self._rows.rows_of(numbers)
            if table is not None:
                yield from self._emit(self._folded(table.sort_by(_ORDER).combine_chunks()))
        for numbers in self._waiting.ranges():
            table = self._waiting.rows_of(numbers)
            if table is not None:
                yield from self._emit(_joined_by_message_id(table, self._donors.rows_of(numbers)))

    def _folded(self, table: pa.Table) -> pa.Table:
        """The records of some partitions, without those that wait for the second join."""
        messages = _Messages(_flat(table[_KEY]), _flat(table["tenant_id"]))
        groups = _Groups(table, messages)
        columns = {name: table[name].take(groups.first(name)) for name in table.column_names if name != _KEY}
        records = _joined_by_network_id(pa.table({**columns, "rows": groups.rows}), table, messages, groups)
        if not self._has_donors:
            return records
        self._set_donors_aside(table, messages)
        keys = _second_key(records, messages.tenant.take(groups.begin), messages.alone.take(groups.begin))
        waits = pc.and_(_flat(_lacks_authentication(records)), pc.is_valid(keys))
        waiting = records.append_column(_KEY, keys).filter(waits)
        self._waiting.add(waiting, _partition_numbers(waiting[_KEY], waiting["row"]))
        return records.filter(pc.invert(waits))

    def _set_donors_aside(self, table: pa.Table, messages: _Messages) -> None:
        keys = _second_key(table, messages.tenant, messages.alone)
        donors = table.select([*JOINED_COLUMNS, "time", "input", "row"]).append_column(_KEY, keys)
        donors = donors.filter(pc.and_(_flat(_is_donor(table)), pc.is_valid(keys)))
        self._donors.add(donors, _partition_numbers(donors[_KEY], donors["row"]))

    def _emit(self, records: pa.Table) -> Iterator[pa.RecordBatch]:
        assert self._schema is not None
        self.records_out += records.num_rows
        names = [name for name in self._schema.names if name not in _PLACE]
        extra = [name for name in names if name not in RECORD_COLUMNS]
        columns = [*RECORD_COLUMNS, "row", *extra, "input", "rows"]
        schema = pa.schema([*self._schema, pa.field("rows", pa.int32())])
        arrays = [
            records[name] if name in records.column_names else pa.nulls(records.num_rows, schema.field(name).type)
            for name in columns
        ]
        table = pa.table(arrays, names=columns).sort_by([("input", "ascending"), ("row", "ascending")])
        yield from table.combine_chunks().to_batches(max_chunksize=65_536)


def _is_donor(table: pa.Table) -> pa.Array:
    """Inbound rows that recorded SPF or DKIM."""
    inbound = pc.fill_null(pc.equal(_lower(table["direction"]), "inbound"), False)
    return pc.and_(inbound, pc.invert(_lacks_authentication(table)))


def _lacks_authentication(table: pa.Table) -> pa.Array:
    return pc.and_(pc.is_null(recorded("spf", table["spf"])), pc.is_null(recorded("dkim", table["dkim"])))


class _Groups:
    """Which rows make which record, and for each column the row that its value comes from."""

    def __init__(self, table: pa.Table, messages: _Messages) -> None:
        places = pa.array(range(table.num_rows), pa.int64())
        recipient = _lower(_flat(recorded("recipient", table["recipient"])))
        named = _per_group(messages.ids, {"recipients": recipient}, "count")
        lends = pc.and_(pc.is_null(recipient), pc.greater(_looked_up(messages.ids, named, "recipients"), 0))
        own = pc.invert(lends)
        values = {
            name: pc.if_else(pc.is_valid(_flat(recorded(name, table[name]))), places, None)
            for name in RECORD_COLUMNS
            if name not in _FOLLOWERS
        }
        self._own_ids = _dense(messages.ids.filter(own), recipient.filter(own))
        own_places = places.filter(own)
        self.begin = _flat(_per_group(self._own_ids, {"place": own_places}, "min")["place"])
        self.rows = _per_group(self._own_ids, {"rows": own_places}, "count")["rows"].cast(pa.int32())
        self.message = messages.ids.take(self.begin)
        self._first = self._choose(values, own, lends, messages.ids, "min")
        self._last = self._choose({n: values[n] for n in _STATUS_COLUMNS}, own, lends, messages.ids, "max")
        tenants = _per_group(messages.ids, {"place": values["tenant_id"]}, "min")
        self._first["tenant_id"] = _looked_up(self.message, tenants, "place")

    def _choose(
        self, values: dict[str, pa.Array], own: pa.Array, lends: pa.Array, message_ids: pa.Array, how: str
    ) -> dict[str, pa.Array]:
        """For each column the first (``min``) or last (``max``) row that recorded it, own or lent."""
        mine = _per_group(self._own_ids, {name: array.filter(own) for name, array in values.items()}, how)
        chosen = {name: _flat(mine[name]) for name in values}
        if pc.any(lends).as_py():
            lent_ids = message_ids.filter(lends)
            lent = _per_group(lent_ids, {name: array.filter(lends) for name, array in values.items()}, how)
            better = pc.min_element_wise if how == "min" else pc.max_element_wise
            for name in values:
                chosen[name] = better(chosen[name], _looked_up(self.message, lent, name))
        return chosen

    def first(self, name: str) -> pa.Array:
        """The row that gives each record its value of a column, null where no row recorded one."""
        if name in _STATUS_COLUMNS:
            codes_only = pc.max_element_wise(self._last["status_code"], self._last["status_text"])
            return pc.coalesce(self._last["status"], codes_only)
        if name in _FOLLOWERS:
            return self._first[_FOLLOWERS[name]]
        return self._first.get(name, self.begin)


def _joined_by_network_id(records: pa.Table, table: pa.Table, messages: _Messages, groups: _Groups) -> pa.Table:
    by_network_id = pc.fill_null(pc.starts_with(_flat(table[_KEY]), "n:"), False)
    gives = pc.and_(_flat(_is_donor(table)), by_network_id)
    places = pa.array(range(table.num_rows), pa.int64())
    donors = _per_group(messages.ids.filter(gives), {"place": places.filter(gives)}, "min")
    wanted = pc.if_else(_flat(_lacks_authentication(records)), groups.message, None)
    return _with_joined(records, table, _looked_up(wanted, donors, "place"))


def _joined_by_message_id(waiting: pa.Table, donors: pa.Table | None) -> pa.Table:
    """Waiting records with the authentication of the first inbound row of the same message id and reverse-path."""
    if donors is None:
        return waiting.drop_columns([_KEY])
    donors = donors.sort_by(_ORDER).combine_chunks()
    ids = _dense(pa.chunked_array([*donors[_KEY].chunks, *waiting[_KEY].chunks]))
    places = pa.array(range(donors.num_rows), pa.int64())
    first = _per_group(ids.slice(0, donors.num_rows), {"place": places}, "min")
    found = _looked_up(ids.slice(donors.num_rows), first, "place")
    return _with_joined(waiting.drop_columns([_KEY]), donors, found)


def _with_joined(records: pa.Table, donors: pa.Table, places: pa.Array) -> pa.Table:
    """Records whose ``place`` is set take what the donor row recorded and say so in ``joined``."""
    takes = pc.is_valid(places)
    if not pc.any(takes).as_py():
        return records
    for name in JOINED_COLUMNS:
        taken = pc.coalesce(recorded(name, donors[name]).take(places), records[name])
        records = records.set_column(records.column_names.index(name), name, taken)
    joined = pc.if_else(takes, True, records["joined"])
    return records.set_column(records.column_names.index("joined"), "joined", joined)
