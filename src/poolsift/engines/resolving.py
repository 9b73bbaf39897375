"""``resolve`` as a whole: names in, a published DNS snapshot out."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from poolsift.dns.cache import DnsCache
from poolsift.dns.inquiry import counting
from poolsift.dns.servers import Server, view_of
from poolsift.dns.snapshot_writer import SnapshotWriter
from poolsift.engines.asking import LocalAsker, check_numbers
from poolsift.engines.asking_processes import ProcessAsker
from poolsift.engines.name_answers import NameAnswers, NamesWanted, Tally, mail_hosts, merged
from poolsift.engines.name_inputs import NameInputs
from poolsift.engines.name_set import NameSet
from poolsift.engines.places import check_cache, check_places
from poolsift.engines.question_set import QuestionSet
from poolsift.engines.spf_answers import SpfAnswers
from poolsift.engines.spf_trees import SpfTrees
from poolsift.errors import DnsIncompleteError, UsageError, nearest
from poolsift.readers.inputs import is_remote
from poolsift.readers.raw_files import STDIN, quoted
from poolsift.writers.durable import Lock
from poolsift.writers.publish import REJECTS
from poolsift.writers.reject_file import RejectFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from poolsift.dns.answers import Answer
    from poolsift.dns.engine import EngineStats
    from poolsift.errors import InputError
    from poolsift.readers.source import SourceLimits
    from poolsift.tenant import Tenant

    Progress = Callable[[int, int], None]
    Rows = Iterator[tuple[str, dict[str, Answer]]]

#: ``verdict``: what decides whether a name resolves; ``full``: MX and A of every name.
NEEDS: Final = ("verdict", "full")
#: Bytes of a file name that leave room for what is added to it beside it.
_LONGEST_NAME: Final = 200
_VERSIONS: Final = ("poolsift", "aiodns", "pycares", "dnspython", "idna", "pyspf")


@dataclass(frozen=True, slots=True)
class ResolveResult:
    """How a run ended: counts ready for JSON, the exit code, inputs that broke off, what people should know."""

    summary: dict[str, Any]
    exit_code: int
    failures: tuple[InputError, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveOptions:
    """Everything about a run but its names and its output.

    ``resolvers``: addresses such as ``127.0.0.1:53``. ``need``: what of each name (see NEEDS). ``cache``: a file, None
    for memory only. ``max_stale`` in seconds. ``offline`` asks nobody: what the cache does not hold fresh is unknown.
    ``require_dns``: unknown names end the run without a snapshot. ``processes`` share the rate. ``recheck_after``:
    seconds before unknown names are asked once more. ``spf`` False leaves the SPF tuples of a survey aside. The rest is
    as in ``open_engine``. Raises UsageError.
    """

    resolvers: Sequence[str]
    need: str = "verdict"
    cache: str | None = None
    max_stale: float = 0.0
    rate: float = 500.0
    timeout: float = 2.0
    attempts: int = 3
    concurrency: int = 300
    zone_cap: int = 1_000
    processes: int = 1
    offline: bool = False
    require_dns: bool = False
    recheck_after: float = 5.0
    spf: bool = True

    def __post_init__(self) -> None:
        if self.need not in NEEDS:
            close = nearest(self.need, NEEDS)
            raise UsageError("unknown", key="need", found=self.need, expected=" or ".join(NEEDS), nearest=close)
        if not self.resolvers and not self.offline:
            raise UsageError("nobody to ask", key="resolvers", expected="the address of a resolver, or offline")
        if isinstance(self.resolvers, str):
            expected = f"[{self.resolvers!r}]"
            raise UsageError("not a list", key="resolvers", found=repr(self.resolvers), expected=expected)
        for text in self.resolvers:
            Server.parse(text)
        check_numbers({field.name: getattr(self, field.name) for field in fields(self)})

    @property
    def servers(self) -> list[Server]:
        """The resolvers as addresses. Raises UsageError for what is none."""
        return [Server.parse(text) for text in self.resolvers]

    def asker(self) -> LocalAsker | ProcessAsker:
        """Whoever asks."""
        # Which names the cap leaves out is settled before anybody is asked (NamesWanted).
        engine = {
            "rate": self.rate,
            "timeout": self.timeout,
            "attempts": self.attempts,
            "concurrency": self.concurrency,
            "zone_cap": 0,
        }
        if self.processes > 1:
            return ProcessAsker(self.servers, processes=self.processes, **engine)
        return LocalAsker(self.servers, **engine)


def resolve_names(
    inputs: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    options: ResolveOptions,
    tenant: Tenant | None = None,
    max_rejects: int | None = None,
    allow_rejects: bool = False,
    allow_truncated: bool = False,
    allow_duplicates: bool = False,
    limits: SourceLimits | None = None,
    progress: Progress | None = None,
) -> ResolveResult:
    """Ask about every name of ``inputs`` (see NameInputs) once, and write the snapshot ``out``.

    The accepted domains of ``tenant`` are asked for MX and A whatever the need, their mail hosts for A and AAAA. For
    SPF tuples everything is asked that their records bring up. ``progress(done, total)`` gets names, then questions.
    Rejected rows go to ``OUT.rejects.ndjson``. Raises PoolsiftError; then no snapshot is written, but everything
    learned stays in the cache.
    """
    path = os.fspath(out)
    _check_output(path)
    files = [os.fspath(one) for one in inputs]
    remote = next(filter(is_remote, files), None)
    if options.offline and remote is not None:
        raise UsageError("asks the network", key="--offline", found=remote, expected="files")
    names = NameInputs(
        files,
        max_rejects=max_rejects,
        allow_truncated=allow_truncated,
        allow_duplicates=allow_duplicates,
        limits=limits,
    )
    known = tenant.path if tenant else None
    check_places(names.sources, path, None, (known, options.cache))
    check_cache(options.cache, [*(source.path for source in names.sources), known], path)
    with ExitStack() as stack:
        lock = Lock(Path(path).absolute().with_name(f".{Path(path).name}.lock"))
        stack.callback(lock.release)
        job = _Job(names, path, options, tenant, progress, stack)
        result = job.run(allow_rejects)
    # What could not be written to the cache at its end is said by then.
    return replace(result, warnings=(*result.warnings, *job.cache_warnings))


def _check_output(path: str) -> None:
    """Refuses, before any name is asked, a place where no snapshot can appear."""
    if path in {"", STDIN} or not path.isprintable() or (os.path.lexists(path) and not os.path.isfile(path)):
        # A device or a pipe would not be written to but replaced, and be gone.
        raise UsageError("a snapshot is a regular file", key="-o", found=quoted(path), expected="a file name")
    name = os.path.basename(path)
    if not name or len(os.fsencode(name)) > _LONGEST_NAME:
        raise UsageError("no name for a file", key="-o", found=quoted(name)[:80], expected="1 to 200 bytes")


class _Job:
    def __init__(
        self,
        inputs: NameInputs,
        path: str,
        options: ResolveOptions,
        tenant: Tenant | None,
        progress: Progress | None,
        stack: ExitStack,
    ) -> None:
        self._inputs = inputs
        self._path = path
        self._options = options
        self._progress = progress
        self._started = datetime.now(UTC)
        self._spf: SpfAnswers | None = None
        self._rejects = RejectFile(Path(f"{path}.{REJECTS}"))
        stack.callback(self._rejects.reset)
        directory = str(Path(path).absolute().parent)
        # Accepted domains need more than the others, and mail hosts other types: a set for each.
        self._names = stack.enter_context(NameSet(directory))
        self._accepted = stack.enter_context(NameSet(directory))
        self._hosts = stack.enter_context(NameSet(directory))
        self._trees = stack.enter_context(SpfTrees(directory))
        self._questions = stack.enter_context(QuestionSet(directory))
        self._wanted = NamesWanted(self._names, options.need, options.zone_cap)
        self._accepted.add(sorted({name for entry in tenant.tenants for name in entry.accepted} if tenant else ()))
        self._cache = stack.enter_context(
            DnsCache.open(options.cache, view=view_of(options.servers), max_stale=options.max_stale)
        )
        self._stack = stack

    def run(self, allow_rejects: bool) -> ResolveResult:
        self._inputs.sink = self._rejects
        self._inputs.tuple_sink = self._trees.add if self._options.spf else None
        for batch in self._inputs:
            self._names.add(batch)
        asker = None if self._options.offline else self._options.asker()
        if asker is not None:
            self._stack.enter_context(asker)
        job = NameAnswers(
            self._cache,
            asker,
            recheck_after=self._options.recheck_after,
            progress=self._progress,
        )
        job.ask(self._wanted)
        job.ask(NamesWanted(self._accepted, "full"))
        self._hosts.add(mail_hosts(job.answers_of(NamesWanted(self._accepted, "full"))))
        job.ask(NamesWanted(self._hosts, "addresses"))
        if self._inputs.tuples:
            self._ask_spf(asker)
        warnings = [] if asker is None else list(asker.warnings)
        tally = Tally()
        try:
            sha256 = self._publish(job, tally)
        except DnsIncompleteError as error:
            error.warnings = (*warnings, *self._cache.warnings)
            raise
        rejects = self._rejects.publish()
        return ResolveResult(
            self._summary(job, tally, None if asker is None else asker.stats, sha256, rejects),
            self._inputs.exit_code(allow_rejects=allow_rejects),
            tuple(self._inputs.failures),
            tuple(warnings),
        )

    def _ask_spf(self, asker: LocalAsker | ProcessAsker | None) -> None:
        self._spf = SpfAnswers(
            self._cache,
            asker,
            self._trees,
            self._questions,
            since=self._started,
            zone_cap=self._options.zone_cap,
            recheck_after=self._options.recheck_after,
            progress=self._progress,
        )
        self._spf.ask()

    @property
    def cache_warnings(self) -> list[str]:
        """What people should know of the cache."""
        return self._cache.warnings

    def _publish(self, job: NameAnswers, tally: Tally) -> str:
        """Write the snapshot, unless a name is unknown that must not be, or all are: an earlier one knows more."""
        main = tally.counting(job.answers_of(self._wanted))
        # Where an accepted domain is among the names that a cap leaves out, what was asked of it counts.
        accepted = merged(job.answers_of(NamesWanted(self._accepted, "full")), main)
        names = merged(accepted, job.answers_of(NamesWanted(self._hosts, "addresses")))
        # What SPF asked goes first: of an absence that names do not count it knows whether anybody saw it twice.
        rows = ((name, counting(answers)) for name, answers in merged(self._questions.rows(), names))
        writer = SnapshotWriter(self._path, self._manifest())
        try:
            for name, answers in rows:
                writer.add(name, answers)
            nothing = not self._options.offline and not (tally.resolves or tally.neither or job.stale)
            if tally.unknown and (self._options.require_dns or nothing):
                raise DnsIncompleteError(tally.unknown.total(), tally.names, dict(tally.unknown.most_common()))
            return writer.finish()
        except BaseException:
            writer.abandon()
            raise

    def _manifest(self) -> dict[str, str]:
        return {
            "resolvers": view_of(self._options.servers),
            "need": self._options.need,
            "spf": "no" if self._spf is None else "yes",
            "started": self._started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **{f"version_{name}": version(name) for name in _VERSIONS},
        }

    def _summary(
        self, job: NameAnswers, tally: Tally, stats: EngineStats | None, sha256: str, rejects: Any
    ) -> dict[str, Any]:
        asked = {"queries": 0, "confirmations": 0, "retries": 0}
        if stats is not None:
            asked = {"queries": stats.queries, "confirmations": stats.confirmations, "retries": stats.retries}
        return {
            "snapshot": self._path,
            "sha256": sha256,
            "resolvers": [] if self._options.offline else [str(server) for server in self._options.servers],
            "cache": self._cache.path,
            "rows": {
                "read": self._inputs.rows,
                "names": self._inputs.names,
                "spf": self._inputs.tuples,
                "other": self._inputs.other_rows,
                "rejected": self._inputs.rejects,
            },
            "rejects": None if rejects is None else str(Path(self._path).with_name(rejects.name)),
            "names": tally.names,
            "resolves": tally.resolves,
            "neither": tally.neither,
            "unknown": dict(tally.unknown.most_common()),
            "invalid": dict(tally.invalid.most_common()),
            "stale": job.stale,
            "from_cache": job.from_cache,
            "asked": job.asked,
            **asked,
            "accepted_domains": len(self._accepted),
            "mail_hosts": len(self._hosts),
            "spf": None if self._spf is None else self._spf.description(),
            "seconds": (datetime.now(UTC) - self._started).total_seconds(),
        }
