"""Rule profiles: dated, ordered rules from facts to pools, and the table of all their verdicts.

States of the evidence are combined once per profile: 3^8 = 6,561 of them, each a completion problem
over its unknown facts. A record then costs one look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date  # noqa: TC003 - msgspec reads the annotations
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from poolsift.errors import RulesError, nearest
from poolsift.evidence import FACTS, HARMLESS, Fact, Known
from poolsift.fixes import FIX_NUMBERS, UNKNOWN_FIXES
from poolsift.tables import microseconds, shipped_table, table_text
from poolsift.toml_text import TomlText, known_keys
from poolsift.verdicts import NONE, POOLS, Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BUILT_IN: Final = ("2016-08", "2021-07", "2023-11", "2026-06", "measured")
DEFAULT: Final = "2023-11"
BY_DATE: Final = "by-date"
UNDETERMINED: Final = "undetermined"

#: blocked and spam are logged only when they happen (contract, section 3).
DEFAULT_ASSUMPTIONS: Final = {Fact.BLOCKED: Known.NO, Fact.SPAM: Known.NO}
#: What is assumed besides while no DNS is asked.
DNS_OFF_ASSUMPTIONS: Final = {**DEFAULT_ASSUMPTIONS, Fact.DOMAIN_RESOLVES: Known.YES}

_VALUES = {"yes": Known.YES, "no": Known.NO}
_RULE_POOLS = tuple(pool for pool in POOLS if pool is not Pool.UNDETERMINED)
_MAX_RULES = 64
_STATES = 1 << (2 * len(FACTS))
_BEGINNING = -(1 << 63)


class Rule(NamedTuple):
    """Conditions on facts ⇒ pool; no condition fits always."""

    name: str
    when: tuple[tuple[Fact, Known], ...]
    pool: Pool
    source: str
    date: date | None


class Decision(NamedTuple):
    """What a profile says about one state of the evidence."""

    pool: Pool
    rule: str
    candidates: int
    fix: str | None


@dataclass(frozen=True)
class Profile:
    """An ordered list of rules; the first that fits decides, the last fits always."""

    name: str
    date: date | None
    source: str
    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, name: str) -> Profile:
        """A built-in profile by name, or the profile in a TOML file. Raises RulesError."""
        if name in BUILT_IN:
            return _built_in(name)
        if name.endswith(".toml") or Path(name).is_file():
            return cls.parse(TomlText.read(name, RulesError), default_name=Path(name).stem)
        raise RulesError(
            "no such rule profile",
            found=name,
            expected=f"{', '.join((*BUILT_IN, BY_DATE))} or a TOML file",
            nearest=nearest(name, (*BUILT_IN, BY_DATE)),
        )

    @classmethod
    def parse(cls, text: TomlText, default_name: str) -> Profile:
        """The profile in a TOML text, checked in full. Raises RulesError."""
        raw = text.convert(text.parse(), _ProfileText, known_keys(_ProfileText, _RuleText))
        if not raw.rule:
            text.fail("a profile needs rules", ("rule",), expected="at least one [[rule]]")
        if len(raw.rule) > _MAX_RULES:
            text.fail("too many rules", ("rule",), found=str(len(raw.rule)), expected=f"at most {_MAX_RULES}")
        rules = tuple(_rule(text, index, entry) for index, entry in enumerate(raw.rule))
        _check(text, rules)
        return cls(raw.name or default_name, raw.date, raw.source, rules)

    @property
    def rule_names(self) -> tuple[str, ...]:
        """The rule names in order."""
        return tuple(rule.name for rule in self.rules)

    def rule(self, name: str) -> Rule | None:
        """The rule of that name; None for ``undetermined`` or a rule of another profile."""
        return next((rule for rule in self.rules if rule.name == name), None)


class _RuleText(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    when: dict[str, str]
    pool: str
    source: str = ""
    date: date | None = None


class _ProfileText(msgspec.Struct, forbid_unknown_fields=True):
    rule: list[_RuleText]
    name: str = ""
    date: date | None = None
    source: str = ""


@cache
def _built_in(name: str) -> Profile:
    return Profile.parse(TomlText(table_text(f"profiles/{name}"), f"{name}.toml", RulesError), name)


def _rule(text: TomlText, index: int, raw: _RuleText) -> Rule:
    here = ("rule", index)
    if not raw.name.isidentifier() or raw.name == UNDETERMINED:
        text.fail("bad rule name", (*here, "name"), found=repr(raw.name), expected="a lower_snake_case word of its own")
    if raw.pool not in _RULE_POOLS:
        text.fail(
            "unknown pool",
            (*here, "pool"),
            found=raw.pool,
            expected=", ".join(_RULE_POOLS),
            nearest=nearest(raw.pool, _RULE_POOLS),
        )
    when = []
    for fact, value in raw.when.items():
        if fact not in FACTS:
            text.fail(
                "unknown fact",
                (*here, "when", fact),
                found=fact,
                expected=", ".join(FACTS),
                nearest=nearest(fact, FACTS),
            )
        if value not in _VALUES:
            text.fail("bad value of a fact", (*here, "when", fact), found=repr(value), expected='"yes" or "no"')
        when.append((Fact(fact), _VALUES[value]))
    return Rule(raw.name, tuple(when), Pool(raw.pool), raw.source, raw.date)


def _check(text: TomlText, rules: Sequence[Rule]) -> None:
    """Names are unique, the last rule is unconditional, and every rule can fire."""
    for index, rule in enumerate(rules):
        if rule.name in [earlier.name for earlier in rules[:index]]:
            text.fail("a rule of this name stands above", ("rule", index, "name"), found=rule.name)
    if rules[-1].when:
        text.fail(
            "the last rule has conditions",
            ("rule", len(rules) - 1, "when"),
            found=", ".join(fact for fact, _ in rules[-1].when),
            expected="when = {}",
        )
    for index, rule in enumerate(rules):
        hiders = _hiders(rules, index)
        if hiders:
            text.fail(
                f"rule {rule.name} can never fire: {' and '.join(hiders)} above takes every case",
                ("rule", index),
                found=rule.name,
                expected=f"its place above {hiders[0]}, or other conditions",
            )


def _hiders(rules: Sequence[Rule], index: int) -> tuple[str, ...]:
    """The rule, or else the rules together, that leave nothing to rule ``index``; empty when it can fire."""
    states = [state for state in _complete_states() if _fits(rules[index], state)]
    takers: dict[str, None] = {}
    for state in states:
        taker = next((rule.name for rule in rules[:index] if _fits(rule, state)), None)
        if taker is None:
            return ()
        takers[taker] = None
    alone = [rule.name for rule in rules[:index] if all(_fits(rule, state) for state in states)]
    return (alone[0],) if alone else tuple(takers)


def _fits(rule: Rule, state: int) -> bool:
    return all(state >> (2 * FACTS.index(fact)) & 3 == value for fact, value in rule.when)


@cache
def _complete_states() -> tuple[int, ...]:
    """The 256 states without an unknown fact."""
    return tuple(state for state in valid_states() if all(state >> shift & 3 for shift in range(0, 16, 2)))


@cache
def valid_states() -> tuple[int, ...]:
    """The 6,561 packed states in falling order.

    Falling, because filling in an unknown (0) by no (1) or yes (2) gives a larger number: whoever walks
    this list meets every completion of a state before the state itself.
    """
    states = [0]
    for shift in range(0, 16, 2):
        states = [state | value << shift for state in states for value in (0, 1, 2)]
    return tuple(sorted(states, reverse=True))


class VerdictTable:
    """Every verdict of one profile under one set of assumptions, by the low 16 bits of evidence."""

    def __init__(self, profile: Profile, assume: Mapping[Fact, Known]) -> None:
        self.profile = profile
        self.assume = dict(assume)
        candidates, rules = _combine(profile.rules)
        self._rows: dict[int, tuple[int, int, int, int]] = {}
        for state in valid_states():
            self._rows[state] = _row(_assumed(state, assume), candidates, rules, len(profile.rules))

    def decide(self, evidence: int) -> Decision:
        """The decision for packed evidence; flags beyond the facts are ignored."""
        pool, rule, candidates, fix = self._rows[evidence & 0xFFFF]
        name = UNDETERMINED if rule == len(self.profile.rules) else self.profile.rules[rule].name
        return Decision(POOLS[pool], name, candidates, None if fix == NONE else FIX_NUMBERS[fix])

    def packed(self, rules: Sequence[str] | None = None) -> bytes:
        """65,536 rows of (pool, rule, candidates, fix) as the kernel reads them.

        ``rules``: the names that give the rule numbers, the last being ``undetermined``; by default this
        profile's own. Rows with a 2-bit value of 3 never occur and say *undetermined* without candidates.
        """
        names = list(rules) if rules is not None else [*self.profile.rule_names, UNDETERMINED]
        numbers = [names.index(name) for name in self.profile.rule_names]
        numbers.append(len(names) - 1)
        blank = bytes((POOLS.index(Pool.UNDETERMINED), len(names) - 1, 0, NONE))
        table = bytearray(blank * _STATES)
        for state, (pool, rule, candidates, fix) in self._rows.items():
            table[4 * state : 4 * state + 4] = bytes((pool, numbers[rule], candidates, fix))
        return bytes(table)


def table(profile: Profile, assume: Mapping[Fact, Known], rules: Sequence[str] | None = None) -> bytes:
    """The kernel's verdict table of a profile: see ``VerdictTable.packed``."""
    return VerdictTable(profile, assume).packed(rules)


