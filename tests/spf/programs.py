"""Programs compiled over a zone, and what they say of single addresses beside what the evaluator says of them."""

import ipaddress
from bisect import bisect_right

from poolsift.dns.adapters import DictResolver
from poolsift.records import SPF_WORDS
from poolsift.spf.compile import Compiler, Program
from poolsift.spf.evaluate import evaluation
from tests.spf.zone import NOTHING, zone


def drive(asking, resolver, batches=None):
    """The end of a question generator over what a DictResolver holds; `batches` takes what was asked together."""
    try:
        questions = next(asking)
        while True:
            if batches is not None:
                batches.append([tuple(question) for question in questions])
            questions = asking.send([resolver._answers.get(question, resolver._default) for question in questions])
    except StopIteration as end:
        return end.value


def resolver_of(records) -> DictResolver:
    """The resolver itself, or one of a zone."""
    return zone(records) if isinstance(records, dict) else records


def with_answers(records, answers) -> DictResolver:
    """A zone in which some questions, (name, type), have these answers."""
    return DictResolver(zone(records)._answers | answers, NOTHING)


def compiled(records, domain="example.com", family=4, compiler=None, batches=None):
    """The program, or why there is none."""
    return drive((compiler or Compiler()).compile(domain, family), resolver_of(records), batches)


def word_at(program: Program, address: str) -> str:
    """The word that a program has for an address of its family."""
    number = int(ipaddress.ip_address(address))
    return SPF_WORDS[program.words[bisect_right(program.starts, number) - 1] - 1]


def words_at(records, *addresses, **options) -> list[str]:
    """The words for addresses of either family, each by the program of its own."""
    return [
        word_at(compiled(records, family=ipaddress.ip_address(address).version, **options), address)
        for address in addresses
    ]


def disagreements(records, domain="example.com", families=(4, 6)) -> list[tuple]:
    """(address, compiled, evaluated) wherever the two differ on the first or last address of a segment."""
    resolver = resolver_of(records)
    found = []
    for family in families:
        program = compiled(resolver, domain, family)
        ends = [start - 1 for start in program.starts[1:]] + [2 ** (32 if family == 4 else 128) - 1]
        for number in sorted({*program.starts, *ends}):
            address = str((ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address)(number))
            evaluated = str(drive(evaluation(address, domain, "mail.example.org"), resolver).result)
            if word_at(program, address) != evaluated:
                found.append((address, word_at(program, address), evaluated))
    return found
