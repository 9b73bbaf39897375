"""Words, quoted strings, comments and delimiters of a structured header value, in linear time."""

from __future__ import annotations

import re
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class TokenKind(Enum):
    """What a token is."""

    WORD = "word"  #: a run of characters that are none of the others
    QUOTED = "quoted"  #: a quoted string, quotes included
    COMMENT = "comment"  #: a comment without its outer parentheses, nested ones kept
    DELIMITER = "delimiter"  #: one of the delimiters asked for


class Token(NamedTuple):
    """One token; ``text[start:end]`` is where it stands (a comment's parentheses included)."""

    kind: TokenKind
    text: str
    start: int
    end: int


#: The kind of each group of the pattern; there is no group 0.
_KINDS = (TokenKind.WORD, TokenKind.WORD, TokenKind.QUOTED, TokenKind.COMMENT, TokenKind.DELIMITER)
_PARENTHESES = re.compile(r"[()]|\\.", re.DOTALL)


def tokens(text: str, delimiters: str) -> Iterator[Token]:
    """The tokens of ``text`` (RFC 5322 §3.2), each of ``delimiters`` standing alone.

    A quoted string or a comment that never ends is no such thing: from there on quotes and
    parentheses count as spaces. That keeps the scan linear, whatever the value holds.
    """
    pattern = _pattern(delimiters)
    position = 0
    while (match := pattern.match(text, position)) is not None:
        group = match.lastindex or 0
        start, end = match.span(group)
        if group < 5:
            inner = text[start + 1 : end - 1] if group == 3 else text[start:end]
            yield Token(_KINDS[group], inner, start, end)
        else:  # a nested comment, or a quote or parenthesis without its partner
            closing = _comment_end(text, start) if text[start] == "(" else -1
            if closing < 0:
                pattern, position = _bare_pattern(delimiters), end
                continue
            end = closing
            yield Token(TokenKind.COMMENT, text[start + 1 : end - 1], start, end)
        position = end


def unquoted(text: str) -> str:
    """``text`` without the quotes of a quoted string and without its backslashes."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _comment_end(text: str, start: int) -> int:
    """The position after the comment that opens at ``start``, or -1 when it never closes."""
    depth = 0
    for match in _PARENTHESES.finditer(text, start):
        if match.group() == "(":
            depth += 1
        elif match.group() == ")":
            depth -= 1
            if depth == 0:
                return match.end()
    return -1


@cache
def _pattern(delimiters: str) -> re.Pattern[str]:
    special = re.escape(delimiters)
    return re.compile(
        rf'\s*+(?:([^\s()"{special}]++)|("(?:[^"\\]++|\\.)*+")|(\([^()\\]*+\))|([{special}])|(["()]))',
        re.DOTALL,
    )


@cache
def _bare_pattern(delimiters: str) -> re.Pattern[str]:
    special = re.escape(delimiters)
    return re.compile(rf'[\s()"]*+(?:([^\s()"{special}]++)|(?!)()|(?!)()|([{special}]))')