def _combine(rules: Sequence[Rule]) -> tuple[dict[int, int], dict[int, int]]:
    """For every state: the pools over all completions as bits, and the rule with unknowns harmless."""
    candidates: dict[int, int] = {}
    deciding: dict[int, int] = {}
    for state in valid_states():
        fact = next((i for i in range(len(FACTS)) if not state >> 2 * i & 3), None)
        if fact is None:
            rule = next(index for index, rule in enumerate(rules) if _fits(rule, state))
            candidates[state] = 1 << POOLS.index(rules[rule].pool)
            deciding[state] = rule
        else:
            shift = 2 * fact
            candidates[state] = candidates[state | 1 << shift] | candidates[state | 2 << shift]
            deciding[state] = deciding[state | HARMLESS[FACTS[fact]] << shift]
    return candidates, deciding


def _row(
    state: int, candidates: Mapping[int, int], rules: Mapping[int, int], undetermined: int
) -> tuple[int, int, int, int]:
    pools = candidates[state]
    if pools & (pools - 1) == 0:
        return pools.bit_length() - 1, rules[state], pools, NONE
    fix = FIX_NUMBERS.index(UNKNOWN_FIXES[_decisive_unknown(state, candidates)])
    return POOLS.index(Pool.UNDETERMINED), undetermined, pools, fix


