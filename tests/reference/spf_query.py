"""pyspf over a table of answers, with nothing between: the word for one tuple, and what the word rested on.

Written beside `poolsift.spf.evaluate` and compared with it: every question goes through `dns`, which only reads the
table. Kept of a run: the networks that the client's address was held against, and what of the message was looked at.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import spf

from poolsift.dns.answers import Answer

#: The order of the numbers everywhere; 0 stands for what is not known.
WORDS = ("unknown", "pass", "fail", "softfail", "neutral", "none", "permerror", "temperror")
#: Macro letters whose value the message decides (RFC 7208 section 7.2); `v` only tells the families apart.
OF_THE_MESSAGE = frozenset("islhpcrt")
NOT_RECORDED = "nobodyrecordedit"
LONGEST_RECORD, LONGEST_TERM = 16_384, 512
MANY_ADDRESSES = 64

Ask = Callable[[str, str], Answer]


class Records:
    """Answers in pyspf's form, each made once: a list, or the exception that stands for not knowing."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[tuple[str, str], list[Any] | Exception] = {}

    def __call__(self, name: str, rdtype: str) -> list[Any]:
        found = self._known.get((name, rdtype))
        if found is None:
            found = self._known[name, rdtype] = in_pyspf_form(name, rdtype, self._ask(name, rdtype))
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return found


def in_pyspf_form(name: str, rdtype: str, answer: Answer) -> list[Any] | Exception:
    """What an answer is to pyspf; whatever is not wholly known is a temporary error."""
    if answer.status == "unknown" or (answer.status == "invalid" and answer.reason == "syntax"):
        return spf.TempError(f"{name} {rdtype}: {answer.reason}")
    if answer.status == "present" and not answer.rdata:
        return spf.TempError(f"{name} {rdtype}: not listed")
    if rdtype in {"A", "AAAA"} and len(answer.rdata) >= MANY_ADDRESSES:
        return spf.TempError(f"{name} {rdtype}: perhaps more")
    if rdtype == "MX":
        return [(int(text.split(" ")[0]), text.split(" ")[1]) for text in answer.rdata]
    if rdtype != "TXT":
        return list(answer.rdata)
    if any(too_long(text) for text in answer.rdata):
        return spf.PermError(f"{name}: too long")
    return [(text.encode("utf-8", "surrogatepass"),) for text in answer.rdata]


def too_long(text: str) -> bool:
    """Whether an SPF record is longer, or has a term that is longer, than is worked through."""
    is_spf = text.lower().startswith("v=spf1 ")
    return is_spf and (len(text) > LONGEST_RECORD or any(len(term) > LONGEST_TERM for term in text.split(" ")))


class Plain(spf.query):
    """One evaluation. `helo` None: nobody recorded it."""

    def __init__(self, records: Records, domain: str, address: str, helo: str | None = None, local: str = "postmaster"):
        super().__init__(i=address, s=f"x@{domain}", h=(helo or NOT_RECORDED).removesuffix("."), querytime=0)
        self.l, self.s = local, f"{local}@{domain}"
        self._records = records
        self._no_helo = not helo

    def dns(self, name: str, qtype: str, **_: object) -> list[Any]:
        name = name.lower().removesuffix(".")
        if len(name) > 253 and "." in name:
            name = shortened(name)
        if not carried(name):
            return []
        if self._no_helo and NOT_RECORDED in name:
            raise spf.TempError("no HELO name was recorded")
        found = self._records(name, qtype)
        if not found:
            self.void_lookups += 1
            if self.void_lookups > spf.MAX_VOID_LOOKUPS:
                raise spf.PermError("too many voids")
        return found

    def get_explanation(self, spec: str) -> None:
        """Not looked up: the text behind `exp=` decides nothing."""

    def word(self) -> str:
        """The result. A fault of pyspf's own is a temporary error."""
        try:
            return self.check()[0]
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
            return "temperror"


class Watched(Plain):
    """Keeps what the result rests on: `networks` as (first, one past the last), `macros` and `names_of_client`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.networks: set[tuple[int, int]] = set()
        self.macros: set[str] = set()
        self.names_of_client = False
        super().__init__(*args, **options)

    def cidrmatch(self, ipaddrs: Iterable[str], n: int) -> bool:
        for text in ipaddrs:
            with suppress(ValueError):  # pyspf says so below
                network = ip_network(f"{text}/{n}", strict=False)
                self.networks.add((int(network[0]), int(network[-1]) + 1))
        return super().cidrmatch(ipaddrs, n)

    def expand(self, s: str, stripdot: bool = True) -> str:  # noqa: FBT001, FBT002 - pyspf's own
        found = (macro[2].lower() for macro in (match[0] for match in spf.RE_CHAR.finditer(s)) if macro[1] == "{")
        self.macros |= OF_THE_MESSAGE.intersection(found)
        return super().expand(s, stripdot)

    def validated_ptrs(self) -> list[str]:
        self.names_of_client = True
        return super().validated_ptrs()


def shortened(name: str) -> str:
    """Labels go from the left until 253 characters are left (RFC 7208 section 7.3)."""
    while len(name) > 253 and "." in name:
        name = name.split(".", 1)[1]
    return name


def carried(name: str) -> bool:
    """Whether a packet can ask for the name."""
    return name.isascii() and all(0 < len(label) < 64 for label in name.split("."))
