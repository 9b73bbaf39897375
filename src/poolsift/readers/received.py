"""Received values: who handed the message to whom (RFC 5321 §4.4 and what servers make of it).

Forms that are read::

    from HELO (PTR [ADDRESS]) by HOST (Postfix) with ESMTPS id … for <RECIPIENT>; DATE      Postfix, sendmail
    from PTR ([ADDRESS]:PORT helo=HELO) by HOST with esmtps (…) (envelope-from <…>)         Exim
    from PTR ([ADDRESS]:PORT "EHLO HELO" …) by HOST with ESMTP id …                         zmailer
    from PTR (HELO HELO) (ADDRESS) by HOST with SMTP                                        qmail
    from HELO (ADDRESS) by HOST (ADDRESS) with Microsoft SMTP Server (…) id …               Exchange
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from poolsift.readers.header_dates import header_date
from poolsift.readers.header_tokens import Token, TokenKind, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

#: Domains of Microsoft's own transport hosts: a message taken *by* one of them has not left.
#: Worldwide, US Government and 21Vianet services.
MICROSOFT_HOSTS = (
    ".outlook.com",
    ".office365.com",
    ".exchangelabs.com",
    ".office365.us",
    ".outlook.us",
    ".partner.outlook.cn",
    ".hotmail.com",
)

_BRACKETED_ADDRESS = re.compile(r"\[(?:IPv6:)?([0-9a-f]*[.:][0-9a-f.:]*)(?:%[^\]\s]*)?\]", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"\s*(?:IPv6:)?([0-9a-f]*[.:][0-9a-f.:]+)(?:%\w+)?(?=\s*(?:$|/))", re.IGNORECASE)
_HELO = re.compile(r"(?:^|[\s\"(\[])(?:helo=|(?:EHLO|HELO)\s+)([^\s\"()]+)", re.IGNORECASE)
_REVERSE_NAME = re.compile(r"\s*(?:[^\s@\[\]()\"]*@)?([^\s@\[\]()\"]+)\s*\[")
_ENVELOPE_FROM = re.compile(r"\s*envelope-from\s+<?([^\s<>]*)>?", re.IGNORECASE)


class Hop(NamedTuple):
    """One Received value; what it does not say is None.

    ``helo`` is the name that the client gave, ``reverse_name`` the one that the server found for
    ``address`` (the PTR record); ``by`` is the server. ``mail_from`` is ``<>`` for the null
    reverse-path; ``date`` is what stands after the last semicolon.
    """

    helo: str | None
    reverse_name: str | None
    address: str | None
    by: str | None
    recipient: str | None
    mail_from: str | None
    date: str | None

    @property
    def time(self) -> datetime | None:
        """When the server took the message, in UTC."""
        return None if self.date is None else header_date(self.date)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the client, the one that the server found first."""
        return tuple(name for name in (self.reverse_name, self.helo) if name)

    def host_under(self, suffixes: Sequence[str]) -> str | None:
        """The client's name under one of ``suffixes``, the one found by the server if there is a choice."""
        return next((name for name in self.names if is_under(name, suffixes)), None)

    @property
    def by_microsoft(self) -> bool:
        """Taken by a host of Microsoft's."""
        return self.by is not None and is_under(self.by, MICROSOFT_HOSTS)


def is_under(name: str, suffixes: Sequence[str]) -> bool:
    """True if ``name`` is below one of the suffixes (each with its leading dot, lower case)."""
    return name.lower().rstrip(".").endswith(tuple(suffixes))


def parse_received(text: str) -> Hop:
    """What an unfolded Received value says. No text is an error: what is not understood is None."""
    found = list(tokens(text, ";"))
    date = 0
    for token in found:
        if token.kind is TokenKind.DELIMITER:
            date = token.end
    clauses = [token for token in found if token.kind is not TokenKind.DELIMITER]
    by = _keyword(clauses, "by")
    client = clauses[:by] if by is not None else clauses
    helo, reverse_name, address = _client(client)
    return Hop(
        helo=helo,
        reverse_name=reverse_name,
        address=address,
        by=_word_after(clauses, by),
        recipient=_path_after(text, clauses, _keyword(clauses, "for", by or 0)),
        mail_from=_envelope_from(clauses),
        date=text[date:].strip() if date else None,
    )


def _keyword(clauses: list[Token], word: str, start: int = 0) -> int | None:
    for index in range(start, len(clauses)):
        if clauses[index].kind is TokenKind.WORD and clauses[index].text.lower() == word:
            return index
    return None


def _word_after(clauses: list[Token], index: int | None) -> str | None:
    if index is None or index + 1 >= len(clauses) or clauses[index + 1].kind is not TokenKind.WORD:
        return None
    return clauses[index + 1].text


def _path_after(text: str, clauses: list[Token], index: int | None) -> str | None:
    """The address after ``for``: all that stands together, without its angle brackets."""
    if index is None or index + 1 >= len(clauses):
        return None
    last = index + 1
    while last + 1 < len(clauses) and clauses[last + 1].start == clauses[last].end:
        last += 1
    path = text[clauses[index + 1].start : clauses[last].end].removeprefix("<").removesuffix(">")
    return path if "@" in path else None


def _client(client: list[Token]) -> tuple[str | None, str | None, str | None]:
    """HELO name, reverse name and address of the ``from`` clause."""
    if not client or client[0].kind is not TokenKind.WORD or client[0].text.lower() != "from":
        return None, None, None
    name = client[1].text if len(client) > 1 and client[1].kind is TokenKind.WORD else ""
    said = reverse_name = address = None
    for token in client:
        if token.kind is TokenKind.COMMENT:
            said = said or _first(_HELO, token.text)
            reverse_name = reverse_name or _reverse_name(token.text)
            address = address or _address(token.text)
    address = address or _address(name)
    if said is None:
        return _name(name), reverse_name, address
    # Where the greeting is quoted, the name before it is the one that the server found.
    return _name(said), reverse_name or _name(name), address


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1) if match else None


def _address(text: str) -> str | None:
    match = _BRACKETED_ADDRESS.search(text) or _BARE_ADDRESS.match(text)
    return match.group(1) if match else None


def _reverse_name(comment: str) -> str | None:
    """The name before the bracketed address, unless the server says that it may be forged."""
    match = _REVERSE_NAME.match(comment)
    if match is None or "may be forged" in comment:
        return None
    return _name(match.group(1))


def _name(text: str) -> str | None:
    """A host name; an address literal, ``unknown`` and the like are none."""
    if not text or "[" in text or text.lower() in {"unknown", "helo", "ehlo"}:
        return None
    return text


def _envelope_from(clauses: list[Token]) -> str | None:
    for token in clauses:
        if token.kind is TokenKind.COMMENT and (match := _ENVELOPE_FROM.match(token.text)):
            return match.group(1) or "<>"
    return None