def _decisive_unknown(state: int, candidates: Mapping[int, int]) -> Fact:
    """The unknown fact to find out first (contract, section 6, *undetermined*)."""
    unknown = [fact for fact in UNKNOWN_FIXES if not state >> 2 * FACTS.index(fact) & 3]
    for fact in unknown:
        shift = 2 * FACTS.index(fact)
        if candidates[state | 1 << shift] != candidates[state | 2 << shift]:
            return fact
    return unknown[0]


def _assumed(state: int, assume: Mapping[Fact, Known]) -> int:
    for fact, value in assume.items():
        shift = 2 * FACTS.index(fact)
        if not state >> shift & 3:
            state |= value << shift
    return state


def parse_assume(text: str) -> dict[Fact, Known]:
    """The assumptions in ``spf_pass=no,spam=no``; ``none`` is the empty set. Raises RulesError."""
    if text.strip() == "none":
        return {}
    assume: dict[Fact, Known] = {}
    for item in text.split(","):
        word, _, value = (part.strip() for part in item.partition("="))
        if word not in FACTS:
            raise RulesError(
                "unknown fact in assumptions", found=repr(word), expected=", ".join(FACTS), nearest=nearest(word, FACTS)
            )
        if value not in _VALUES:
            raise RulesError(f"bad assumption of {word}", found=repr(value), expected="yes or no")
        if Fact(word) in assume:
            raise RulesError("assumed twice", found=word)
        assume[Fact(word)] = _VALUES[value]
    return assume


class Selection(NamedTuple):
    """Which profile decides when: ``timeline`` is (since µs, profile index) ascending."""

    name: str
    profiles: tuple[Profile, ...]
    timeline: tuple[tuple[int, int], ...]
    timeless: int


def select(rules: str | Profile) -> Selection:
    """The selection for ``--rules``: one profile always, or by date the one in force at a record's time."""
    if isinstance(rules, Profile):
        return Selection(rules.name, (rules,), ((_BEGINNING, 0),), 0)
    if rules != BY_DATE:
        return select(Profile.load(rules))
    data = shipped_table("timeline")
    names = [period["profile"] for period in data["period"]]
    since = [microseconds(period.get("since")) for period in data["period"]]
    timeline = tuple((_BEGINNING if start is None else start, index) for index, start in enumerate(since))
    return Selection(BY_DATE, tuple(map(Profile.load, names)), timeline, names.index(data["timeless"]))


def newest() -> str:
    """The name of the newest profile of the page, which every summary compares with."""
    name: str = shipped_table("timeline")["newest"]
    return name


def all_rule_names(profiles: Iterable[Profile]) -> list[str]:
    """Rule names of several profiles, each once, in order of appearance; ``undetermined`` last."""
    names = dict.fromkeys(name for profile in profiles for name in profile.rule_names)
    return [*names, UNDETERMINED]
