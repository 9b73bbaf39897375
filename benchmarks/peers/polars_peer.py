"""W1 in polars: distinct domains and addresses are looked up once and joined back, the verdict is one gather from the same table.

The data hold plain ASCII addresses, so splitting at `@` is enough here; the general grammar would cost the peer more.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from publicsuffixlist import PublicSuffixList

if TYPE_CHECKING:
    from collections.abc import Callable

SPF_STATE = {"pass": 2, "fail": 1, "softfail": 1, "neutral": 1, "none": 1, "permerror": 1}
BLOCKING = {"5.1.8": 0, "5.1.90": 1, "5.7.705": 6}  # code → reason; 5.2.2 needs its text, which W1 does not have
MATCH, COMPATIBLE, MISMATCH, NOT_COMPARABLE, UNOBSERVED = range(5)


@dataclass
class PeerTables:
    """Look-up tables as frames, built before the clock starts, like the kernel's."""

    exact: pl.DataFrame
    parents: pl.DataFrame
    own: pl.DataFrame
    dns: pl.DataFrame
    intervals4: pl.DataFrame
    intervals6: Callable[[int], int | None]
    verdicts: pl.DataFrame
    fixes: pl.DataFrame
    gateway: str


def sections(domain: pl.Expr) -> pl.Expr:
    """What follows the `@`, lower case."""
    return domain.str.splitn("@", 2).struct.field("field_1").str.to_lowercase()


def domain_facts(names: pl.Series, tables: PeerTables) -> pl.DataFrame:
    """One row a distinct domain: accepted, resolves, own."""
    frame = pl.DataFrame({"name": names})
    suffixes = (
        frame.with_columns(labels=pl.col("name").str.split("."))
        .with_columns(at=pl.int_ranges(1, pl.col("labels").list.len()))
        .explode("at")
        .drop_nulls("at")
        .with_columns(parent=pl.col("labels").list.slice(pl.col("at")).list.join("."))
        .select("name", "parent")
    )
    below = suffixes.join(tables.parents, left_on="parent", right_on="domain", how="semi").select("name").unique()
    owned = pl.concat([frame.select("name", parent="name"), suffixes]).join(
        tables.own, left_on="parent", right_on="domain", how="semi"
    )
    return (
        frame.join(tables.exact.with_columns(hit=True), left_on="name", right_on="domain", how="left")
        .join(below.with_columns(under=True), on="name", how="left")
        .join(owned.select("name").unique().with_columns(own=True), on="name", how="left")
        .join(tables.dns, left_on="name", right_on="domain", how="left")
        .select(
            "name",
            (pl.col("hit").fill_null(value=False) | pl.col("under").fill_null(value=False)).alias("accepted"),
            pl.col("own").fill_null(value=False),
            pl.col("resolves").fill_null(0).cast(pl.UInt32),
        )
    )


def pools_of(texts: pl.Series, tables: PeerTables) -> pl.DataFrame:
    """The observed pool of each distinct outbound address."""
    frame = pl.DataFrame({"outbound_ip": texts})
    four = frame.filter(~pl.col("outbound_ip").str.contains(":", literal=True))
    parts = pl.col("outbound_ip").str.split_exact(".", 3).struct
    number = sum(parts.field(f"field_{k}").cast(pl.UInt32) * 256 ** (3 - k) for k in range(4))
    found = (
        four.with_columns(start=number)
        .sort("start")
        .join_asof(tables.intervals4, on="start")
        .select("outbound_ip", "pool")
    )
    six = frame.filter(pl.col("outbound_ip").str.contains(":", literal=True))
    answers = [tables.intervals6(int(ipaddress.IPv6Address(text))) for text in six["outbound_ip"]]
    return pl.concat([found, six.with_columns(pool=pl.Series(answers, dtype=pl.UInt8))])


def dkim_states(frame: pl.DataFrame, suffixes: PublicSuffixList) -> pl.DataFrame:
    """Alignment of the rows whose signature passed for another domain; public suffixes once a distinct name."""
    unequal = frame.filter(
        (pl.col("dkim") == "pass")
        & pl.col("dkim_domain").is_not_null()
        & (pl.col("dkim_domain") != pl.col("reference"))
    )
    names = pl.concat([unequal["dkim_domain"], unequal["reference"]]).unique()
    organizational = pl.DataFrame({"name": names, "org": [suffixes.privatesuffix(name) or name for name in names]})
    pairs = unequal.select("dkim_domain", "reference").unique()
    return (
        pairs.join(organizational, left_on="dkim_domain", right_on="name")
        .join(organizational.rename({"org": "org2"}), left_on="reference", right_on="name")
        .select("dkim_domain", "reference", same=pl.col("org") == pl.col("org2"))
    )


def classify(df: pl.DataFrame, tables: PeerTables) -> pl.DataFrame:
    """Verdict columns of every row, in order."""
    rows = df.with_columns(
        mf=sections(pl.col("mail_from")), hf=sections(pl.col("header_from")), rc=sections(pl.col("recipient")),
        null_path=pl.col("mail_from") == "",
    ).with_columns(null_path=pl.col("null_path").fill_null(value=False))  # fmt: skip
    rows = rows.with_columns(
        from_header=pl.col("mf").is_null() & pl.col("hf").is_not_null(),
        sender=pl.coalesce("mf", "hf"),
        reference=pl.when(pl.col("header_from").is_null()).then("mf").otherwise("hf"),
    )
    names = pl.concat([rows["mf"], rows["hf"], rows["rc"]]).unique().drop_nulls()
    facts = domain_facts(names, tables)
    rows = (
        rows.join(facts, left_on="sender", right_on="name", how="left", maintain_order="left")
        .join(
            facts.select("name", hf_accepted="accepted"),
            left_on="hf",
            right_on="name",
            how="left",
            maintain_order="left",
        )
        .join(
            facts.select("name", rc_accepted="accepted"),
            left_on="rc",
            right_on="name",
            how="left",
            maintain_order="left",
        )
        .join(
            pools_of(rows["outbound_ip"].unique().drop_nulls(), tables),
            on="outbound_ip",
            how="left",
            maintain_order="left",
        )
        .join(dkim_states(rows, PublicSuffixList()), on=["dkim_domain", "reference"], how="left", maintain_order="left")
    )
    return finish(rows.with_columns(evidence=evidence()), tables)


