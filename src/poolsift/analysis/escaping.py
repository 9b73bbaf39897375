"""Values from logs made safe to show on a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Control, format (bidi overrides, zero width), surrogate, private and unassigned characters, line separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str, limit: int = 200) -> str:
    r"""The text with characters that move the cursor, reorder or hide text written as ``\x1b`` or ``\u202e``."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
