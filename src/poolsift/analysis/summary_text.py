"""The summary as text for people: plain lines anywhere, tables on a terminal. Every value from a log is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from poolsift.analysis.escaping import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BAR: Final = 24
#: Domains named in one line.
_NAMES_SHOWN: Final = 3
#: Different notes shown; the manifest holds the rest.
_NOTES: Final = 10

_ORIGIN_WORDS: Final = {
    "hosted_sender": "hosted sender",
    "forwarded": "forwarded",
    "on_premises_or_connector": "on-premises client or connector",
    "unknown": "unknown",
}


class _Section(NamedTuple):
    title: str
    rows: list[tuple[str, ...]]


def summary_lines(result: Mapping[str, Any]) -> list[str]:
    """The whole summary in plain text."""
    lines = list(_remarks(result))
    for section in _sections(result):
        lines += ["", section.title]
        widths = [max(len(row[place]) for row in section.rows) for place in range(len(section.rows[0]))]
        for row in section.rows:
            # Counts stand in the second column and end below one another.
            cells = [c.rjust(w) if i == 1 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return lines


def print_on_terminal(result: Mapping[str, Any]) -> None:
    """The same on standard error with rich tables; the import is late because it takes a tenth of a second."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    for line in _remarks(result):
        console.print(Text(line))
    for section in _sections(result):
        table = Table(title=Text(section.title, style="bold"), show_header=False, box=None, title_justify="left")
        for place in range(len(section.rows[0])):
            table.add_column(justify="right" if place == 1 else "left")
        for row in section.rows:
            table.add_row(*(Text(cell) for cell in row))
        console.print(table)


def _remarks(result: Mapping[str, Any]) -> Iterator[str]:
    """What must be known to read the numbers, one line each; an overlay and what DNS was assumed to say come first."""
    overlay = result["overlay"]
    if overlay is not None:
        yield (
            f"overlay {shown(str(overlay['path']))} is in force: {overlay['changes']:,} changes are taken for made, "
            f"facts of {_share(overlay['records'], result['records'])} follow from them"
        )
    assumed = dict(result["assumed"])
    if result["dns"] == "off" and assumed.get("domain_resolves") == "yes":
        yield "DNS is off: every sender domain that can exist is assumed to resolve; --snapshot or --dns live ends that"
    elif result["dns"] != "off":
        yield f"DNS answers from {shown(str(result['dns']))}"
        names = result["dns_names"]
        if names["undecided"]:
            yield (
                f"of {names['names']:,} sender domains {names['undecided']:,} have no definite DNS answer: "
                "what turns on it is undetermined"
            )
    if result.get("spf"):
        yield _spf_remark(result["spf"])
    if assumed:
        yield "assumed where not recorded: " + ", ".join(f"{fact}={value}" for fact, value in assumed.items())
    else:
        yield "nothing is assumed of facts that are not recorded"
    yield f"rules {shown(str(result['rules']))}; {result['records']:,} records"
    newest = result["newest_profile"]
    yield f"rules {newest['name']} would change {_share(newest['changed'], result['records'])}"
    if result["timeless"]:
        yield f"{result['timeless']:,} records without time took rules 2023-11"
    incomplete = result["tenant_incomplete"]
    if incomplete["records"]:
        names = ", ".join(_name(entry["sender_domain"]) for entry in incomplete["domains"][:5])
        yield (
            f"tenant file looks incomplete: the tenant itself submitted {incomplete['records']:,} "
            f"records from domains outside it: {names}"
        )
    rewritten = result["forwards"]["srs_predicted_relay"]
    if rewritten:
        yield (
            f"{rewritten:,} records have a sender rewritten by SRS and are predicted relay: "
            "senders are not rewritten in the relay pool, so something else is wrong there"
        )
    account = result["accounting"]
    if account:
        yield (
            f"rows in {account['rows_in']:,} = records {account['records']:,} + folded {account['folded']:,} "
            f"+ rejected {account['rejects']:,}"
        )


