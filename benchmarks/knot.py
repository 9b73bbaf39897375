"""A real authoritative server on loopback: knot with a zone of names of every kind."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ZONE = "bench.example"
#: Of a hundred names: A and MX, A alone, MX alone, neither; the rest do not exist.
_BOTH, _A_ONLY, _MX_ONLY, _NEITHER = 80, 5, 5, 5

_CONFIG = """
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
    pidfile: {folder}/knot.pid
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
log:
  - target: stderr
    any: error
template:
  - id: default
    storage: {folder}
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: {zone}
    file: zone.txt
"""


class MissingToolError(RuntimeError):
    """A program of Debian's that the workload needs is not installed."""


def names(count: int) -> list[str]:
    """The names that are asked, whether they exist or not."""
    return [f"n{number:07}.{ZONE}" for number in range(count)]


def zone_text(count: int) -> Iterator[str]:
    """The zone file's lines."""
    yield f"$ORIGIN {ZONE}.\n$TTL 3600\n@ SOA ns hostmaster 1 3600 600 86400 300\n@ NS ns\nns A 127.0.0.1\n"
    for number in range(count):
        kind, label = number % 100, f"n{number:07}"
        address = f"{label} A 10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}\n"
        exchange = f"{label} MX 10 mx{number % 50}.mail.example.\n"
        if kind < _BOTH:
            yield address + exchange
        elif kind < _BOTH + _A_ONLY:
            yield address
        elif kind < _BOTH + _A_ONLY + _MX_ONLY:
            yield exchange
        elif kind < _BOTH + _A_ONLY + _MX_ONLY + _NEITHER:
            yield f'{label} TXT "neither"\n'


@contextmanager
def serving(count: int) -> Iterator[int]:
    """knot with a zone of ``count`` names; yields its port. Raises MissingToolError."""
    program = shutil.which("knotd")
    if program is None:
        raise MissingToolError("knotd is missing: apt-get install knot")
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "zone.txt").open("w", encoding="ascii") as zone:
            zone.writelines(zone_text(count))
        port = _free_port()
        config = Path(folder) / "knot.conf"
        config.write_text(_CONFIG.format(port=port, folder=folder, zone=ZONE), encoding="ascii")
        server = subprocess.Popen([program, "--config", str(config)])
        try:
            _wait_for_zone(port, server)
            yield port
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_zone(port: int, server: subprocess.Popen[bytes], seconds: float = 120.0) -> None:
    import dns.exception
    import dns.message
    import dns.query

    question = dns.message.make_query(ZONE, "SOA")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"knotd ended with {server.returncode}")
        try:
            if dns.query.udp(question, "127.0.0.1", port=port, timeout=0.5).answer:
                return
        except (dns.exception.Timeout, OSError):
            pass
        time.sleep(0.2)
    raise RuntimeError("knotd does not answer for its zone")
