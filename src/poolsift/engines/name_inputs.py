"""Names from files, for the DNS to be asked about: canonical, refused where they are none, every row accounted for."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.dns.answers import Reason
from poolsift.dns.names import unaskable
from poolsift.domain_facts import canonical_domain, canonical_domains
from poolsift.engines.name_rows import NAMES, OTHER_KIND, TUPLE_COLUMNS, TUPLES, NameRow, name_rows
from poolsift.errors import InputError, LimitError, RejectLimitError
from poolsift.readers.inputs import expand_inputs
from poolsift.readers.rejects import FileReport, RejectCode
from poolsift.spf_inputs import effective_address
from poolsift.writers.publish import MANIFEST, REJECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from poolsift.readers.rejects import Reject
    from poolsift.readers.source import Source, SourceLimits

_BATCH_NAMES: Final = 8_192
#: More characters never make a name of 253 bytes with its trailing dot: A-labels are longer than what they stand for.
_MAX_NAME: Final = 254


class SpfTuple(NamedTuple):
    """What check_host() is asked about: a canonical name, a canonical address, a HELO name (empty: not recorded)."""

    name: str
    client_ip: str
    helo: str


class NameInputs:
    """Files, globs, directories, URLs or ``-``, read once; iterating gives canonical names in batches, some twice.

    Afterwards ``rows`` = ``names`` + ``tuples`` + ``other_rows`` (of another kind) + ``rejects``. ``tuple_sink`` takes
    the SPF tuples of a survey in batches; without it they are rows of another kind. ``sink`` takes each rejected row.
    Names that must not be asked are given like the others and counted by reason in ``unaskable``. An input that breaks
    off gives what it held and is listed in ``failures``: one name too many does no harm. Raises RejectLimitError;
    UsageError for names of files; the first InputError when every input broke off.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        *,
        sink: Callable[[Reject], None] | None = None,
        tuple_sink: Callable[[list[SpfTuple]], None] | None = None,
        max_rejects: int | None = None,
        allow_truncated: bool = False,
        allow_duplicates: bool = False,
        limits: SourceLimits | None = None,
    ) -> None:
        found = expand_inputs(inputs, limits=limits, allow_duplicates=allow_duplicates)
        # Of a directory that this program wrote, its accounts are no names.
        own = {MANIFEST, REJECTS}
        self.sources = [one for one in found if one.path in inputs or os.path.basename(one.path or "") not in own]
        self.sink = sink
        self.tuple_sink = tuple_sink
        self._max_rejects = max_rejects
        self._allow_truncated = allow_truncated
        self.reports: list[FileReport] = []
        self.failures: list[InputError] = []
        self.names = 0
        self.tuples = 0
        self.rejects = 0
        self.unaskable: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        """Rows read; comments, blank lines and headers are none."""
        return sum(report.rows for report in self.reports)

    @property
    def other_rows(self) -> int:
        """Rows that name something else than what is to be asked about."""
        return sum(report.skipped[OTHER_KIND] for report in self.reports)

    @property
    def truncated(self) -> bool:
        """Whether an input broke off or ends inside its last row."""
        return bool(self.failures) or any(report.truncated for report in self.reports)

    def exit_code(self, *, allow_rejects: bool = False) -> int:
        """5 where an input was damaged, else 3 where rows were rejected, else 0; less what is allowed."""
        if self.truncated and not self._allow_truncated:
            return InputError.exit_code
        return 3 if self.rejects and not allow_rejects else 0

    def __iter__(self) -> Iterator[list[str]]:
        for source in self.sources:
            report = FileReport(source.name, self._take_reject)
            self.reports.append(report)
            try:
                yield from self._batches(source, report)
                source.check_unchanged()
                if not report.rows:
                    report.note("the file names nothing")
            except InputError as error:
                self.failures.append(error)
            finally:
                source.close()
        if len(self.failures) == len(self.sources) and not self._allow_truncated:
            raise self.failures[0]

    def _batches(self, source: Source, report: FileReport) -> Iterator[list[str]]:
        """The names of one input; when it turns out damaged, what was read before is given first."""
        failure: InputError | LimitError | None = None
        pending: list[NameRow] = []
        try:
            for row in name_rows(source, report, (NAMES,) if self.tuple_sink is None else (NAMES, TUPLES)):
                pending.append(row)
                if len(pending) == _BATCH_NAMES:
                    full, pending = pending, []
                    yield self._accepted(full, report)
        except (InputError, LimitError) as error:
            failure = error
        if pending:
            yield self._accepted(pending, report)
        if failure is not None:
            raise failure

    def _accepted(self, rows: list[NameRow], report: FileReport) -> list[str]:
        """The canonical names among the rows; the others are rejected."""
        accepted: list[str] = []
        tuples: list[SpfTuple] = []
        for row, name in zip(rows, _canonical(rows), strict=True):
            reason = None if name is None else unaskable(name)
            if name is None or reason is Reason.LITERAL:
                _refuse(report, row, row.field, RejectCode.NOT_A_NAME, row.value, "a domain name")
            elif row.spf is None:
                if reason is not None:
                    self.unaskable[reason] += 1
                accepted.append(name)
            else:
                found = _spf_tuple(name, row, report)
                if found is not None:
                    tuples.append(found)
        self.names += len(accepted)
        self.tuples += len(tuples)
        if tuples and self.tuple_sink is not None:
            self.tuple_sink(tuples)
        return accepted

    def _take_reject(self, reject: Reject) -> None:
        self.rejects += 1
        if self.sink is not None:
            self.sink(reject)
        if self._max_rejects is not None and self.rejects > self._max_rejects:
            last = f"{reject.input} row {reject.row}: {reject.code}"
            raise RejectLimitError(self.rejects, self._max_rejects, last)


def _spf_tuple(name: str, row: NameRow, report: FileReport) -> SpfTuple | None:
    """The tuple of a row; None, and the row rejected, where its parts are none."""
    assert row.spf is not None
    client_ip, helo = row.spf
    address = effective_address(None, client_ip, None) if isinstance(client_ip, str) else None
    if address is None:
        _refuse(report, row, TUPLE_COLUMNS[0], RejectCode.TYPE, client_ip, "an IP address")
        return None
    if not isinstance(helo, str | None):
        _refuse(report, row, TUPLE_COLUMNS[1], RejectCode.TYPE, helo, "a name or null")
        return None
    return SpfTuple(name, address, helo or "")


def _refuse(
    report: FileReport, row: NameRow, field: str | None, code: RejectCode, value: object, expected: str
) -> None:
    report.reject(
        row=row.row, line=row.line, byte_offset=row.offset, field=field, code=code,
        message=f"found {_found(value)}, expected {expected}", raw=row.raw or _raw(value),
    )  # fmt: skip


def _canonical(rows: list[NameRow]) -> Iterable[str | None]:
    """The canonical name of each row, None where it holds no name."""
    values = [row.value for row in rows]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        names = canonical_domains(texts)
        if names is not None:
            return names
    return map(_canonical_value, values)


def _canonical_value(value: object) -> str | None:
    return canonical_domain(value) if isinstance(value, str) and len(value) <= _MAX_NAME else None


def _found(value: object) -> str:
    """A value for a message, which must not tell addresses."""
    if isinstance(value, str) and "@" in value:
        return "an e-mail address"
    if value is None or value == "":
        return "nothing"
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _raw(value: object) -> bytes:
    """The bytes of a value whose file has no lines."""
    return value.encode() if isinstance(value, str) else b""
