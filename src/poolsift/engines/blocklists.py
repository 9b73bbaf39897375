"""Asks blocklists about the outbound addresses of a finished run and writes what they say beside its verdicts."""

from __future__ import annotations

import io
import ipaddress
from collections import Counter
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from poolsift._native.nouns import parse_address
from poolsift.dns.answers import Question
from poolsift.dns.blocklist import (
    Address,
    Listing,
    ZoneState,
    is_asked_about,
    judge_zone,
    listing_name,
    probing_questions,
    read_listing,
    with_text,
)
from poolsift.engines.asking import LocalAsker
from poolsift.engines.lookup import FinishedRun
from poolsift.errors import DnsIncompleteError, InputError, UsageError
from poolsift.writers.columns import METADATA
from poolsift.writers.durable import Lock, write_durably
from poolsift.writers.parquet import ParquetWriter
from poolsift.writers.publish import BLOCKLISTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from poolsift.dns.servers import Server

SCHEMA: Final = pa.schema(
    [
        pa.field("address", pa.string()),
        pa.field("zone", pa.string()),
        pa.field("listed", pa.bool_()),
        pa.field("reason", pa.string()),
        pa.field("codes", pa.list_(pa.string())),
        pa.field("text", pa.string()),
        pa.field("records", pa.int64()),
        pa.field("observed_pools", pa.list_(pa.string())),
    ],
    metadata=METADATA,
)
_COLUMNS: Final = ("outbound_ip", "observed_pool")
_BATCH_ROWS: Final = 1 << 16
_UNOBSERVED: Final = "unobserved"

#: Address → records that it sent, by observed pool ('' where none was observed).
Senders = dict[Address, Counter[str]]
Listings = dict[tuple[Address, str], Listing]


class _Observed(NamedTuple):
    """The addresses that can be asked about, and records counted by why theirs is not among them."""

    senders: Senders
    records: int
    left_out: Counter[str]


class BlocklistResult(NamedTuple):
    """Counts ready for JSON, what people should know of the resolvers, and the file written."""

    summary: dict[str, Any]
    warnings: list[str]
    path: Path


def check_blocklists(
    out: str, zones: Sequence[str], servers: Sequence[Server], *, rate: float, timeout: float, require_dns: bool = False
) -> BlocklistResult:
    """Ask each zone (canonical names) about each address and write ``blocklists.parquet``; verdicts stay as they are.

    ``rate``: queries a second and resolver, 0 without limit. ``timeout``: seconds a query. Raises UsageError for an
    output without addresses, InputError for a damaged one, DnsIncompleteError (nothing is written) where
    no zone passed its test although an earlier run wrote some, or ``require_dns`` and something is unknown.
    """
    _run_with_addresses(out)  # a wrong path is refused before a lock is made there
    path = _place(out)
    with _held(out):
        observed = _observed(_run_with_addresses(out))
        states, listings, warnings = [ZoneState(zone) for zone in zones], {}, []
        if observed.senders:
            with LocalAsker(servers, rate=rate, timeout=timeout) as asker:
                states = _tested(zones, asker)
                listings = _asked(sorted(observed.senders, key=_order), states, asker)
                warnings = asker.warnings
        unknown = sum(listing.listed is None for listing in listings.values())
        # Where no zone works, what an earlier run has found out stays.
        useless = path.exists() and all(state.problem is not None for state in states)
        if unknown and (require_dns or useless):
            raise DnsIncompleteError(unknown, len(listings))
        _write(path, listings, observed.senders)
    return BlocklistResult(_summary(observed, states, listings), warnings, path)


def _run_with_addresses(out: str) -> FinishedRun:
    run = FinishedRun(out)
    columns = run.manifest["options"]["columns"]
    if columns != "all":
        raise UsageError(
            "does not hold the outbound addresses",
            path=out,
            found=f"--columns {columns}",
            expected="the output of poolsift classify --columns all",
        )
    return run


def _place(out: str) -> Path:
    path = Path(out)
    return path / BLOCKLISTS if path.is_dir() else path.with_name(f"{path.name}.{BLOCKLISTS}")


@contextmanager
def _held(out: str) -> Iterator[None]:
    """No run replaces the output, and none else asks for it, meanwhile. Raises LockedError."""
    path = Path(out)
    lock = Lock(path / ".lock" if path.is_dir() else path.with_name(f".{path.name}.lock"))
    try:
        yield
    finally:
        lock.release()


def _observed(run: FinishedRun) -> _Observed:
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for part in run.manifest["outputs"]:
        before = counts.total()
        _count(run.directory / part["name"], run.manifest["options"]["to"], counts)
        if counts.total() - before != part["rows"]:
            message = f"holds {counts.total() - before} records where the manifest says {part['rows']}"
            raise InputError("output_damaged", message, str(run.directory / part["name"]))
    senders: Senders = {}
    left_out: Counter[str] = Counter()
    for (text, pool), records in counts.items():
        packed = None if text is None else parse_address(text)
        address = None if packed is None else ipaddress.ip_address(packed)
        if address is None:
            left_out["not_recorded" if text is None else "unreadable"] += records
        elif not is_asked_about(address):
            left_out["unroutable"] += records
        else:
            senders.setdefault(address, Counter())[pool or ""] += records
    return _Observed(senders, counts.total(), left_out)


