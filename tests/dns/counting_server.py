"""A DNS server on loopback that keeps every question with its time; what it knows survives the client being killed."""

import socket
import time

import dns.message

from tests.dns.tiny_server import TinyServer

#: Asked by the test itself, to know that everything sent before has been counted.
MARK = "mark.example"
_RECEIVE_BUFFER = 4 << 20


class CountingServer(TinyServer):
    """`log` holds (time.monotonic(), name, type) of every question, without probes and marks."""

    def __enter__(self):
        self.log = []
        super().__enter__()
        # A burst must not be lost in the socket before it is counted.
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        return self

    def mark(self):
        """How many questions came so far; those still in the socket are counted first."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            client.connect(self._udp.getsockname())
            client.send(dns.message.make_query(MARK, "A").to_wire())
            client.recv(4_096)
        return len(self.log)

    def _response(self, wire):
        response = super()._response(wire)
        name, rdtype = self.asked[-1]
        if name.endswith(".example") and name != MARK:
            self.log.append((time.monotonic(), name, rdtype))
        return response


def world(count, below="world.example"):
    """Names of every kind: MX, both, A alone, null MX, nothing at all, AAAA alone, not there."""
    zones = {}
    for number in range(count):
        name = f"n{number}.w{number % 97}.{below}"
        kinds = (
            {"MX": [f"10 mail.{name}.", f"20 mail2.{name}."]},
            {"MX": [f"10 mail.{name}."], "A": ["192.0.2.1"]},
            {"A": ["198.51.100.7", "192.0.2.1"]},
            {"MX": ["0 ."]},
            {},
            {"AAAA": ["2001:db8::1"]},
            {"MX": [f"10 mail.{name}."]},
            None,
        )
        zones[name] = kinds[number % len(kinds)]
    return zones
