"""Reading overlay files: a change a line; what is not understood is refused with its place and the nearest word."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Final, NoReturn

from poolsift.domain_facts import canonical_domain
from poolsift.errors import OverlayError, nearest
from poolsift.networks import parse_network
from poolsift.overlay import Change, ChangeKind
from poolsift.rules import BUILT_IN, BY_DATE
from poolsift.tables import is_special_use
from poolsift.toml_text import TomlText

if TYPE_CHECKING:
    from collections.abc import Callable

    from poolsift.networks import Network

_WORDS: Final = tuple(kind.value for kind in ChangeKind)
_ACCEPT_OPTIONS: Final = ("subdomains", "tenant")
_PREFIX: Final = "an address or a prefix such as 203.0.113.0/24 or 2001:db8:1::/48"
_PROFILES: Final = (*BUILT_IN, BY_DATE)
_TOKEN: Final = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)
    |(?P<quoted>"(?:\\.|[^"\\])*")
    |(?P<equals>=)
    |(?P<bare>[^\s="]+)""",
    re.VERBOSE,
)
_SHOWN: Final = 80


def read_overlay(path: str) -> str:
    """The text of the file at ``path``; unreadable, too large or not UTF-8: OverlayError."""
    return TomlText.read(path, OverlayError).text.removeprefix("\ufeff")


def parse_changes(text: str, path: str) -> tuple[Change, ...]:
    """The changes in a text, one a line; empty lines and comments are skipped. Raises OverlayError."""
    changes = []
    for number, written in enumerate(text.split("\n"), 1):
        line = _Line(written.removesuffix("\r"), path, number)
        if line.tokens:
            changes.append(line.change())
    return tuple(changes)


class _Line:
    """The words of one line, taken one after another."""

    def __init__(self, written: str, path: str, number: int) -> None:
        self.path = path
        self.number = number
        self.key: str | None = None
        self.tokens = self._split(written)

    def _split(self, written: str) -> list[str | None]:
        """The words of the line without quotes; None is an equals sign."""
        tokens: list[str | None] = []
        place = 0
        while place < len(written):
            if written[place].isspace():
                place += 1
                continue
            match = _TOKEN.match(written, place)
            if match is None:
                self.fail("not readable", found=written[place:], expected="a quoted name to end with a quote")
            if match["comment"] is not None:
                break
            if match["quoted"] is not None:
                tokens.append(self._unquoted(match["quoted"]))
            else:
                tokens.append(match["bare"])
            place = match.end()
        return tokens

    def _unquoted(self, written: str) -> str:
        """A name in quotes, with the escapes of JSON."""
        try:
            name: str = json.loads(written, strict=False)
            name.encode()
        except ValueError:
            self.fail("not readable", found=written, expected="a name in quotes, escaped as in JSON")
        return name

    def fail(self, message: str, *, found: str | None = None, expected: str, close: str | None = None) -> NoReturn:
        shown = None if found is None else repr(found[:_SHOWN])
        raise OverlayError(
            message, path=self.path, line=self.number, key=self.key, found=shown, expected=expected, nearest=close
        )

    def change(self) -> Change:
        """The change of this line, all its words taken."""
        word = self.take("one of " + ", ".join(_WORDS))
        if word not in _WORDS:
            self.fail("unknown change", found=word, expected=", ".join(_WORDS), close=nearest(word, _WORDS))
        self.key = word
        change = _READERS[ChangeKind(word)](self)
        if self.tokens:
            self.fail("more than belongs there", found=self.next_word, expected="the end of the line, or a # comment")
        return change

    def take(self, expected: str) -> str:
        """The next word."""
        if not self.tokens:
            self.fail("something is missing", expected=expected)
        token = self.tokens.pop(0)
        if token is None:
            self.fail("not expected here", found="=", expected=expected)
        return token

    def take_equals(self, after: str) -> None:
        if not self.tokens or self.tokens[0] is not None:
            self.fail(
                "something is missing", found=self.next_word if self.tokens else None, expected=f"= after {after}"
            )
        del self.tokens[0]

    def take_domain(self) -> str:
        """The next word as a canonical domain of two labels or more."""
        written = self.take("a domain such as app.contoso.com")
        if written.startswith("*"):
            name = written.lstrip("*.")
            accepts = self.key == ChangeKind.ACCEPT_DOMAIN
            self.fail("wildcards are not written so", found=written, expected=f"{name} subdomains" if accepts else name)
        name = canonical_domain(written) or ""
        if "." not in name:
            self.fail("not a domain name", found=written, expected="a domain such as app.contoso.com")
        return name

    def take_network(self) -> Network:
        """The next word as an address or a prefix, host bits zero."""
        written = self.take(_PREFIX)
        try:
            return parse_network(written if "/" in written else _whole(written))
        except ValueError as problem:
            self.fail(f"not a usable prefix: {problem}", found=written, expected=_without_host_bits(written))

    @property
    def next_word(self) -> str:
        """The next word as written, not taken."""
        return "=" if self.tokens[0] is None else self.tokens[0]


