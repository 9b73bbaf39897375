"""The demo's own DNS server: what its table says, on loopback alone, and nothing that a sender of odd packets can do to it."""

import random
import socket
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from poolsift.demo.archive import write_archive
from poolsift.demo.dns_server import DemoServer, names_of

NAMES = {
    "both.example": {"A": "present", "MX": "present"},
    "mail.example": {"A": "absent", "MX": "present"},
    "neither.example": {"A": "absent", "MX": "absent"},
    "fails.example": {"A": "unknown", "MX": "unknown"},
}


@pytest.fixture(scope="module")
def server():
    with DemoServer(NAMES) as running:
        yield running


def place(server):
    host, _, port = server.address.partition(":")
    return host, int(port)


def ask(server, name, rdtype, query=dns.query.udp):
    host, port = place(server)
    response = query(dns.message.make_query(name, rdtype), host, port=port, timeout=10)
    return response.rcode(), [item.to_text() for rrset in response.answer for item in rrset], response


@pytest.mark.parametrize("query", [dns.query.udp, dns.query.tcp])
@pytest.mark.parametrize(
    ("name", "rdtype", "rcode", "answer"),
    [
        ("both.example", "A", dns.rcode.NOERROR, ["192.0.2.1"]),
        ("BOTH.Example", "MX", dns.rcode.NOERROR, ["10 mail.BOTH.Example."]),
        ("mail.example", "A", dns.rcode.NOERROR, []),
        ("both.example", "AAAA", dns.rcode.NOERROR, []),
        ("neither.example", "MX", dns.rcode.NXDOMAIN, []),
        ("missing.example", "TXT", dns.rcode.NXDOMAIN, []),
        ("fails.example", "A", dns.rcode.SERVFAIL, []),
    ],
)
def test_it_says_what_its_table_says(server, name, rdtype, rcode, answer, query):
    """By UDP and TCP on one port; an absence of a type is no absence of the name."""
    assert (rcode, answer) == ask(server, name, rdtype, query)[:2]


def test_absences_can_be_believed(server):
    """They come with SOA and the flag of a recursive server: without them nobody counts one."""
    response = ask(server, "missing.example", "A")[2]

    assert response.flags & dns.flags.RA
    assert [dns.rdatatype.SOA] == [rrset.rdtype for rrset in response.authority]


def test_it_listens_on_loopback_alone(server):
    assert "127.0.0.1" == place(server)[0]


def test_odd_packets_are_passed_over(server):
    """Noise, responses and queries cut short get no response and do no harm."""
    dice = random.Random(7)
    whole = dns.message.make_query("both.example", "A").to_wire()
    response = dns.message.make_response(dns.message.from_wire(whole)).to_wire()
    odd = [b"", b"\0", response, whole[:-3], *(dice.randbytes(dice.randrange(80)) for _ in range(200))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(place(server))
        for packet in odd:
            client.send(packet)
    for packet in odd[2:20]:
        with socket.create_connection(place(server)) as client:
            client.sendall(len(packet).to_bytes(2) + packet)

    assert [None, None] == [server.respond(response), server.respond(b"")]
    assert ["192.0.2.1"] == ask(server, "both.example", "A")[1]


@pytest.mark.timeout(60)
def test_a_connection_that_says_nothing_does_not_hold_up_the_end():
    """Neither one that never asked nor one that stopped in the middle."""
    with DemoServer(NAMES) as running:
        silent = socket.create_connection(place(running))
        half = socket.create_connection(place(running))
        half.sendall(b"\0\x20half")
        deadline = time.monotonic() + 30
        while len(running._streams) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    assert [b"", b""] == [silent.recv(1), half.recv(1)]
    silent.close()
    half.close()


def test_the_port_is_free_afterwards():
    with DemoServer(NAMES) as running:
        address = place(running)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(address)

        assert address == again.getsockname()


def test_names_are_those_of_the_demo_snapshot(tmp_path):
    """All kinds are there: what resolves, what does not, what cannot be found out, and SPF records."""
    names = names_of(write_archive(tmp_path, messages=20).snapshot)

    assert ["10 mx1.mailfilter.example"] == names["contoso.com"]["MX"]
    assert ["v=spf1 ip4:203.0.113.0/27 -all"] == names["contoso.com"]["TXT"]
    assert {"A": "absent", "MX": "absent", "TXT": "absent"} == names["retired-brand.example"]
    assert [{"A": "unknown", "MX": "unknown"}] == [types for types in names.values() if "unknown" in types.values()]


def test_it_serves_the_records_of_its_table():
    """Several of a type, names with their dot, and a text longer than one string of DNS."""
    long = f"v=spf1 {'ip4:192.0.2.1 ' * 30}-all"
    with DemoServer({"spf.example": {"TXT": [long, "other"], "MX": ["10 a.example", "20 b.example"]}}) as running:
        texts = ask(running, "spf.example", "TXT", dns.query.tcp)[2].answer[0]
        hosts = ask(running, "spf.example", "MX")[1]

    assert {long, "other"} == {b"".join(text.strings).decode() for text in texts}
    assert ["10 a.example.", "20 b.example."] == sorted(hosts)
