"""Looks at one resolver without aiodns: whether and how fast it answers by UDP and by TCP, and in which role."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.query

from poolsift.dns.answers import Reason
from poolsift.dns.confirming import read_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from poolsift.dns.answers import Question
    from poolsift.dns.servers import Server

#: What a resolver says of a name that exists, and of one that does not: both are answers.
_ANSWERS: Final = frozenset({"answer", Reason.NXDOMAIN, Reason.NODATA})
#: A lost packet is no defect of the resolver.
_ATTEMPTS: Final = 3


class Hearing(NamedTuple):
    """What came of one query: ``said`` as in Reply, ``seconds`` until it came, the flags of the response."""

    said: str
    seconds: float
    recursive: bool = False
    authoritative: bool = False

    @property
    def is_answer(self) -> bool:
        """Whether it says anything about the name."""
        return self.said in _ANSWERS


class Health(NamedTuple):
    """One resolver by both transports."""

    udp: Hearing
    tcp: Hearing


def look_at(server: Server, question: Question, timeout: float) -> Health:
    """Ask a resolver the same question by UDP, several times if need be, and by TCP; ``timeout`` in seconds a query."""
    message = dns.message.make_query(question.name, question.rdtype)

    def by_udp() -> dns.message.Message:
        return dns.query.udp(message, server.host, timeout, server.port, ignore_unexpected=True, ignore_errors=True)

    def by_tcp() -> dns.message.Message:
        return dns.query.tcp(message, server.host, timeout, server.port)

    for _ in range(_ATTEMPTS):
        udp = _heard(by_udp)
        if udp.said != Reason.TIMEOUT:
            break
    return Health(udp, _heard(by_tcp))


def _heard(exchange: Callable[[], dns.message.Message]) -> Hearing:
    start = perf_counter()
    try:
        response = exchange()
    except dns.exception.Timeout:
        said = Reason.TIMEOUT
    except (ConnectionError, EOFError):
        said = Reason.CONNECTION
    except OSError:
        said = Reason.NETWORK
    except (dns.exception.DNSException, ValueError):
        said = Reason.MALFORMED
    else:
        recursive = bool(response.flags & dns.flags.RA)
        authoritative = bool(response.flags & dns.flags.AA)
        return Hearing(read_message(response).said, perf_counter() - start, recursive, authoritative)
    return Hearing(said, perf_counter() - start)
