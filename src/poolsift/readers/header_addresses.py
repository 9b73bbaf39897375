"""The addresses inside From, Sender and Return-Path values, without display names and comments."""

from __future__ import annotations

from poolsift.readers.header_tokens import Token, TokenKind, tokens

NULL_REVERSE_PATH = "<>"


def mailboxes(text: str) -> list[str]:
    """The address of every mailbox in an address list (RFC 5322 §3.4), as written.

    Whether an address is usable is for the classifier to say. A display name without an address
    is no mailbox; ``<a@example.com> <b@example.com>``, which could be either, is given whole, so
    that it is unusable. A source route keeps its angle brackets. No encoded word is decoded.
    """
    found: list[str] = []
    element: list[Token] = []
    angle = 0
    for token in tokens(text, "<>,:;"):
        delimiter = token.text if token.kind is TokenKind.DELIMITER else ""
        if delimiter == "<":
            angle += 1
        elif delimiter == ">":
            angle = 0
        if angle or delimiter not in {",", ":", ";"}:
            element.append(token)
            continue
        if delimiter != ":":  # what stands before a colon is the name of a group
            found += _element_address(text, element)
        element = []
    return found + _element_address(text, element)


def reverse_path(text: str) -> str | None:
    """The MAIL FROM that a Return-Path value records: an address, ``<>``, or None for none."""
    stripped = text.strip()
    if stripped == NULL_REVERSE_PATH:
        return NULL_REVERSE_PATH
    found = mailboxes(stripped)
    return found[0] if len(found) == 1 else None


def domain_of(address: str) -> str:
    """What stands after the last ``@``, lower case; the whole text where there is none."""
    return address.strip().strip("<>").rpartition("@")[2].rstrip(".").lower()


def _element_address(text: str, element: list[Token]) -> list[str]:
    """The address of one element of a list, as a list of none or one."""
    opening = [index for index, token in enumerate(element) if _is(token, "<")]
    if not opening:
        return _bare_address(element)
    closing = [index for index, token in enumerate(element) if _is(token, ">")]
    if len(opening) != 1 or len(closing) != 1 or closing[0] < opening[0]:
        return [text[element[0].start : element[-1].end]]
    inner = text[element[opening[0]].end : element[closing[0]].start].strip()
    if inner.startswith("@"):
        return [f"<{inner}>"]
    return [inner] if inner else []


def _bare_address(element: list[Token]) -> list[str]:
    """The address of an element without angle brackets: its words, comments left out."""
    parts: list[str] = []
    end = None
    for token in element:
        if token.kind is TokenKind.COMMENT:
            end = token.end if token.start == end else end
            continue
        if end is not None and token.start != end:
            parts.append(" ")
        parts.append(token.text)
        end = token.end
    address = "".join(parts)
    return [address] if "@" in address else []


def _is(token: Token, delimiter: str) -> bool:
    return token.kind is TokenKind.DELIMITER and token.text == delimiter
