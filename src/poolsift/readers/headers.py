"""The headers of received messages: mbox archives, single .eml files and bare header blocks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from poolsift.networks import load_networks
from poolsift.readers.base import Format
from poolsift.readers.header_blocks import MAX_BLOCK, HeaderBlock, header_blocks
from poolsift.readers.header_fields import FieldsError, parse_fields
from poolsift.readers.header_record import header_record
from poolsift.readers.rejects import RejectCode
from poolsift.records import RECORD_COLUMNS, record_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from poolsift.readers.base import ReadOptions
    from poolsift.readers.rejects import FileReport
    from poolsift.readers.source import Source

#: The extra column: the whole header block as it stands in the file.
HEADER_COLUMN = "header"

_MBOX_START = re.compile(rb"From [^\n]+\n>?[!-9;-~]+[ \t]*:")
_FIELD_START = re.compile(rb"[A-Za-z][A-Za-z0-9-]*[ \t]*:[ \t\r\n]")
_MAIL_FIELD = re.compile(
    rb"^(?:received|return-path|from|date|message-id|delivered-to|authentication-results|x-ms-[a-z-]+)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")


def sniff(head: bytes) -> bool:
    """True for an mbox file and for text that begins with mail header fields."""
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    if _MBOX_START.match(head):
        return True
    return _FIELD_START.match(head) is not None and _MAIL_FIELD.search(head) is not None


def read(
    source: Source, report: FileReport, options: ReadOptions, *, suffixes: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """One record a message; ``row`` is the number of the message in its file.

    ``suffixes`` are those of Microsoft 365's outbound hosts, the shipped ones if None.
    """
    known = tuple(load_networks().host_suffixes if suffixes is None else suffixes)
    batch = _Batch(options)
    for row, block in enumerate(header_blocks(source.blocks(options.block_bytes)), start=1):
        report.rows += 1
        record = _read_message(row, block, report, known)
        if record is None:
            continue
        batch.add(row, record, block.data)
        if batch.is_full:
            yield batch.take()
    if len(batch):
        yield batch.take()


def _read_message(row: int, block: HeaderBlock, report: FileReport, suffixes: Sequence[str]) -> dict[str, Any] | None:
    """The record of one message, or None after it was rejected."""
    try:
        if block.too_long:
            message = f"a header block of more than {MAX_BLOCK} bytes; at most {MAX_BLOCK} are read"
            raise FieldsError(RejectCode.ROW_LIMIT, message)
        fields = parse_fields(block.data)
        errors: list[str] = []
        if fields.odd_lines:
            errors.append(HEADER_COLUMN)
        record = header_record(fields, suffixes, errors.append)
        _check_text(record)
    except FieldsError as error:
        report.reject(
            row=row,
            line=block.line,
            byte_offset=block.byte_offset,
            field=error.field,
            code=error.code,
            message=error.message,
            raw=block.data,
        )
        return None
    for column in errors:
        report.field_error(column)
    return record


def _check_text(record: dict[str, Any]) -> None:
    """FieldsError for text that is not UTF-8 or holds control characters."""
    for column, value in record.items():
        if not isinstance(value, str):
            continue
        if _NOT_UTF8.search(value):
            raise FieldsError(RejectCode.UTF8, f"{column} is not UTF-8", column)
        if match := _CONTROL.search(value):
            message = f"{column} holds the control character {ord(match.group()):#04x}"
            raise FieldsError(RejectCode.CONTROL_CHARACTER, message, column)


class _Batch:
    """Records on their way into one Arrow batch."""

    def __init__(self, options: ReadOptions) -> None:
        self._options = options
        self._columns: list[list[Any]] = [[] for _ in RECORD_COLUMNS]
        self._rows: list[int] = []
        self._headers: list[str] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_full(self) -> bool:
        """True at the rows or the bytes that a batch may have."""
        return len(self._rows) >= self._options.batch_rows or self._bytes >= self._options.batch_bytes

    def add(self, row: int, record: dict[str, Any], block: bytes) -> None:
        """Keep one record; its header block only if extra columns are wanted."""
        for name, column in zip(RECORD_COLUMNS, self._columns, strict=True):
            column.append(record.get(name))
        self._rows.append(row)
        self._bytes += len(block)
        if self._options.extra:
            self._headers.append(block.decode("utf-8", "replace"))

    def take(self) -> pa.RecordBatch:
        """The batch; this object is empty afterwards."""
        import pyarrow as pa

        schema = record_schema().append(pa.field("row", pa.int64()))
        arrays = [pa.array(column, field.type) for column, field in zip(self._columns, schema, strict=False)]
        arrays.append(pa.array(self._rows, pa.int64()))
        if self._options.extra:
            schema = schema.append(pa.field(HEADER_COLUMN, pa.string()))
            arrays.append(pa.array(self._headers, pa.string()))
        self.__init__(self._options)  # type: ignore[misc]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


FORMAT = Format(
    name="headers",
    title="Headers of received messages (mbox, .eml, .hdr)",
    where="an archive of mail that left Microsoft 365, such as a mailbox or a list archive outside it",
    limits="no status; MAIL FROM only where nobody rewrote it; one record a message, for one recipient",
    predict=True,
    observe=True,
    folds=False,
    sniff=sniff,
    read=read,
)
