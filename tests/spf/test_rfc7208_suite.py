"""The test suite of RFC 7208, all of it, over our resolver: 16 scenarios, 203 tests."""

import asyncio
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.spf.evaluate import MOST_QUESTIONS, evaluate


class Case(NamedTuple):
    """One test of the suite with the zone of its scenario."""

    name: str
    zone: dict[str, list]
    client_ip: str
    mail_from: str
    helo: str
    results: list[str]


class ZoneResolver:
    """Answers from the zone data of one scenario; aliases are followed, as our layer does.

    ``merges``: identical records become one, as every cache may do and ours does.
    """

    def __init__(self, zone, merges=False):
        self._merges = merges
        self._zone = {name.lower(): entries for name, entries in zone.items()}

    async def resolve(self, questions):
        return [self._answer(*question) for question in questions]

    def _answer(self, name, rdtype, aliases=0):
        entries = self._zone.get(name, [])
        found = [value for kind, value in records(entries) if kind == rdtype]
        if found and "TIMEOUT" not in found:
            rdata = [presented(rdtype, value) for value in found]
            return Answer(AnswerStatus.PRESENT, tuple(sorted(set(rdata) if self._merges else rdata)))
        if found or "TIMEOUT" in entries:
            return unknown(Reason.TIMEOUT)
        target = next((value for kind, value in records(entries) if kind == "CNAME"), None)
        if target is None:
            return Answer(AnswerStatus.ABSENT, reason=Reason.NODATA if entries else Reason.NXDOMAIN)
        return unknown(Reason.CNAME_LIMIT) if aliases > 10 else self._answer(target.lower(), rdtype, aliases + 1)


def records(entries) -> Iterator[tuple[str, object]]:
    """(type, value) of a name's entries. A record of type SPF is there as TXT too unless TXT is given, be it NONE."""
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    has_txt = any(kind == "TXT" for kind, _ in pairs)
    for kind, value in pairs:
        if kind == "SPF" and not has_txt:
            yield "TXT", value
        elif (kind, value) != ("TXT", "NONE"):
            yield kind, value


def presented(rdtype, value) -> str:
    """The value in presentation format, as an Answer holds it."""
    if rdtype == "MX":
        preference, host = value
        return f"{preference} {host or '.'}"
    return "".join(value) if isinstance(value, list) else value


@cache
def load(path: Path) -> list[Case]:
    """Every test of the suite."""
    scenarios = [scenario for scenario in yaml.safe_load_all(path.read_text(encoding="utf-8")) if scenario]
    return [
        Case(
            f"{scenario['description']}: {name}",
            scenario["zonedata"],
            test["host"],
            test["mailfrom"],
            test["helo"],
            test["result"] if isinstance(test["result"], list) else [test["result"]],
        )
        for scenario in scenarios
        for name, test in scenario["tests"].items()
    ]


def run(case: Case, merges=False):
    """The outcome of one test; the sender is split at its last "@", as a mail address is."""
    local, _, domain = case.mail_from.rpartition("@")
    return asyncio.run(
        evaluate(
            case.client_ip,
            domain or None,
            case.helo,
            ZoneResolver(case.zone, merges),
            mail_from_local=local or "postmaster",
        )
    )


def not_preferred(cases, merges=False) -> dict[str, tuple]:
    """Tests with another result than the first allowed one: what is allowed, what came out."""
    results = {case.name: str(run(case, merges).result) for case in cases}
    return {case.name: (case.results, results[case.name]) for case in cases if results[case.name] != case.results[0]}


@pytest.fixture(scope="module")
def cases(shared) -> list[Case]:
    """The suite."""
    return load(shared / "spf" / "rfc7208-tests.yml")


def test_every_test_of_the_suite_gives_the_preferred_result(cases):
    """203 of 203: the first of the allowed results, without an exception."""

    assert not_preferred(cases) == {}
    assert len({case.name for case in cases}) == 203


def test_merged_identical_records_change_one_test_to_its_other_allowed_result(cases):
    """Two identical SPF records cannot be told from one behind a cache; the suite allows both results there."""
    changed = not_preferred(cases, merges=True)

    assert changed == {"Selecting records: multispf1": (["permerror", "fail"], "fail")}


def test_no_test_of_the_suite_asks_more_than_the_rfc_allows(cases):
    """The suite's records for the limits stay below them too."""
    most = max(run(case).queries for case in cases)

    assert 10 < most <= MOST_QUESTIONS


def test_the_zone_of_a_scenario_is_read_as_the_suite_means_it():
    """SPF counts as TXT unless TXT is given; NONE is no record; TIMEOUT stands for what is not listed."""
    zone = {
        "a.example": [{"SPF": "v=spf1 -all"}],
        "b.example": [{"SPF": "v=spf1 -all"}, {"TXT": "NONE"}],
        "c.example": [{"A": "192.0.2.1"}, "TIMEOUT"],
        "d.example": [{"CNAME": "a.example"}],
    }
    questions = [
        Question(name, rdtype)
        for name, rdtype in [
            ("a.example", "TXT"),
            ("b.example", "TXT"),
            ("c.example", "A"),
            ("c.example", "TXT"),
            ("d.example", "TXT"),
        ]
    ]
    answers = asyncio.run(ZoneResolver(zone).resolve(questions))

    assert [str(answer.status) for answer in answers] == ["present", "absent", "present", "unknown", "present"]
