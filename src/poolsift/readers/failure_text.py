"""The enhanced status code inside the text of a failure."""

from __future__ import annotations

import re

#: RFC 3463 §2: class, subject, detail. Neither part of a longer number, a version nor an IP address.
_CODE = re.compile(r"(?<![\w.])[245]\.[0-9]{1,3}\.[0-9]{1,3}(?!\.?\w)")
#: A basic reply code of RFC 5321 in front of a text, as in ``550 Requested action not taken``.
_REPLY = re.compile(r"(?<![\w.])[45][0-9]{2}[ -]")

#: Where the remote server's reply stands in Microsoft's text, best first: last error detail, message.
_REPLY_PARTS = ("{LED=", "{MSG=")
#: From here on the text is about addresses, not about the reply.
_TAIL = "OutboundProxyTarget"


def enhanced_code(text: str) -> str | None:
    """The enhanced status code of a failure text: the first one of the reply; None when there is none.

    ``Reason: [{LED=550 5.7.26 This message …};{MSG=};{IP=5.1.1.9};…]`` gives ``5.7.26``.
    """
    for part in _REPLY_PARTS:
        start = text.find(part)
        if start >= 0:
            end = text.find("}", start)
            found = _CODE.search(text, start + len(part), end if end >= 0 else len(text))
            if found:
                return found.group()
    tail = text.find(_TAIL)
    found = _CODE.search(text, 0, tail if tail >= 0 else len(text))
    return found.group() if found else None


def is_failure_text(text: str) -> bool:
    """Whether a text reads like a reply of a mail server: a reply code or an enhanced code in it."""
    return _REPLY.search(text) is not None or _CODE.search(text) is not None
