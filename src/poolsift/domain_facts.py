"""What is known about domain names: canonical forms, organizational domains, and one run's memo of them."""

from __future__ import annotations

import re
import threading
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from poolsift._native.core import DomainMemo, Kernel
    from poolsift.classifier import SpfSource

#: Bits of ``need`` in what the kernel asks.
NEEDS_IDNA = 1
NEEDS_ORGANIZATIONAL = 2

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ASCII_NAME = re.compile(rf"{_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_ASCII_NAMES = re.compile(rf"(?:{_LABEL.pattern}(?:\.{_LABEL.pattern})*+\n)*+")
_MAX_NAME = 253
#: From here on it pays to read the list's rules before asking it name by name.
_MANY = 10_000


def canonical_domain(name: str) -> str | None:
    """The canonical form of a domain name (A-labels, lower case, no trailing dot), or None if unusable.

    ASCII labels are folded; a label with a non-ASCII character or beginning ``xn--`` goes through
    IDNA 2008 without UTS 46 mapping. Labels are split at U+002E only.
    """
    name = name.removesuffix(".")
    lowered = name.lower() if name.isascii() else name
    if "xn--" not in lowered and _ASCII_NAME.fullmatch(lowered):
        return lowered if len(lowered) <= _MAX_NAME else None
    labels = [_canonical_label(label) for label in name.split(".")]
    if any(label is None for label in labels):
        return None
    canonical = ".".join(label for label in labels if label)
    return canonical if len(canonical) <= _MAX_NAME else None


def canonical_domains(names: Sequence[str]) -> list[str] | None:
    """Canonical forms of many plain ASCII names at once; None when one of them needs a closer look."""
    joined = "\n".join(names)
    if not joined.isascii():  # before anything is folded: the Kelvin sign in lower case is a plain k
        return None
    text = joined.lower() + "\n"
    plain = "xn--" not in text and _ASCII_NAMES.fullmatch(text)
    if not plain or max(map(len, names)) > _MAX_NAME:
        return None
    canonical = text.split("\n")[:-1]
    return canonical if len(canonical) == len(names) else None  # a name may hold a line end


def _canonical_label(label: str) -> str | None:
    if label.isascii():
        lowered = label.lower()
        if not lowered.startswith("xn--"):
            return lowered if _LABEL.fullmatch(lowered) else None
        label = lowered
    import idna

    # U+0041–U+005A are not valid in IDNA 2008; the address grammar folds ASCII before it asks.
    folded = "".join(c.lower() if c.isascii() else c for c in label)
    try:
        return idna.alabel(folded).decode("ascii")
    except (idna.IDNAError, UnicodeError, IndexError):
        return None


@cache
def _public_suffixes() -> Any:
    """The bundled public suffix list, ICANN and private part; parsed at the first question only."""
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=True)


def organizational_domain(name: str) -> str:
    """The registrable parent of a canonical name by the public suffix list.

    A name that is itself a public suffix or a single label is its own organizational domain.
    """
    if name.count(".") <= 1:  # a.b is registrable or a public suffix: its own organizational domain either way
        return name
    registrable: str | None = _public_suffixes().privatesuffix(name)
    return registrable if registrable is not None else name


def public_suffixes_among(names: Collection[str]) -> list[str]:
    """Those of the canonical names below which anybody can register (``com``, ``co.uk``), sorted."""
    candidates = _listed_suffixes().intersection(names) if len(names) > _MANY else names
    suffixes = _public_suffixes()
    return sorted(name for name in candidates if suffixes.privatesuffix(name) is None)


@cache
def _listed_suffixes() -> frozenset[str]:
    """The names that the bundled list has a plain rule for, in Unicode or ASCII as written there."""
    from importlib.resources import files

    lines = files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8").split("\n")
    return frozenset(line.strip() for line in lines if line and not line.startswith(("//", "*", "!")))


class DomainFacts:
    """The memo of one run: each distinct name is made canonical and given its organizational domain once.

    Bound to one kernel. Calls are serialised by a lock; give each thread its own to run in parallel.
    Results of classification never depend on what a memo has seen.
    """

    def __init__(self, kernel: Kernel) -> None:
        from poolsift._native.core import DomainMemo

        self.kernel = kernel
        self.memo: DomainMemo = DomainMemo(kernel)
        self.lock = threading.Lock()

    def fill(self, names: Iterable[tuple[int, str, int]]) -> None:
        """Answers what the kernel asked: (id, text, need) for each name it does not know yet."""
        for number, text, need in names:
            canonical = canonical_domain(text) if need & NEEDS_IDNA else text
            wanted = canonical is not None and need & NEEDS_ORGANIZATIONAL
            self.memo.fill(number, canonical, organizational_domain(canonical) if wanted and canonical else None)

    def answer_spf(self, source: SpfSource) -> None:
        """Fills the source's table until the batch whose names were answered lacks nothing there.

        Raises RuntimeError for a source that leaves questions open.
        """
        epoch, asked = source.table.epoch, self.memo.spf_asked()
        while asked:  # where no program can be made, outcomes are asked next
            before = asked
            source.answer(asked)
            asked = self.memo.spf_asked()
            if asked == before and epoch == source.table.epoch:
                msg = f"the source of SPF left {len(asked)} questions open, the first: {asked[0]!r}"
                raise RuntimeError(msg)
            epoch = source.table.epoch

    @property
    def timeless_rows(self) -> int:
        """Rows without time that were classified under a selection by date so far."""
        return self.memo.timeless_rows

    def unseen_pool_names(self) -> dict[str, int]:
        """Pool names that no table knows, with how often they were seen (the first few thousand short ones)."""
        return self.memo.unseen_pool_names()