def _spf_remark(spf: Mapping[str, Any]) -> str:
    """How much of SPF was evaluated, how, and what could not be."""
    compiled = f"{spf['domains']:,} domains, {spf['compiled']:,} of them compiled"
    line = f"SPF evaluated for {spf['records']:,} records of {compiled}"
    if spf["not_compiled"]:
        reasons = ", ".join(f"{shown(reason)} {count:,}" for reason, count in spf["not_compiled"].items())
        names = [shown(name) for name in spf["not_compiled_names"]]
        more = ["…"] if len(names) > _NAMES_SHOWN else []
        line += f", the others message by message ({reasons}: {', '.join([*names[:_NAMES_SHOWN], *more])})"
    if spf["not_listed"]:
        line += f"; {spf['not_listed']:,} are not in the snapshot"
    return line


def _sections(result: Mapping[str, Any]) -> Iterator[_Section]:
    total, names = result["records"], result["unseen_pool_names"]
    found = [
        _Section("pool (predicted)", [_counted(word, n, total) for word, n in result["pools"].items()]),
        _Section("rule that decided", [_counted(word, n, total) for word, n in result["by_rule"].items()]),
        _Section("pool (observed)", [_counted(word, n, total) for word, n in result["observed_pools"].items()]),
        _Section("prediction and observation", [_counted(word, n, total) for word, n in result["agreement"].items()]),
        _Section("undetermined: what would decide", _plain(result["undetermined"])),
        _Section("spam by origin", _plain({_ORIGIN_WORDS[word]: n for word, n in result["spam_origin"].items()})),
        _Section("forwarded mail by pool used, its sender rewritten (SRS) or not", _forwards(result["forwards"])),
        _Section(_domains_title(result), [_domain_row(entry) for entry in result["top_domains"]]),
        _Section("first action worth taking, by records", _plain(_actions(result))),
        _Section("pool names never seen before (please report)", _plain(_without_addresses(names))),
        _Section("notes on the inputs, by files", _plain(_first_notes(result["notes"]))),
        _Section("values that tell nothing, by field", _plain(result["field_errors"])),
        _Section("rejected rows, by reason", _plain(result["reject_codes"])),
    ]
    return (section for section in found if section.rows)


def _actions(result: Mapping[str, Any]) -> dict[str, int]:
    """The fixes but for those that only find out a fact: these stand in their own section."""
    return {fix: count for fix, count in result["fixes"].items() if fix not in result["undetermined"]}


def _forwards(counts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (pool, f"{n:,}", word)
        for key, word in (("with_srs", "rewritten"), ("without_srs", "not rewritten"))
        for pool, n in counts[key].items()
    ]


def _domains_title(result: Mapping[str, Any]) -> str:
    title = "sender domains outside the normal pool, and what would help"
    return title + " (rare ones were dropped: more than a million)" if result["top_domains_capped"] else title


def _domain_row(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return _name(entry["sender_domain"]), f"{entry['records']:,}", entry["pool"], entry["fix"] or "nothing: by design"


def _name(domain: str | None) -> str:
    return "(no usable sender domain)" if domain is None else shown(domain)


def _without_addresses(counts: Mapping[str, int]) -> dict[str, int]:
    """What logs hold where a pool name is due, without what looks like an address: the summary goes to terminals."""
    kept = {name: count for name, count in counts.items() if "@" not in name}
    hidden = sum(counts.values()) - sum(kept.values())
    return kept | ({"(holds an address)": hidden} if hidden else {})


def _first_notes(notes: Mapping[str, int]) -> dict[str, int]:
    return dict(list(_without_addresses(notes).items())[:_NOTES])


def _plain(counts: Mapping[str, int]) -> list[tuple[str, ...]]:
    return [(shown(word), f"{count:,}") for word, count in counts.items()]


def _counted(word: str, count: int, total: int) -> tuple[str, ...]:
    share = count / total if total else 0.0
    bar = "█" * round(share * _BAR) or ("▏" if count else "")
    return shown(word), f"{count:,}", f"{share:7.2%}", bar


def _share(count: int, total: int) -> str:
    return f"{count:,} of {total:,} records ({count / total if total else 0.0:.2%})"
