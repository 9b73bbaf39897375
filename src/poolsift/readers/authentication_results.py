"""Authentication-Results values as Microsoft 365 and others write them (RFC 8601, RFC 8617).

Microsoft's own form names no authentication service and adds words of its own::

    spf=fail (sender IP is 203.0.113.13) smtp.mailfrom=contoso.com; dkim=none (message not signed)
     header.d=none;dmarc=fail action=oreject header.from=contoso.com;compauth=fail reason=000

so this scanner asks for nothing but ``method=result`` and ``property=value`` pairs.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from poolsift.readers.header_tokens import Token, TokenKind, tokens, unquoted

#: Methods that begin a new result even where the ``;`` before them is missing.
_METHODS = frozenset({"spf", "dkim", "dmarc", "arc", "compauth", "auth", "iprev"})
_SENDER_ADDRESS = re.compile(r"\bsender ip is\s+([0-9a-f:.]+)(?![^\s;,)])", re.IGNORECASE)
_INSTANCE = re.compile(r"\s*i\s*=\s*(\d{1,3})\s*;", re.IGNORECASE)


class MethodResult(NamedTuple):
    """One ``method=result`` with what was written about it; names and the result in lower case."""

    method: str
    word: str
    comments: tuple[str, ...]
    properties: tuple[tuple[str, str], ...]

    def value(self, name: str) -> str | None:
        """The first value of a property such as ``header.d``; None when it is not written."""
        return next((value for key, value in self.properties if key == name), None)


class AuthenticationResults(NamedTuple):
    """One header value: who wrote it and its results in order.

    ``authserv_id`` is None in Microsoft's own form; ``instance`` is the ``i=`` of an ARC header.
    """

    authserv_id: str | None
    instance: int | None
    results: tuple[MethodResult, ...]

    def of(self, method: str) -> list[MethodResult]:
        """The results of one method, in order."""
        return [result for result in self.results if result.method == method]

    @property
    def _spf_result(self) -> MethodResult | None:
        # A stamp may hold a result for HELO too; the one for MAIL FROM is meant (RFC 8601 §2.7.2).
        found = self.of("spf")
        named = [result for result in found if result.value("smtp.mailfrom") is not None]
        return next(iter(named or found), None)

    @property
    def spf(self) -> str | None:
        """The SPF result word."""
        result = self._spf_result
        return result.word if result else None

    @property
    def spf_comments(self) -> tuple[str, ...]:
        """What was written in parentheses about the SPF result."""
        result = self._spf_result
        return result.comments if result else ()

    @property
    def spf_client_address(self) -> str | None:
        """The address that SPF was checked for, from ``(sender IP is …)``."""
        for comment in self.spf_comments:
            if match := _SENDER_ADDRESS.search(comment):
                return match.group(1)
        return None

    @property
    def mail_from(self) -> str | None:
        """``smtp.mailfrom`` as written: Microsoft gives the domain alone, others an address."""
        result = self._spf_result
        return result.value("smtp.mailfrom") if result else None

    @property
    def dkim(self) -> str | None:
        """``pass`` if any signature passed; else an unfinished check; else the first result."""
        words = [result.word for result in self.of("dkim")]
        for word in ("pass", "temperror", "timeout"):
            if word in words:
                return word
        return words[0] if words else None

    @property
    def dkim_domains(self) -> list[str]:
        """``header.d`` of every signature that passed, in order, each once."""
        domains = [result.value("header.d") for result in self.of("dkim") if result.word == "pass"]
        return list(dict.fromkeys(domain for domain in domains if domain and domain.lower() != "none"))

    @property
    def dmarc(self) -> str | None:
        """The DMARC result word."""
        return next((result.word for result in self.of("dmarc")), None)

    @property
    def header_from(self) -> str | None:
        """``header.from`` as written: the domain of the From header."""
        values = (result.value("header.from") for result in self.of("dmarc") or self.results)
        return next((value for value in values if value), None)

    @property
    def made_at_submission(self) -> bool:
        """True for the stamp on mail that a mailbox hands in: it says nothing about the sender.

        It has no ``spf=``, and ``header.d=none;dmarc=none``.
        """
        if self.of("spf") or self.dmarc != "none":
            return False
        return any(result.value("header.d") == "none" for result in self.of("dkim"))


def parse_authentication_results(text: str) -> AuthenticationResults:
    """What an unfolded Authentication-Results or ARC-Authentication-Results value says.

    Anything that is not a ``name=value`` pair is skipped; no text is an error.
    """
    instance = _INSTANCE.match(text)
    results: list[MethodResult] = []
    authserv_id = None
    for number, segment in enumerate(_segments(text[instance.end() :] if instance else text)):
        found = _segment_results(segment)
        results += found
        if number == 0 and not found and segment and segment[0].kind is not TokenKind.DELIMITER:
            authserv_id = unquoted(segment[0].text).lower()
    return AuthenticationResults(authserv_id, int(instance.group(1)) if instance else None, tuple(results))


def _segments(text: str) -> list[list[Token]]:
    """The tokens between the semicolons; comments before the first word of the value are dropped."""
    segments: list[list[Token]] = [[]]
    for token in tokens(text, ";="):
        if token.kind is TokenKind.DELIMITER and token.text == ";":
            segments.append([])
        elif token.kind is not TokenKind.COMMENT or segments[-1]:
            segments[-1].append(token)
    return segments


def _segment_results(segment: list[Token]) -> list[MethodResult]:
    """The results of one segment: as a rule one, more where semicolons are missing."""
    results: list[tuple[str, str, list[str], list[tuple[str, str]]]] = []
    index = first = 0
    while index < len(segment):
        token = segment[index]
        index += 1
        if token.kind is TokenKind.COMMENT and results:
            results[-1][2].append(token.text)
        if token.kind is not TokenKind.DELIMITER:
            continue
        name = _name(segment, first, index - 1)
        if name:
            value, notes, index = _value(segment, index)
            method = name.partition("/")[0]
            if not results or method in _METHODS:
                results.append((method, value.lower(), notes, []))
            else:
                results[-1][2].extend(notes)
                results[-1][3].append((name, value))
        first = index
    return [MethodResult(name, word, tuple(notes), tuple(pairs)) for name, word, notes, pairs in results]


def _is_equals(segment: list[Token], index: int) -> bool:
    return index < len(segment) and segment[index].kind is TokenKind.DELIMITER


def _name(segment: list[Token], first: int, end: int) -> str:
    """The name before the ``=`` at ``end``, in lower case, not reaching below ``first``; empty when there is none.

    Blanks and comments may surround its ``.`` or ``/`` (RFC 8601 §2.2): ``policy (c) . expired``.
    """
    parts: list[str] = []
    for index in range(end - 1, first - 1, -1):
        token = segment[index]
        if token.kind is TokenKind.COMMENT:
            continue
        joined = not parts or parts[-1][0] in "./" or token.text[-1] in "./"
        if token.kind is not TokenKind.WORD or not joined:
            break
        parts.append(token.text)
    return "".join(reversed(parts)).lower()


def _begins_pair(segment: list[Token], index: int) -> bool:
    """Whether behind an ``=`` and a blank the next pair begins, so that the value is empty.

    ``smtp.mailfrom= dkim=pass``, but not ``header.b= c2lnbmF0dXJl==``.
    """
    word = segment[index].text.lower()
    apart = segment[index].start > segment[index - 1].end
    return apart and _is_equals(segment, index + 1) and (word in _METHODS or "." in word)


def _value(segment: list[Token], start: int) -> tuple[str, list[str], int]:
    """The value that begins at ``start``, the comments before it, and the index after it.

    A value is all that stands together: ``"a b"@example.com``, ``c2lnbmF0dXJl==``.
    """
    first = start
    while first < len(segment) and segment[first].kind is TokenKind.COMMENT:
        first += 1
    index = first
    while index < len(segment) and segment[index].kind is not TokenKind.COMMENT:
        if index > first and segment[index].start != segment[index - 1].end:
            break
        if index == first and _begins_pair(segment, index):
            break
        index += 1
    text = "".join(token.text for token in segment[first:index])
    return unquoted(text) if index == first + 1 else text, [token.text for token in segment[start:first]], index
