"""Zones for SPF tests, and the outcome over them in one call."""

import asyncio

from poolsift.dns.adapters import DictResolver
from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.spf.evaluate import evaluate

NOTHING = Answer(AnswerStatus.ABSENT, reason=Reason.NXDOMAIN)


def zone(records) -> DictResolver:
    """A resolver of `{"a.example": {"TXT": [...]}}`, or of `{"a.example": "v=spf1 ..."}`; what is not there is absent."""
    full = {name: {"TXT": [types]} if isinstance(types, str) else types for name, types in records.items()}
    return DictResolver.of_records(full, default=NOTHING)


def ask(records, client_ip="192.0.2.1", domain="example.com", helo="mail.example.org", **options):
    """The outcome for a zone, or for a resolver."""
    resolver = zone(records) if isinstance(records, dict) else records
    return asyncio.run(evaluate(client_ip, domain, helo, resolver, **options))


class BatchedResolver:
    """Passes questions on and keeps which were asked together; each answer takes `seconds` of the loop's time."""

    def __init__(self, records, seconds=0.0):
        self._inner = zone(records)
        self._seconds = seconds
        self.batches = []

    async def resolve(self, questions):
        self.batches.append([tuple(question) for question in questions])
        await asyncio.sleep(self._seconds)
        return await self._inner.resolve(questions)

    @property
    def asked(self):
        return [question for batch in self.batches for question in batch]
