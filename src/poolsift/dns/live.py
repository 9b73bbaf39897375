"""An engine over real sockets: aiodns asks, dnspython confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from poolsift.dns.aiodns_adapter import AiodnsTransport
from poolsift.dns.confirming import ConfirmingTransport
from poolsift.dns.engine import PATIENCE, Engine
from poolsift.dns.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from poolsift.dns.servers import Server

#: Queries a second and resolver unless told otherwise: what any resolver bears, public ones too.
DEFAULT_RATE: Final = 500.0
DEFAULT_TIMEOUT: Final = 2.0
DEFAULT_ATTEMPTS: Final = 3
DEFAULT_CONCURRENCY: Final = 300
DEFAULT_PERIOD: Final = 30.0
#: Names asked below one organizational domain in one run.
DEFAULT_ZONE_CAP: Final = 1_000


def open_engine(
    servers: Sequence[Server],
    *,
    rate: float = DEFAULT_RATE,
    timeout: float = DEFAULT_TIMEOUT,
    attempts: int = DEFAULT_ATTEMPTS,
    concurrency: int = DEFAULT_CONCURRENCY,
    zone_cap: int = DEFAULT_ZONE_CAP,
    probe: bool = True,
    period: float = DEFAULT_PERIOD,
    patience: float = PATIENCE,
) -> Engine:
    """An engine over these resolvers; no socket is opened before it is entered.

    ``rate``: queries a second and resolver, 0 without limit. ``timeout``: seconds a query. ``concurrency``: names
    under way. ``probe``: ask random names first, to find resolvers that make answers up. ``period``: seconds that a
    failing resolver is left alone; ``patience``: seconds that names wait while all of them are.
    """
    upstreams = [
        Upstream(
            str(server),
            [AiodnsTransport(str(server), timeout) for _ in range(attempts)],
            ConfirmingTransport(server, timeout),
            rate=rate,
            period=period,
        )
        for server in servers
    ]
    return Engine(
        upstreams, concurrency=concurrency, attempts=attempts, zone_cap=zone_cap, probe=probe, patience=patience
    )
