"""A DNS server on loopback that says what a dictionary says, by UDP and TCP, and remembers every question."""

import select
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.example. hostmaster.example. 1 3600 600 86400 300"


class TinyServer:
    """`zones` is {name: {type: [rdata, ...] or a word}}; a name that is not there does not exist.

    Words: `servfail refused` are response codes, `nodata` the absence of the type, `silent` no response at all, also as
    {name: word}. `everything`: what names that are not there are answered with, of A only (a liar), records or a word. `flags`: added to QR.
    `refuses`: everything is.
    """

    def __init__(self, zones, *, everything=None, flags=dns.flags.RA, tcp=True, udp=True):
        self.zones = zones
        self.everything = everything
        self.flags = flags
        self.refuses = False
        self.speaks = {"tcp": tcp, "udp": udp}
        self.asked = []
        self._stop = threading.Event()

    def __enter__(self):
        while True:
            self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._udp.bind(("127.0.0.1", 0))
            self._tcp = socket.socket()
            try:
                self._tcp.bind(self._udp.getsockname())
                break
            except OSError:
                self._udp.close()
                self._tcp.close()
        if self.speaks["tcp"]:
            self._tcp.listen()
        self.address = "127.0.0.1:{}".format(self._udp.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._udp.close()
        self._tcp.close()

    def names(self, rdtype="A"):
        """The names asked of one type, without the probes that go to every resolver at the start."""
        return [
            name for name, asked in self.asked if asked == rdtype and name.split(".")[-1] not in {"com", "net", "org"}
        ]

    def _serve(self):
        sockets = [self._udp, *([self._tcp] if self.speaks["tcp"] else [])]
        while not self._stop.is_set():
            for ready in select.select(sockets, [], [], 0.02)[0]:
                if ready is self._udp:
                    self._datagram()
                else:
                    self._stream()

    def _datagram(self):
        data, sender = self._udp.recvfrom(65_535)
        response = self._response(data) if self.speaks["udp"] else None
        if response is not None:
            self._udp.sendto(response, sender)

    def _stream(self):
        connection, _ = self._tcp.accept()
        with connection:
            connection.settimeout(5)
            data = connection.recv(65_537)
            response = self._response(data[2:])
            if response is not None:
                connection.sendall(len(response).to_bytes(2) + response)

    def _response(self, wire):
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        rdtype = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, rdtype))
        found = self.zones.get(name)
        said = found if isinstance(found, str | None) else found.get(rdtype, "nodata")
        if said is None and self.everything and rdtype == "A":
            said = self.everything
        if self.refuses:
            said = "refused"
        if said == "silent":
            return None
        response = dns.message.make_response(query)
        response.flags = dns.flags.QR | self.flags
        if isinstance(said, list):
            response.answer.append(dns.rrset.from_text(question.name, 300, "IN", rdtype, *said))
        elif said in {None, "nodata"}:
            response.set_rcode(dns.rcode.NXDOMAIN if said is None else dns.rcode.NOERROR)
            response.authority.append(dns.rrset.from_text("example.", 300, "IN", "SOA", SOA))
        else:
            response.set_rcode(dns.rcode.from_text(said))
        return response.to_wire()