def _count(path: Path, to: str, counts: Counter[tuple[str | None, str | None]]) -> None:
    """Add the records of one part by address and observed pool."""
    try:
        if to == "ndjson":
            with path.open("rb") as lines:
                for line in lines:
                    row = orjson.loads(line)
                    counts[row["outbound_ip"], row["observed_pool"]] += 1
            return
        for batch in _batches(path, to):
            columns = [batch.column(name).cast(pa.string()) for name in _COLUMNS]
            groups = pa.table(columns, names=_COLUMNS).group_by(_COLUMNS, use_threads=False)
            for row in groups.aggregate([([], "count_all")]).to_pylist():
                counts[row["outbound_ip"], row["observed_pool"]] += row["count_all"]
    except (OSError, pa.ArrowException, orjson.JSONDecodeError, KeyError) as error:
        raise InputError("output_damaged", f"cannot be read: {error}", str(path)) from error


def _batches(path: Path, to: str) -> Iterator[pa.RecordBatch]:
    if to == "parquet":
        yield from pq.ParquetFile(path, page_checksum_verification=True).iter_batches(_BATCH_ROWS, columns=_COLUMNS)
        return
    with pa.OSFile(str(path)) as file:
        reader = pa.ipc.open_file(file)
        yield from (reader.get_batch(place) for place in range(reader.num_record_batches))


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _tested(zones: Sequence[str], asker: LocalAsker) -> list[ZoneState]:
    questions = [probing_questions(zone) for zone in zones]
    answers = iter(asker.resolve([question for few in questions for question in few]))
    return [judge_zone(zone, [next(answers) for _ in few]) for zone, few in zip(zones, questions, strict=True)]


def _asked(addresses: Sequence[Address], states: Sequence[ZoneState], asker: LocalAsker) -> Listings:
    """A listing for each address and zone, in that order; zones are asked only about what they can answer."""
    listings: Listings = {}
    asked: dict[tuple[Address, str], str] = {}
    for address, state in product(addresses, sorted(states)):
        hindrance = state.hindrance(address)
        listings[address, state.zone] = Listing(listed=None, reason=hindrance)
        if hindrance is None:
            asked[address, state.zone] = listing_name(address, state.zone)
    answers = asker.resolve([Question(name, "A") for name in asked.values()])
    listings.update((pair, read_listing(answer)) for pair, answer in zip(asked, answers, strict=True))
    listed = [pair for pair in asked if listings[pair].listed]
    texts = asker.resolve([Question(asked[pair], "TXT") for pair in listed])
    listings.update((pair, with_text(listings[pair], text)) for pair, text in zip(listed, texts, strict=True))
    return listings


def _write(path: Path, listings: Listings, senders: Senders) -> None:
    rows = [
        {
            "address": str(address),
            "zone": zone,
            **listing._asdict(),
            "codes": list(listing.codes),
            "records": senders[address].total(),
            "observed_pools": sorted(pool for pool in senders[address] if pool),
        }
        for (address, zone), listing in listings.items()
    ]
    sink = io.BytesIO()
    writer = ParquetWriter(sink, SCHEMA)
    writer.write(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    writer.close()
    write_durably(path, sink.getvalue())


def _summary(observed: _Observed, states: Sequence[ZoneState], listings: Listings) -> dict[str, Any]:
    return {
        "records": observed.records,
        "addresses": len(observed.senders),
        "left_out": dict(sorted(observed.left_out.items())),
        "zones": [_zone_summary(state, listings, observed.senders) for state in states],
    }


def _zone_summary(state: ZoneState, listings: Listings, senders: Senders) -> dict[str, Any]:
    """An address that several pools sent from counts in each of them."""
    unknown: Counter[str] = Counter()
    pools: dict[str, Counter[str]] = {}
    for address, by_pool in senders.items():
        listing = listings[address, state.zone]
        word = {True: "listed", False: "not_listed", None: "unknown"}[listing.listed]
        if listing.listed is None:
            unknown[listing.reason or "unknown"] += 1
        for pool in by_pool:
            pools.setdefault(pool or _UNOBSERVED, Counter())[word] += 1
    return {
        "zone": state.zone,
        "problem": state.problem,
        "ipv6_reason": state.ipv6_reason,
        "unknown": dict(sorted(unknown.items())),
        "pools": {pool: _pool_summary(words) for pool, words in sorted(pools.items())},
    }


def _pool_summary(words: Mapping[str, int]) -> dict[str, int]:
    counts = {word: words.get(word, 0) for word in ("listed", "not_listed", "unknown")}
    return {"addresses": sum(counts.values()), **counts}
