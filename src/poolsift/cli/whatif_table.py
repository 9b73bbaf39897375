"""What ``poolsift whatif`` prints for people: each change, all together, by sender domain, the best single changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from poolsift.analysis.escaping import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from poolsift.analysis.best_changes import BestChange
    from poolsift.analysis.moves import Moves
    from poolsift.analysis.whatif import WhatIf

#: Sender domains that are shown; --json and -o have all of them.
SHOWN_DOMAINS: Final = 20

_LACKING: Final = {
    "source_ip": "no source address was recorded behind the gateway: SPF becomes unknown there",
    "spf": "no SPF result is known for the source address behind the gateway: SPF becomes unknown there",
    "client_ip": "the client address was not recorded, so that no authorized address can match",
}
#: Whose domain a change is about: another's owner has to make it, and cannot make it an accepted one here.
_WHOSE: Final = {True: "yours", False: "another's", None: ""}


class _Number(NamedTuple):
    """A cell that ends where the others of its column end."""

    value: int

    def __str__(self) -> str:
        return f"{self.value:,}"


def table_lines(found: WhatIf) -> Iterator[str]:
    """The whole answer in plain text; values from logs are escaped."""
    yield f"{found.records:,} records, rules {shown(found.rules)}, {_assumed(found)}"
    if found.alone or found.together is not None:
        yield from ("", *_aligned(_overview(found)))
    if found.together is not None:
        yield from _details(found.together)
    for moves in _all_moves(found):
        yield from _lacking(moves)
    if found.best is not None:
        yield from ("", "single changes that move most messages to the normal pool")
        yield from _aligned(_best(found.best)) if found.best else ["  none was found"]


def _assumed(found: WhatIf) -> str:
    words = ", ".join(f"{fact}={value}" for fact, value in found.assumed.items())
    return f"assumed where not recorded: {words}" if words else "nothing assumed"


def _all_moves(found: WhatIf) -> list[Moves]:
    """Each change alone, else what is known of all together."""
    return list(found.alone) or [moves for moves in [found.together] if moves is not None]


def _overview(found: WhatIf) -> list[list[str | _Number]]:
    rows: list[list[str | _Number]] = [["change", "messages moved", "recipients", "to normal", "possibly normal"]]
    rows += [[shown(moves.changes[0]), *_numbers(moves)] for moves in found.alone]
    if found.together is not None and (len(found.together.changes) > 1 or not found.alone):
        rows.append(["all together", *_numbers(found.together)])
    return rows


def _numbers(moves: Moves) -> list[str | _Number]:
    counts = (*moves.moved, moves.to_normal.messages, moves.possibly_normal.messages)
    return [_Number(count) for count in counts]


def _details(moves: Moves) -> Iterator[str]:
    if not moves.moves:
        yield from ("", "no message would move")
        return
    rows: list[list[str | _Number]] = [["from pool", "to pool", "messages", "recipients"]]
    for move, count in moves.ranked():
        rows.append([move.from_pool, _target(move.to_pool, move.possibly_normal), *map(_Number, count)])
    yield from ("", *_aligned(rows))
    every = moves.domains.num_rows
    first = f", the first {SHOWN_DOMAINS} of {every:,}" if every > SHOWN_DOMAINS else ""
    rows = [[f"sender domain{first}", "from pool", "to pool", "messages", "recipients"]]
    for row in moves.domains.slice(0, SHOWN_DOMAINS).to_pylist():
        domain = "(no usable sender domain)" if row["sender_domain"] is None else shown(row["sender_domain"])
        to_pool = _target(row["to_pool"], row["possibly_normal"] == "yes")
        rows.append([domain, row["from_pool"], to_pool, _Number(row["messages"]), _Number(row["recipients"])])
    yield from ("", *_aligned(rows))
    if moves.dropped:
        yield f"more sender domains than fit into the memory: one may have up to {moves.dropped:,} messages more"


def _target(pool: str, possibly_normal: bool) -> str:
    return f"{pool} (perhaps normal)" if possibly_normal else pool


def _lacking(moves: Moves) -> Iterator[str]:
    for word, messages in sorted(moves.lacking.items()):
        yield f"{shown(', '.join(moves.changes))}: of {messages:,} messages {_LACKING[word]}"


def _best(best: Sequence[BestChange]) -> list[list[str | _Number]]:
    rows: list[list[str | _Number]] = [["", "change", "messages", "recipients", "from pools", "domain"]]
    for change in best:
        pools = ", ".join(f"{pool} {count.messages:,}" for pool, count in change.pools.items())
        numbers = (_Number(change.messages), _Number(change.recipients))
        rows.append([_Number(change.rank), shown(change.line), *numbers, pools, _WHOSE[change.own]])
    return rows


def _aligned(rows: Sequence[Sequence[str | _Number]]) -> Iterator[str]:
    """The rows below one another; a column with numbers is set flush right, its title too."""
    columns = list(zip(*rows, strict=True))
    widths = [max(len(str(cell)) for cell in column) for column in columns]
    right = [any(isinstance(cell, _Number) for cell in column) for column in columns]
    for row in rows:
        cells = zip(map(str, row), widths, right, strict=True)
        yield ("  " + "  ".join(cell.rjust(w) if flush else cell.ljust(w) for cell, w, flush in cells)).rstrip()
