"""Whether a reverse-path was rewritten by a forwarder (Sender Rewriting Scheme)."""

from __future__ import annotations

from poolsift._native.nouns import is_srs


def has_srs(path: str) -> bool:
    """Whether the reverse-path is an SRS address, whomever it holds."""
    return "srs" in path.lower() and is_srs(path)
