"""The sender inside a rewritten address, as Microsoft 365 and others write SRS (facts section 4)."""

import re

from tests.reference.addresses import domain_shape, dot_string, is_literal, written_halves

# A hash of any length, then the day as two base32 characters; `=` may be `+` or `-` after SRS0, SRS1 and the second host.
STAMP = r"[^=]+=[A-Z2-7]{2}"
FLAGS = re.IGNORECASE | re.ASCII | re.DOTALL
SRS0 = re.compile(rf"srs0[=+-]{STAMP}=([^=]+)=(.+)", FLAGS)
SRS1 = re.compile(rf"srs1[=+-][^=]+=[^=]+=[=+-]{STAMP}=([^=]+)=(.+)", FLAGS)
EXCHANGE = re.compile(rf"(?:(?!\+srs=).)+\+srs={STAMP}=([^=]+)=(.+)", FLAGS)


def srs_original(text: str) -> str | None:
    """`user@domain` that the address holds; None where it is no SRS address or holds none (`bounces+SRS=`).

    Neither domain is asked of IDNA: the answer is shown to people, nothing is looked up by it.
    """
    halves = written_halves(text)
    if halves is None or halves[0].startswith('"') or not (domain_shape(halves[1]) or is_literal(halves[1])):
        return None
    match = form_of(halves[0]).fullmatch(halves[0])
    if match is None or not domain_shape(match[1]) or not dot_string(match[2]):
        return None
    return f"{match[2]}@{match[1].removesuffix('.')}"


def form_of(local: str) -> re.Pattern[str]:
    """By how the local part begins; what is inside belongs to an earlier rewriting."""
    start = local[:5].upper()
    return SRS0 if start in {"SRS0=", "SRS0+", "SRS0-"} else SRS1 if start in {"SRS1=", "SRS1+", "SRS1-"} else EXCHANGE
