"""Resolvers that open no socket: over a mapping, over a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from poolsift.dns.answers import NOT_LISTED, Answer, AnswerStatus, Question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from poolsift.dns.snapshot import Snapshot


class DictResolver:
    """Answers from ``{("contoso.com", "MX"): Answer(…)}``; ``default`` answers the rest (unknown, ``not_listed``).

    ``asked`` keeps every question in order.
    """

    def __init__(self, answers: Mapping[tuple[str, str], Answer], default: Answer = NOT_LISTED) -> None:
        self._answers = answers
        self._default = default
        self.asked: list[Question] = []

    @classmethod
    def of_records(
        cls, records: Mapping[str, Mapping[str, Sequence[str]]], default: Answer = NOT_LISTED
    ) -> DictResolver:
        """Of ``{"contoso.com": {"MX": ["10 mail.contoso.com"]}}``; an empty list is an absence."""
        answers = {
            (name, rdtype): Answer(AnswerStatus.PRESENT if rdata else AnswerStatus.ABSENT, tuple(sorted(rdata)))
            for name, types in records.items()
            for rdtype, rdata in types.items()
        }
        return cls(answers, default)

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question."""
        self.asked += questions
        return [self._answers.get(question, self._default) for question in questions]

    async def close(self) -> None:
        """Nothing to close."""


class SnapshotResolver:
    """Answers from a snapshot; what it lacks is unknown, never a query."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    async def resolve(self, questions: Sequence[Question]) -> list[Answer]:
        """One answer a question."""
        return [self._snapshot.lookup(*question) for question in questions]

    async def close(self) -> None:
        """Nothing to close."""
