"""Classifies files on this machine: read, fold, classify, write, account, publish.

Memory is bounded whatever the inputs hold, and the output is the same for any number of threads, any
order of the inputs and any memory given.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from poolsift.dns.snapshot import Snapshot
from poolsift.engines.inputs import AccountingError, RunInput, ignoring, placed, total_bytes
from poolsift.engines.learning import learned_tenant
from poolsift.engines.manifest import build_manifest
from poolsift.engines.options import RunOptions
from poolsift.engines.places import check_cache, check_places
from poolsift.engines.prefetch import Prefetch
from poolsift.engines.verdicts import VerdictSource
from poolsift.errors import DnsIncompleteError, InputError, RejectLimitError, UsageError
from poolsift.readers.base import ReadOptions
from poolsift.readers.fold import Folder
from poolsift.readers.inputs import expand_inputs
from poolsift.records import record_schema
from poolsift.rules import DEFAULT
from poolsift.writers.columns import output_batch
from poolsift.writers.destination import open_output
from poolsift.writers.reject_file import RejectFile

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from poolsift.engines.live_dns import LiveDns
    from poolsift.evidence import Fact, Known
    from poolsift.overlay import Overlay
    from poolsift.readers.rejects import Reject
    from poolsift.readers.source import Source, SourceLimits
    from poolsift.rules import Profile
    from poolsift.tenant import Tenant
    from poolsift.writers.publish import Output

    Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: the summary, the manifest as published, the exit code, and inputs that broke off."""

    summary: dict[str, Any]
    manifest: dict[str, Any]
    exit_code: int
    failures: tuple[InputError, ...]


