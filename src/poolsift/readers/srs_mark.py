"""Whether a reverse-path was rewritten by a forwarder (Sender Rewriting Scheme)."""

from __future__ import annotations

from poolsift.srs import decode_srs

#: RFC 5321 §4.5.3.1.3 allows 256 characters; what is far longer is no address and is not searched.
_MAX_PATH = 320


def has_srs(path: str) -> bool:
    """Whether the reverse-path is an SRS address, whomever it holds."""
    return "srs" in path.lower() and len(path) <= _MAX_PATH and decode_srs(path) is not None