def evidence() -> pl.Expr:
    """The eight facts and the flag bits that W1 can show."""
    inbound, when = (pl.col("direction") == "inbound").fill_null(value=False), pl.when
    known = pl.col("rc").is_not_null()
    received = pl.col("rc_accepted").fill_null(value=False)
    outbound = (
        when((pl.col("direction") == "internal").fill_null(value=False) | (inbound & (~known | received))).then(1)
        .when(pl.col("outbound_ip").is_not_null()).then(2)
        .when(received).then(1)
        .when(known & ~inbound).then(2)
        .when(known).then(when(pl.col("forwarded").fill_null(value=False)).then(2).otherwise(0))
        .when((pl.col("direction") == "outbound").fill_null(value=False)).then(2)
        .otherwise(0)
    )  # fmt: skip
    accepted = (
        when(pl.col("sender").is_null()).then(0).when(pl.col("accepted")).then(2)
        .when(pl.col("hf_accepted").fill_null(value=False)).then(0).otherwise(1)
    )  # fmt: skip
    dkim = (
        when((pl.col("dkim") == "pass").fill_null(value=False)).then(
            when(pl.col("dkim_domain") == pl.col("reference")).then(2)
            .when(pl.col("dkim_domain").is_null() | pl.col("reference").is_null()).then(0)
            .when(pl.col("same")).then(0)
            .when(pl.col("dkim_domain") == pl.col("mf")).then(0)
            .otherwise(1)
        ).when(pl.col("dkim").is_not_null()).then(1).otherwise(0)
    )  # fmt: skip
    ndr = when(pl.col("null_path")).then(2).when(pl.col("sender").is_not_null()).then(1).otherwise(0)
    spam = pl.col("spam").cast(pl.UInt32).fill_null(-1 % 2**32)
    facts = (
        outbound,
        pl.col("resolves").fill_null(0),
        when(pl.col("status_code").is_in(list(BLOCKING))).then(2).otherwise(0),
        ndr,
        when(spam > 1).then(0).otherwise(spam + 1),
        accepted,
        pl.col("spf").replace_strict(SPF_STATE, default=0),
        dkim,
    )
    bits = sum(fact.cast(pl.UInt32) * 4**place for place, fact in enumerate(facts))
    differ = (pl.col("mf") != pl.col("hf")).fill_null(value=False)
    flags = {16: pl.col("from_header"), 19: differ, 21: pl.col("null_path")}
    return bits + sum(flag.cast(pl.UInt32) * 2**place for place, flag in flags.items())


def finish(rows: pl.DataFrame, tables: PeerTables) -> pl.DataFrame:
    """Verdict from the table, agreement, fix."""
    state = pl.col("evidence") & 0xFFFF
    verdict = tables.verdicts
    rows = rows.with_columns(
        pool_i=pl.lit(verdict["pool"]).gather(state), rule=pl.lit(verdict["rule"]).gather(state),
        candidates=pl.lit(verdict["candidates"]).gather(state), state_fix=pl.lit(verdict["fix"]).gather(state),
    )  # fmt: skip
    observed, pool = pl.col("pool"), pl.col("pool_i")
    inside = (
        pl.col("candidates").cast(pl.UInt32) // pl.lit(2, pl.UInt32).pow(observed.cast(pl.UInt32)).cast(pl.UInt32)
    ) % 2 == 1
    agreement = (
        pl.when(observed.is_null() | (pool == 5)).then(UNOBSERVED).when((observed == pool) & (observed < 4)).then(MATCH)
        .when((pool == 6) & (observed < 4) & inside).then(COMPATIBLE)
        .when(((pool == 1) & (observed == 3)) | ((pool == 3) & (observed.is_in([1, 2])))).then(COMPATIBLE)
        .when(observed == 4).then(NOT_COMPARABLE).otherwise(MISMATCH)
    )  # fmt: skip
    gateway = pl.col("client_ip").str.starts_with(tables.gateway).fill_null(value=False)
    context = pl.col("own").fill_null(value=False).cast(pl.UInt32) * 2 + gateway.cast(pl.UInt32) * 12
    context += pl.col("forwarded").fill_null(value=False).cast(pl.UInt32) * 16
    reason = pl.col("status_code").replace_strict(BLOCKING, default=8).fill_null(8).cast(pl.UInt32)
    place = pl.col("rule").cast(pl.UInt32) * 9 * 64 + reason * 64 + context
    rows = rows.with_columns(agreement=agreement.cast(pl.UInt8), rule_fix=pl.lit(tables.fixes["fix"]).gather(place))
    fix = (
        pl.when(pool == 6).then("state_fix")
        .when((pool == 0) & (pl.col("agreement") == MISMATCH)).then(pl.lit(15, pl.UInt8))
        .otherwise("rule_fix")
    )  # fmt: skip
    return rows.select(
        pool="pool_i", rule="rule", evidence="evidence", candidates="candidates", observed_pool="pool",
        agreement="agreement", fix=fix, sender_domain="sender",
    )  # fmt: skip