def _whole(address: str) -> str:
    if "%" in address:
        raise ValueError("a scope is no part of an address")
    found = ipaddress.ip_address(address)
    return f"{found}/{found.max_prefixlen}"


def _without_host_bits(written: str) -> str:
    try:
        network = ipaddress.ip_network(written.partition("%")[0], strict=False)
    except ValueError:
        return _PREFIX
    return "a longer prefix" if network.prefixlen == 0 else str(network)


def _accept_domain(line: _Line) -> Change:
    domain, subdomains, tenant = line.take_domain(), False, None
    while line.tokens:
        option = line.take("subdomains or tenant=NAME-OR-ID")
        if option not in _ACCEPT_OPTIONS:
            close = nearest(option, _ACCEPT_OPTIONS)
            line.fail("unknown option", found=option, expected="subdomains, tenant=NAME-OR-ID", close=close)
        if (option == "subdomains" and subdomains) or (option == "tenant" and tenant is not None):
            line.fail("given twice", found=option, expected="each option once")
        if option == "subdomains":
            subdomains = True
        else:
            line.take_equals("tenant")
            tenant = line.take("the name or id of a tenant")
    return Change(ChangeKind.ACCEPT_DOMAIN, domain, subdomains=subdomains, tenant=tenant, line=line.number)


def _publish_dns(line: _Line) -> Change:
    domain = line.take_domain()
    if is_special_use(domain):
        line.fail("cannot be in the public DNS", found=domain, expected="a domain that is not special-use (RFC 6761)")
    return Change(ChangeKind.PUBLISH_DNS, domain, line=line.number)


def _authorize(line: _Line) -> Change:
    network = line.take_network()
    line.take_equals("the address or prefix")
    return Change(ChangeKind.AUTHORIZE, line.take_domain(), network=network, line=line.number)


def _enhanced_filtering(line: _Line) -> Change:
    name = line.take("the name of a gateway of the tenant file")
    if line.tokens:
        line.fail("more than one word", found=line.next_word, expected="a name with spaces in quotes")
    return Change(ChangeKind.ENHANCED_FILTERING, name, line=line.number)


def _sign_dkim(line: _Line) -> Change:
    return Change(ChangeKind.SIGN_DKIM, line.take_domain(), line=line.number)


def _rules(line: _Line) -> Change:
    profile = line.take("a rule profile")
    if profile not in _PROFILES and not profile.endswith(".toml"):
        expected = f"{', '.join(_PROFILES)} or a TOML file"
        line.fail("no such rule profile", found=profile, expected=expected, close=nearest(profile, _PROFILES))
    return Change(ChangeKind.RULES, profile, line=line.number)


_READERS: Final[dict[ChangeKind, Callable[[_Line], Change]]] = {
    ChangeKind.ACCEPT_DOMAIN: _accept_domain,
    ChangeKind.PUBLISH_DNS: _publish_dns,
    ChangeKind.AUTHORIZE: _authorize,
    ChangeKind.ENHANCED_FILTERING: _enhanced_filtering,
    ChangeKind.SIGN_DKIM: _sign_dkim,
    ChangeKind.RULES: _rules,
}
