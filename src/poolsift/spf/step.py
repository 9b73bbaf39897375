"""What a part of an SPF evaluation comes to for some client address, and what it cost, in one byte.

A step is a result, or that nothing has matched yet (``UNDECIDED``), with the look-ups and void look-ups made on the
way, counted from where the part began. Counts only grow: a part can be worked out once and put in wherever it is used,
and where the counts together exceed a limit of RFC 7208 section 4.6.4, that was exceeded on the way: ``permerror``.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import spf

from poolsift.spf.record import FAIL, NEUTRAL, NONE, PASS, PERMERROR, SOFTFAIL, TEMPERROR

#: No term has matched; the next one is looked at.
UNDECIDED: Final = 0

#: Words that keep their counts: a permerror is one whatever happened before.
_COUNTED: Final = (UNDECIDED, PASS, FAIL, SOFTFAIL, NEUTRAL, NONE, TEMPERROR)
_VOIDS: Final[int] = spf.MAX_VOID_LOOKUPS + 1
_PER_WORD: Final[int] = (spf.MAX_LOOKUP + 1) * _VOIDS
#: The step that is a permerror, the last of 7 * 33 + 1.
_PERMERROR: Final = len(_COUNTED) * _PER_WORD


def step(word: int, lookups: int = 0, voids: int = 0) -> int:
    """The byte of a word with its counts; beyond a limit it is a permerror."""
    if word == PERMERROR or lookups > spf.MAX_LOOKUP or voids > spf.MAX_VOID_LOOKUPS:
        return _PERMERROR
    return _COUNTED.index(word) * _PER_WORD + lookups * _VOIDS + voids


def parts(code: int) -> tuple[int, int, int]:
    """Word, look-ups and voids of a step; of a permerror no counts are kept."""
    if code == _PERMERROR:
        return PERMERROR, 0, 0
    word, counts = divmod(code, _PER_WORD)
    return _COUNTED[word], *divmod(counts, _VOIDS)


def _table(change: dict[int, int], lookups: int = 0, voids: int = 0) -> bytes:
    """For ``bytes.translate``: words by ``change``, with counts added."""
    found = [parts(code) for code in range(_PERMERROR + 1)]
    made = bytes(step(change.get(word, word), more + lookups, empty + voids) for word, more, empty in found)
    return made.ljust(256, b"\0")


@cache
def after(code: int) -> bytes:
    """What each step comes to behind the step ``code``: goes on where that is undecided, else stays as it was."""
    word, lookups, voids = parts(code)
    return _table({}, lookups, voids) if word == UNDECIDED else bytes([code]) * 256


@cache
def included(word: int) -> bytes:
    """What the steps of a record come to for an ``include`` of it whose match gives ``word`` (section 5.2)."""
    return _table({PASS: word, FAIL: UNDECIDED, SOFTFAIL: UNDECIDED, NEUTRAL: UNDECIDED, NONE: PERMERROR}, lookups=1)


#: The words of steps.
WORDS: Final = bytes(parts(code)[0] for code in range(_PERMERROR + 1)).ljust(256, b"\0")
#: The undecided steps come first, in the order of their look-ups.
UNDECIDED_STEPS: Final = range(_PER_WORD)