def classify_files(
    inputs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    tenant: Tenant | None = None,
    dns: Snapshot | LiveDns | None = None,
    require_dns: bool = False,
    rules: str | Profile = DEFAULT,
    compare: Iterable[str] = (),
    assume: Mapping[Fact, Known] | str | None = None,
    overlay: Overlay | None = None,
    columns: str = "key",
    to: str | None = None,
    fold: str = "auto",
    format: str | None = None,  # noqa: A002 - the word of the command line
    rejects: str | os.PathLike[str] | None = None,
    max_rejects: int | None = None,
    allow_rejects: bool = False,
    allow_truncated: bool = False,
    allow_duplicates: bool = False,
    ignore: Iterable[str] = (),
    learn_accepted: bool = False,
    threads: int = 1,
    memory: int = 1 << 30,
    raw_csv: bool = False,
    limits: SourceLimits | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Classify every record of ``inputs`` (paths, globs, directories, URLs, ``-``) into ``out``.

    ``out``: a directory (parts and manifest), a file by its ending, or ``-``. ``dns``: a snapshot, or an entered
    LiveDns that is asked while the inputs are read; ``require_dns`` publishes nothing while a sender domain is
    unknown (DnsIncompleteError). ``overlay`` holds changes that are taken for made. ``learn_accepted`` reads the
    inputs twice, first to learn accepted domains from records that say so. ``limits`` bounds decompression.
    ``progress(done, total, name)`` gets compressed bytes. Inputs that break off are left out (``allow_truncated``
    keeps their rows) and make exit code 5; rejected rows make 3 unless ``allow_rejects``. Nothing that is read is
    overwritten. Raises PoolsiftError; then nothing is published.
    """
    options = RunOptions(
        columns=columns,
        fold=fold,
        format=format,
        max_rejects=max_rejects,
        allow_rejects=allow_rejects,
        allow_truncated=allow_truncated,
        require_dns=require_dns,
        ignore=frozenset(ignore),
        threads=threads,
        memory=memory,
    )
    named = [inputs] if isinstance(inputs, (str, os.PathLike)) else inputs
    names = [os.fspath(name) for name in named]
    sources = expand_inputs(names, limits=limits, allow_duplicates=allow_duplicates)
    if require_dns and dns is None:
        raise UsageError("nobody is asked", key="require_dns", found="no dns", expected="a snapshot or live DNS")
    snapshot = dns if isinstance(dns, Snapshot) else None
    live = (
        None
        if dns is None or isinstance(dns, Snapshot)
        else Prefetch(dns.resolve, name=dns.name, resolvers=dns.resolvers, spf=dns.new_spf(), tenant=tenant)
    )
    kept = None if dns is None else dns.path
    changed = (None, None) if overlay is None else (overlay.path, overlay.rules)
    others = (tenant.path if tenant else None, rules if isinstance(rules, str) else None, *changed)
    rejects_path = None if rejects is None else os.fspath(rejects)
    check_places(sources, os.fspath(out), rejects_path, (*others, kept))
    if live is not None:
        check_cache(kept, [*(source.path for source in sources), *others], os.fspath(out), rejects_path)
    # Folding breaks ties by input name, so the output may not depend on the order in which they were named.
    sources.sort(key=lambda source: source.name)
    if learn_accepted:
        if tenant is not None:
            raise UsageError("learn_accepted takes the place of a tenant file", expected="one of the two")
        tenant = learned_tenant(sources, options)
    verdicts = VerdictSource(
        tenant=tenant, dns=snapshot, live=live, rules=rules, compare=tuple(compare), assume=assume, overlay=overlay
    )
    output = open_output(out, to, raw_csv=raw_csv)
    job = _Job(sources, output, verdicts, options, None if rejects is None else Path(rejects), progress)
    try:
        return job.run()
    except BaseException:
        job.abort()
        raise


class _Job:
    """One run; a pass that meets a damaged input is undone and made again without it."""

    def __init__(
        self,
        sources: list[Source],
        output: Output,
        verdicts: VerdictSource,
        options: RunOptions,
        rejects: Path | None,
        progress: Progress | None,
    ) -> None:
        self._sources = sources
        self._output = output
        self._verdicts = verdicts
        self._options = options
        self._progress = progress
        self._total_bytes = total_bytes(sources)
        path = rejects or output.rejects_path
        self._reject_file = None if path is None else RejectFile(path)
        self._failures: dict[int, InputError] = {}
        self._started = datetime.now(UTC)

    def run(self) -> RunResult:
        while not self._pass():
            self._undo()
        if len(self._failures) == len(self._sources) and not self._options.allow_truncated:
            raise next(iter(self._failures.values()))
        self._check_accounting()
        undecided, names = self._verdicts.undecided()
        if self._options.require_dns and undecided:
            raise DnsIncompleteError(undecided, names)
        return self._publish()

    def abort(self) -> None:
        """Leave nothing behind."""
        if self._reject_file is not None:
            self._reject_file.reset()
        self._output.abort()

    def _undo(self) -> None:
        self._output.reset()
        if self._reject_file is not None:
            self._reject_file.reset()

    def _pass(self) -> bool:
        """One pass over the inputs; False when it must be made again without an input that broke off."""
        self._inputs: list[RunInput] = []
        self._entries: list[dict[str, object]] = []
        self._rejects = 0
        self._folded = 0
        self._summary = self._verdicts.summary()
        try:
            # Closed in any case, so that what folding has set aside is gone before the failure is told.
            with closing(self._records()) as batches:
                for records, verdicts in self._verdicts.ordered(batches, self._options.threads):
                    self._summary.add(records, verdicts)
                    written = output_batch(records, self._verdicts.asked(verdicts), self._options.columns)
                    self._output.write(written)
        except _BrokenInputError:
            return False
        return True

    def _records(self) -> Generator[pa.RecordBatch]:
        """All records, those that are not folded first; one empty batch when there are none."""
        nothing = True
        with closing(self._folder()) as folder:
            for index, source in enumerate(self._sources):
                if index in self._failures and not self._options.allow_truncated:
                    self._entries.append(_failed_entry(source, self._failures[index]))
                    continue
                for batch in self._read(index, source, folder):
                    nothing = False
                    yield batch
            for batch in folder.finish():
                nothing = False
                yield batch
            self._folded = folder.folded
        if nothing:
            schema = record_schema().append(pa.field("row", pa.int64()))
            yield placed(pa.RecordBatch.from_pylist([], schema=schema), "")

    def _folder(self) -> Folder:
        return Folder(self._output.spill_directory, self._options.memory // 4)

    def _read(self, index: int, source: Source, folder: Folder) -> Iterator[pa.RecordBatch]:
        """The batches of one input that are not folded; the others go to the folder."""
        current = RunInput(source, self._take_reject, self._options.forced_format)
        self._inputs.append(current)
        error: InputError | None = None
        try:
            found = current.detect()
            folds = found is not None and self._options.folds(found)
            batches = current.batches(ReadOptions(extra=self._options.columns == "all"))
            for batch in ignoring(batches, self._options.ignore):
                self._report_progress(source)
                if folds:
                    folder.add(batch)
                else:
                    yield batch
        except InputError as caught:
            error = caught
            self._failures[index] = caught
            if not self._options.allow_truncated and self._output.revocable:
                raise _BrokenInputError from caught
        finally:
            self._entries.append(current.finish(error))

    def _take_reject(self, reject: Reject) -> None:
        self._rejects += 1
        if self._reject_file is not None:
            self._reject_file(reject)
        limit = self._options.max_rejects
        if limit is not None and self._rejects > limit:
            raise RejectLimitError(self._rejects, limit, f"{reject.input} row {reject.row}: {reject.code}")

    def _report_progress(self, source: Source) -> None:
        if self._progress is not None:
            before = sum(entry.bytes for entry in self._inputs[:-1])
            self._progress(before + source.compressed_bytes, self._total_bytes, source.name)

    def _accounting(self) -> dict[str, int]:
        return {
            "rows_in": sum(entry.rows for entry in self._inputs),
            "records": self._output.records,
            "folded": self._folded,
            "rejects": self._rejects,
        }

    def _check_accounting(self) -> None:
        account = self._accounting()
        if account["rows_in"] != account["records"] + account["folded"] + account["rejects"]:
            parts = ", ".join(f"{name} {count}" for name, count in account.items())
            raise AccountingError(f"rows in are not records + folded + rejects: {parts}; this is a defect of poolsift")

    def _publish(self) -> RunResult:
        account = self._accounting()
        undecided, names = self._verdicts.undecided()
        summary = self._summary.result([entry.report for entry in self._inputs], account)
        summary["spf"] = self._verdicts.spf()
        summary["dns_names"] = {"names": names, "undecided": undecided}
        parts = self._output.finish()
        rejects = None if self._reject_file is None else self._reject_file.publish()
        manifest = build_manifest(
            started=self._started,
            inputs=self._entries,
            parts=parts,
            rejects=rejects,
            accounting=account,
            options=self._options,
            to=self._output.to,
            verdicts=self._verdicts.description(),
        )
        self._output.commit(manifest)
        return RunResult(summary, manifest, self._exit_code(), tuple(self._failures.values()))

    def _exit_code(self) -> int:
        cut = bool(self._failures) or any(entry.report.truncated for entry in self._inputs)
        if cut and not self._options.allow_truncated:
            return InputError.exit_code
        return 3 if self._rejects and not self._options.allow_rejects else 0


class _BrokenInputError(Exception):
    """An input broke off after rows of it were written: the pass is void."""


def _failed_entry(source: Source, error: InputError) -> dict[str, object]:
    """The manifest entry of an input that was left out."""
    failure = {"code": error.code, "message": error.message, "offset": error.offset}
    return {"name": source.name, "rows": 0, "rejects": 0, "left_out": True, "error": failure}
