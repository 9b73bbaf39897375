"""A cache of DNS answers as the whole list of what was put, read backwards; slow and obvious (RFC 2308, 8767, 9520)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class CacheOfPuts:
    """Every answer ever put, by question; `now` is seconds since 1970 and set by whoever tests."""

    def __init__(self, max_stale):
        self.now = 0
        self.max_stale = max_stale
        self.puts = {}

    def put(self, question, answer):
        when = EPOCH + timedelta(seconds=self.now)
        self.puts.setdefault(question, []).append(replace(answer, asked_at=answer.asked_at or when))

    def lookup(self, names, *, any_age=False):
        return self._by_name(names, self._any_age if any_age else self._fresh)

    def stale(self, names):
        return self._by_name(names, self._stale)

    def _by_name(self, names, choose):
        found = {}
        for question, puts in self.puts.items():
            answer = choose(puts)
            if question.name in names and answer is not None:
                found.setdefault(question.name, {})[question.rdtype] = answer
        return found

    def _definite(self, puts):
        """The last answer that is not unknown, unless a confirmation doubted just that absence afterwards."""
        later = []
        for answer in reversed(puts):
            if answer.status != "unknown":
                doubted = any(failure.reason in ("unconfirmed", "lame") for failure in later)
                return None if doubted and answer.status == "absent" and not answer.confirmed else answer
            later.append(answer)
        return None

    def _failure(self, puts):
        """The last answer if it is unknown, kept 5, 10, 20 … 300 s by how many of them there were in a row."""
        in_a_row = 0
        while in_a_row < len(puts) and puts[-1 - in_a_row].status == "unknown":
            in_a_row += 1
        return replace(puts[-1], ttl=min(300, 5 * 2 ** (in_a_row - 1))) if in_a_row else None

    def _age(self, answer):
        return self.now - (answer.asked_at - EPOCH).total_seconds()

    def _is_fresh(self, answer):
        kept = answer is not None and answer.status != "invalid" and answer.ttl
        return bool(kept) and -5 <= self._age(answer) < answer.ttl

    def _fresh(self, puts):
        failure, definite = self._failure(puts), self._definite(puts)
        if self._is_fresh(failure):
            return failure
        return definite if self._is_fresh(definite) else None

    def _any_age(self, puts):
        failure, fresh = self._failure(puts), self._fresh(puts)
        if fresh is None or (failure and fresh.status == "absent" and not fresh.confirmed):
            return failure or self._definite(puts)
        return fresh

    def _stale(self, puts):
        answer = self._definite(puts)
        if answer is None or answer.status == "invalid" or not answer.ttl or self._age(answer) < -5:
            return None
        if answer.status == "absent" and not answer.confirmed and self._failure(puts):
            return None
        if self._is_fresh(answer):
            usable = self._fresh(puts).status == "unknown"
        else:
            usable = self.max_stale > 0 and self._age(answer) <= answer.ttl + self.max_stale
        return replace(answer, ttl=30) if usable else None
