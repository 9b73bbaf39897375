"""Mailboxes, domains and IP addresses as plain Python reads them (semantics section 2, choices 4 to 8).

Text is `str`; bytes that were no UTF-8 arrive as lone surrogates (`surrogateescape`) and make an address unusable.
"""

import ipaddress
from functools import lru_cache
from typing import NamedTuple

import idna
from publicsuffixlist import PublicSuffixList

ATEXT = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~")
UPPER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
SUFFIXES = PublicSuffixList()


class Mailbox(NamedTuple):
    """What an address column says: `kind` is null_path, unusable, literal or domain; `domain` is canonical."""

    kind: str
    local: str = ""
    domain: str | None = None


UNUSABLE = Mailbox("unusable")
NULL_PATH = Mailbox("null_path")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """ASCII letters in lower case, everything else as it was (`str.lower` would turn KELVIN SIGN into k)."""
    return text.translate(UPPER)


def size(text: str) -> int:
    """Length in bytes as written."""
    return len(text.encode("utf-8", "surrogateescape"))


def is_utf8(text: str) -> bool:
    """False where a byte of the input was no UTF-8."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


@lru_cache(maxsize=1 << 18)
def mailbox(text: str) -> Mailbox:
    """Choice 4: spaces, one pair of brackets, a source route inside them, then local@domain."""
    if text == "" or text.strip(" ") == "<>":
        return NULL_PATH
    halves = written_halves(text)
    return UNUSABLE if halves is None else read(*halves)


def written_halves(text: str) -> tuple[str, str] | None:
    """Local part and domain as written, the domain's own rules not yet looked at; None where it is no address."""
    bare = text.strip(" ")
    if not is_utf8(bare):
        return None
    if bare.startswith("<") and bare.endswith(">"):
        inner = without_route(bare[1:-1])
        return None if inner is None else halve(inner)
    return halve(bare)


def without_route(inner: str) -> str | None:
    """RFC 5321 4.1.2: `@one,@two:local@domain`; None where the route is no route."""
    if not inner.startswith("@"):
        return inner
    route, colon, rest = inner.partition(":")
    hops = route.split(",")
    if colon and all(hop.startswith("@") and domain_shape(hop[1:]) for hop in hops):
        return rest
    return None


def domain_shape(text: str) -> bool:
    """A name whose ASCII labels are good; IDNA is not asked, for nothing is looked up under it."""
    labels = fold(text.removesuffix(".")).split(".")
    return all(label and (not label.isascii() or ascii_label(label)) for label in labels)


def halve(text: str) -> tuple[str, str] | None:
    """`local@domain`, nothing around it."""
    cut = end_of_quoted(text) if text.startswith('"') else text.find("@")
    if cut < 1 or text[cut : cut + 1] != "@":
        return None
    local = text[:cut]
    good = unquoted(local) is not None if local.startswith('"') else dot_string(local)
    if not good or size(local) > 64 or size(text.removesuffix(".")) > 254:
        return None
    return local, text[cut + 1 :]


def read(local: str, written: str) -> Mailbox:
    """The domain's rules: choices 5 and 6."""
    content = (unquoted(local) or "") if local.startswith('"') else local
    if written.startswith("["):
        return Mailbox("literal", content, fold(written)) if is_literal(written) else UNUSABLE
    domain = canonical_domain(written)
    return UNUSABLE if domain is None else Mailbox("domain", content, domain)


def end_of_quoted(text: str) -> int:
    """Index after the closing quote, -1 where there is none."""
    at = 1
    while at < len(text):
        if text[at] == '"':
            return at + 1
        at += 2 if text[at] == "\\" else 1
    return -1


def unquoted(local: str) -> str | None:
    """Content of a quoted string; None where a character may not stand there."""
    content, escaped = [], False
    for char in local[1:-1]:
        if escaped:
            if not " " <= char <= "~":
                return None
            content.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char.isascii() and not " " <= char <= "~":
            return None
        else:
            content.append(char)
    return "".join(content)


def dot_string(local: str) -> bool:
    """Atoms joined by single dots; non-ASCII is allowed (RFC 6531)."""
    atoms = local.split(".")
    return all(atom and all(char in ATEXT or not char.isascii() for char in atom) for atom in atoms)


def is_literal(text: str) -> bool:
    """Choice 6: `[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    if not text.endswith("]"):
        return False
    inner = text[1:-1]
    if fold(inner).startswith("ipv6:"):
        found = ip_address(inner[5:])
        return found is not None and ":" in inner[5:]
    return "." in inner and ":" not in inner and ip_address(inner) is not None


def ascii_label(label: str) -> bool:
    """Choice 5, for a label already in lower case."""
    return 1 <= len(label) <= 63 and set(label) <= LABEL and label[0] != "-" and label[-1] != "-"


@lru_cache(maxsize=1 << 18)
def canonical_domain(text: str) -> str | None:
    """Choice 5: A-labels, lower case, no trailing dot; None where the name is unusable."""
    if not is_utf8(text):
        return None
    labels = [canonical_label(label) for label in fold(text.removesuffix(".")).split(".")]
    if None in labels:
        return None
    name = ".".join(label for label in labels if label)
    return name if len(name) <= 253 else None


def canonical_label(label: str) -> str | None:
    if label.isascii() and not label.startswith("xn--"):
        return label if ascii_label(label) else None
    try:
        return idna.alabel(label).decode("ascii")
    except UnicodeError:  # idna.IDNAError is one
        return None


@lru_cache(maxsize=1 << 18)
def ip_address(text: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Choice 8: what `ipaddress` takes, without scope ids; an IPv4-mapped address is the IPv4 one."""
    if not text or "%" in text:
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


@lru_cache(maxsize=1 << 18)
def organizational(domain: str) -> str:
    """Choice 16: the registrable name; a public suffix or single label is its own."""
    return SUFFIXES.privatesuffix(domain) or domain


def usable_domain(text: str | None) -> str | None:
    """Canonical domain or literal of an address column; None where there is none."""
    return None if text is None else mailbox(text).domain
