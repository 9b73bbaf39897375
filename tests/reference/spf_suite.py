"""The test suite of RFC 7208 through the compiler, and through the evaluator where a test does not compile."""

import ipaddress
from bisect import bisect_right
from collections import Counter
from typing import NamedTuple

from poolsift.domain_facts import canonical_domain
from tests.conftest import NOT_HERE, OUTSIDE
from tests.reference.spf_query import WORDS
from tests.reference.spf_sides import driven
from tests.reference.spf_zone import is_static
from tests.spf.test_rfc7208_suite import Case, ZoneResolver, load, presented, records
from tests.spf.test_rfc7208_suite import run as evaluate_case

SUITE = OUTSIDE / "spf" / "rfc7208-tests.yml"


class Suited(NamedTuple):
    """One test: the word of the table (empty: `reason` says why there is none) beside the evaluator's."""

    name: str
    compiled: str
    reason: str
    static: bool
    evaluated: str
    allowed: list[str]

    @property
    def preferred(self) -> bool:
        """Whether the first of the allowed results comes out, by the table where there is one."""
        return (self.compiled or self.evaluated) == self.allowed[0]


def through_compiler(case: Case) -> Suited:
    """One test of the suite by a compiler of its own."""
    from poolsift.spf.compile import Compiler

    zone, evaluated = ZoneResolver(case.zone), str(evaluate_case(case).result)
    domain = canonical_domain(case.mail_from.rpartition("@")[2] or case.helo)
    if domain is None:
        return Suited(case.name, "", "no domain", False, evaluated, case.results)
    client = ipaddress.ip_address(case.client_ip)
    client = getattr(client, "ipv4_mapped", None) or client
    result = driven(Compiler().compile(domain, client.version), lambda asked: [zone._answer(*one) for one in asked])
    static = is_static(spf_records(case), domain)
    if hasattr(result, "reason"):
        return Suited(case.name, "", result.reason, static, evaluated, case.results)
    word = WORDS[result.words[bisect_right(result.starts, int(client)) - 1]]
    return Suited(case.name, word, "", static, evaluated, case.results)


def spf_records(case: Case) -> dict[str, str]:
    """The SPF records of the scenario, several of one name in one text."""
    found: dict[str, str] = {}
    for name, entries in case.zone.items():
        for kind, value in records(entries):
            if kind == "TXT" and value != "TIMEOUT":
                found[name.lower()] = f"{found.get(name.lower(), '')} {presented(kind, value)}"
    return found


def suite_report() -> str:
    """Counts of the whole suite, in lines for people."""
    if not SUITE.is_file():
        return NOT_HERE
    suited = [through_compiler(case) for case in load(SUITE)]
    compiled = [one for one in suited if one.compiled]
    reasons = Counter(one.reason for one in suited if one.reason)
    wrong = [one.name for one in compiled if one.compiled != one.evaluated]
    return (
        f"RFC 7208 suite: {len(suited)} tests, {len(compiled)} through the compiler, "
        f"{sum(one.preferred for one in suited)} with the preferred result; "
        f"table and evaluator differ in {len(wrong)}: {', '.join(wrong) or 'none'}\n"
        f"not compiled: {', '.join(f'{reason} {number}' for reason, number in reasons.most_common()) or 'none'}"
    )
