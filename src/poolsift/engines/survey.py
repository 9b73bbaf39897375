"""The names an archive has to ask the DNS about: distinct sender domains and SPF tuples, in one pass.

Rows are not folded. Most often the set then holds more than folding would leave: an envelope sender of one row that
another row of the message corrects, a tuple that the SPF result of another row makes needless. A tuple whose parts
stand in different rows of one message is not found. Whose domains are accepted changes nothing here either.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from poolsift.engines.inputs import AccountingError, RunInput, ignoring, total_bytes
from poolsift.engines.manifest import build_manifest, file_hash
from poolsift.engines.options import RunOptions
from poolsift.engines.places import check_places
from poolsift.engines.survey_findings import DOMAIN, SPF, Findings
from poolsift.engines.survey_store import SurveyStore
from poolsift.engines.verdicts import VerdictSource
from poolsift.errors import InputError, RejectLimitError
from poolsift.readers.base import ReadOptions
from poolsift.readers.inputs import expand_inputs
from poolsift.rules import DEFAULT
from poolsift.verdicts import SCHEMA_VERSION
from poolsift.writers.destination import open_output
from poolsift.writers.reject_file import RejectFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from poolsift.readers.rejects import FileReport, Reject
    from poolsift.readers.source import Source, SourceLimits
    from poolsift.tenant import Tenant
    from poolsift.writers.publish import Output

    Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class SurveyResult:
    """How a survey ended: counts ready for JSON, the exit code, and the inputs that broke off."""

    summary: dict[str, Any]
    exit_code: int
    failures: tuple[InputError, ...]


def survey_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    tenant: Tenant | None = None,
    to: str | None = None,
    format: str | None = None,  # noqa: A002 - the word of the command line
    rejects: str | os.PathLike[str] | None = None,
    max_rejects: int | None = None,
    allow_rejects: bool = False,
    allow_truncated: bool = False,
    allow_duplicates: bool = False,
    ignore: Iterable[str] = (),
    memory: int = 1 << 30,
    limits: SourceLimits | None = None,
    progress: Progress | None = None,
) -> SurveyResult:
    """Write the distinct sender domains and SPF tuples of ``inputs`` (paths, globs, directories, URLs, ``-``).

    ``out`` and the other arguments are those of ``classify_files``; of ``tenant`` only the gateways matter: behind one
    with enhanced filtering SPF is about the address before it. Inputs that break off are left out (``allow_truncated``
    keeps what they gave) and make exit code 5; rejected rows make 3 unless ``allow_rejects``. The output does not
    depend on the order of the inputs nor on ``memory`` (bytes). Raises PoolsiftError; then nothing is published.
    """
    options = RunOptions(
        format=format,
        max_rejects=max_rejects,
        allow_rejects=allow_rejects,
        allow_truncated=allow_truncated,
        ignore=frozenset(ignore),
        memory=memory,
    )
    named = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    sources = expand_inputs([os.fspath(name) for name in named], limits=limits, allow_duplicates=allow_duplicates)
    others = () if tenant is None else (tenant.path,)
    check_places(sources, os.fspath(out), None if rejects is None else os.fspath(rejects), others)
    sources.sort(key=lambda source: source.name)
    job = _Job(sources, open_output(out, to), options, tenant, None if rejects is None else Path(rejects), progress)
    try:
        return job.run()
    except BaseException:
        job.abort()
        raise
    finally:
        job.close()


class _Job:
    """One run. What a damaged input named is dropped when it breaks off; its rejected rows stay listed."""

    def __init__(
        self,
        sources: list[Source],
        output: Output,
        options: RunOptions,
        tenant: Tenant | None,
        rejects: Path | None,
        progress: Progress | None,
    ) -> None:
        self._sources = sources
        self._tenant = tenant
        self._output = output
        self._options = options
        self._progress = progress
        path = rejects or output.rejects_path
        self._reject_file = None if path is None else RejectFile(path)
        self._store: SurveyStore | None = None
        self._verdicts = VerdictSource(tenant=None, dns=None, rules=DEFAULT, compare=(), assume=None)
        self._left_out: dict[str, Counter[str]] = {DOMAIN: Counter(), SPF: Counter()}
        self._entries: list[dict[str, Any]] = []
        self._kept: list[FileReport] = []
        self._codes: Counter[str] = Counter()
        self._failures: list[InputError] = []
        self._records = self._rejects = self._bytes = 0
        self._truncated = False
        self._started = datetime.now(UTC)

    def run(self) -> SurveyResult:
        spill = self._output.spill_directory
        self._store = SurveyStore(None if spill is None else str(spill), self._options.memory // 4)
        total = total_bytes(self._sources)
        for source in self._sources:
            self._read(source, self._store, total)
        if len(self._failures) == len(self._sources) and not self._options.allow_truncated:
            raise self._failures[0]
        return self._publish(self._store)

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._reject_file is not None:
            self._reject_file.reset()
        self._output.abort()

    def close(self) -> None:
        """Give the temporary space back."""
        if self._store is not None:
            self._store.close()

    def _read(self, source: Source, store: SurveyStore, total: int | None) -> None:
        """One input from its beginning to its end or to where it breaks off."""
        current = RunInput(source, self._take_reject, self._options.forced_format)
        findings = Findings(self._tenant)
        error: InputError | None = None
        try:
            batches = ignoring(current.batches(ReadOptions()), self._options.ignore)
            for records, verdicts in self._verdicts.ordered(batches, 1):
                findings.add(records, verdicts)
                store.add(findings.named)
                findings.clear_named()
                if self._progress is not None:
                    self._progress(self._bytes + source.compressed_bytes, total, source.name)
        except InputError as caught:
            error = caught
            self._failures.append(caught)
        entry = current.finish(error)
        self._bytes += current.bytes
        self._codes += current.report.reject_codes
        self._truncated |= current.report.truncated
        if error is not None and not self._options.allow_truncated:
            store.drop()
            entry |= {"rows": current.report.rejects, "left_out": True}
        else:
            store.keep()
            self._records += current.delivered
            self._kept.append(current.report)
            for kind, counts in findings.left_out.items():
                self._left_out[kind] += counts
        self._entries.append(entry)

    def _take_reject(self, reject: Reject) -> None:
        self._rejects += 1
        if self._reject_file is not None:
            self._reject_file(reject)
        limit = self._options.max_rejects
        if limit is not None and self._rejects > limit:
            raise RejectLimitError(self._rejects, limit, f"{reject.input} row {reject.row}: {reject.code}")

    def _publish(self, store: SurveyStore) -> SurveyResult:
        summary = self._summary(store)
        for batch in store.batches():
            self._output.write(batch)
        parts = self._output.finish()
        rejects = None if self._reject_file is None else self._reject_file.publish()
        manifest = build_manifest(
            started=self._started,
            inputs=self._entries,
            parts=parts,
            rejects=rejects,
            accounting=summary["accounting"],
            options=self._options,
            to=self._output.to,
            verdicts={},
        )
        # No verdicts were written: without this key nobody takes the output for that of classify.
        del manifest["verdicts"]
        path = None if self._tenant is None else self._tenant.path
        manifest |= {"tenant_file": path, "tenant_file_sha256": file_hash(path)}
        for without_effect in ("columns", "fold"):
            del manifest["options"][without_effect]
        self._output.commit(manifest)
        return SurveyResult(summary, self._exit_code(), tuple(self._failures))

    def _summary(self, store: SurveyStore) -> dict[str, Any]:
        """Counts of the whole run; raises AccountingError unless every row is among them."""
        totals = store.totals()
        account = {
            "rows_in": sum(entry["rows"] for entry in self._entries),
            "records": self._records,
            "rejects": self._rejects,
        }
        counted = {totals[kind][1] + self._left_out[kind].total() for kind in totals}
        if account["rows_in"] != self._records + self._rejects or counted != {self._records}:
            raise AccountingError(f"rows do not add up: {account}, named or left out {counted}; a defect of poolsift")
        words: dict[str, dict[str, Any]] = {}
        for kind, counts in self._left_out.items():
            found, records = totals[kind]
            words[kind] = {"found": found, "records": records, "left_out": _ranked(counts)}
        return {
            "schema_version": SCHEMA_VERSION,
            "accounting": account,
            **words,
            "field_errors": _ranked(sum((report.field_errors for report in self._kept), Counter())),
            "notes": _ranked(Counter(note for report in self._kept for note in report.notes)),
            "reject_codes": _ranked(self._codes),
        }

    def _exit_code(self) -> int:
        if (self._failures or self._truncated) and not self._options.allow_truncated:
            return InputError.exit_code
        return 3 if self._rejects and not self._options.allow_rejects else 0


def _ranked(counts: Counter[str]) -> dict[str, int]:
    """By count, then word."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
