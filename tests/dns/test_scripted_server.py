"""The scripted server does what its modes say, seen by dnspython: a wrong server would prove nothing."""

import socket
import struct

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from tests.dns.scripted_modes import MODES
from tests.dns.scripted_server import closed_port, serving

PATIENT = 10.0
SOON = 0.2

READABLE = [
    ("ok", "A", "NOERROR", ["192.0.2.1"]),
    ("ok", "MX", "NOERROR", ["10 mail.example.com."]),
    ("slow", "A", "NOERROR", ["192.0.2.1"]),
    ("ttl-60", "A", "NOERROR", ["192.0.2.1"]),
    ("null-mx", "MX", "NOERROR", ["0 ."]),
    ("null-mx", "A", "NOERROR", []),
    ("aaaa-only", "A", "NOERROR", []),
    ("loopback", "A", "NOERROR", ["127.0.0.1", "127.8.9.10"]),
    ("mx-tag", "MX", "NOERROR", ["10 <b>.example.com."]),
    ("mx-nul", "MX", "NOERROR", [r"10 a\000b.example.com."]),
    ("mx-dot", "MX", "NOERROR", [r"10 a\.b.example.com."]),
    ("cname-a", "A", "NOERROR", ["ok.target.example.", "192.0.2.1"]),
    ("cname-only", "A", "NOERROR", ["ok.target.example."]),
    ("dname", "A", "NOERROR", ["target.example.", "dname.target.example.", "192.0.2.1"]),
    ("nxdomain", "A", "NXDOMAIN", []),
    ("never-heard-of", "A", "NXDOMAIN", []),
    ("nodata", "A", "NOERROR", []),
    ("servfail", "A", "SERVFAIL", []),
    ("refused", "A", "REFUSED", []),
    ("formerr", "A", "FORMERR", []),
    ("notimp", "A", "NOTIMP", []),
    ("notauth", "A", "NOTAUTH", []),
    ("other-type", "A", "NOERROR", ['"v=spf1 " "-all"']),
    ("other-owner", "A", "NOERROR", ["192.0.2.1"]),
]  # fmt: skip
SIZES = [("tc-250", 250), ("tc-600", 600), ("tc-4000", 4000)]
MALFORMED = [
    "garbage",
    "empty-packet",
    "short",
    "oversized",
    "bad-length",
    "three-bytes",
    "counts",
    "pointer-loop",
    "pointer-forward",
    "pointer-chain",
]
IGNORED = ["wrong-id", "wrong-question", "not-a-reply"]


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


def ask(server, name, rdtype="A", *, timeout=PATIENT, way=dns.query.udp, **options):
    return way(dns.message.make_query(name, rdtype), "127.0.0.1", timeout, server.port, **options)


@pytest.mark.parametrize(("mode", "rdtype", "rcode", "texts"), READABLE)
def test_readable_modes_send_what_their_word_says(server, mode, rdtype, rcode, texts):
    """Response code, and the records of the answer in order."""
    got = ask(server, f"{mode}.example", rdtype)
    found = [rdata.to_text() for rrset in got.answer for rdata in rrset]

    assert rcode == dns.rcode.to_text(got.rcode())
    assert sorted(texts) == sorted(found)
    assert got.flags & dns.flags.AA


@pytest.mark.parametrize(
    ("mode", "soas"), [("nxdomain", 1), ("nxdomain-no-soa", 0), ("nodata", 1), ("nodata-no-soa", 0)]
)
def test_absences_have_an_soa_or_none(server, mode, soas):
    """The SOA stands in the authority section, where RFC 2308 wants it."""
    got = ask(server, f"{mode}.example")

    assert soas == sum(rrset.rdtype == dns.rdatatype.SOA for rrset in got.authority)


@pytest.mark.parametrize("mode", ["lame", "lame-empty", "lame-nxdomain"])
def test_lame_servers_claim_neither_authority_nor_recursion(server, mode):
    """Neither AA nor RA is set."""
    got = ask(server, f"{mode}.example")

    assert not got.flags & (dns.flags.AA | dns.flags.RA)


@pytest.mark.parametrize(("mode", "count"), SIZES)
def test_large_answers_come_over_tcp_alone(server, mode, count):
    """Nothing over UDP but TC, everything over TCP."""
    name = f"{mode}.example"

    assert ask(server, name).flags & dns.flags.TC
    assert count == len(ask(server, name, way=dns.query.tcp).answer[0])
    assert server.asked(name, "A", "udp") == 1
    assert server.asked(name, "A", "tcp") == 1


@pytest.mark.parametrize("mode", ["tc-hang", "tc-drip"])
def test_tcp_that_never_ends(server, mode):
    """The connection stays open without a whole message."""
    with pytest.raises(dns.exception.Timeout):
        ask(server, f"{mode}.example", way=dns.query.tcp, timeout=SOON)


@pytest.mark.parametrize(
    ("mode", "error"),
    [("tc-close", EOFError), ("tc-early", EOFError), ("tc-length-0", dns.exception.FormError), ("tc-reset", OSError)],
)
def test_tcp_that_ends_early(server, mode, error):
    """Closed before, in or after a length of zero, or reset."""
    with pytest.raises(error):
        ask(server, f"{mode}.example", way=dns.query.tcp)


def test_a_server_without_tcp_refuses_connections():
    """The port is held but nobody listens."""
    with serving(tcp=False) as server, pytest.raises(ConnectionRefusedError):
        ask(server, "tc.example", way=dns.query.tcp)


@pytest.mark.parametrize("mode", MALFORMED)
def test_malformed_packets_cannot_be_parsed(server, mode):
    """dnspython refuses each of them."""
    with pytest.raises((dns.exception.DNSException, EOFError)):
        ask(server, f"{mode}.example")


@pytest.mark.parametrize("mode", IGNORED)
def test_answers_to_something_else_are_no_answers(server, mode):
    """dnspython, told to wait for its own answer, gets none."""
    with pytest.raises(dns.exception.Timeout):
        ask(server, f"{mode}.example", timeout=SOON, ignore_unexpected=True, ignore_errors=True)


def test_the_question_may_be_missing(server):
    """The section is empty although the answer is good."""
    query = dns.message.make_query("no-question.example", "A")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENT)
        client.sendto(query.to_wire(), ("127.0.0.1", server.port))
        counts = struct.unpack("!HHHHHH", client.recv(512)[:12])[2:]

    assert counts == (0, 1, 0, 0)


@pytest.mark.parametrize(("mode", "errors"), [("drop-first", 1), ("garbage-first", 1)])
def test_behaviour_can_change_with_the_hit(server, mode, errors):
    """The first query is spoiled, the second is not, and both are counted."""
    name = f"{mode}.example"
    with pytest.raises((dns.exception.DNSException, EOFError)):
        ask(server, name, timeout=SOON)

    assert ask(server, name).answer
    assert server.asked(name) == errors + 1


def test_scripts_go_by_name_and_type_and_hit():
    """A type's own script wins over the name's, the last step stays, `always` goes before both."""
    script = {"contoso.com": "nodata", ("contoso.com", "A"): ["servfail", "ok"]}
    with serving(script, default="refused") as server:
        rcodes = [ask(server, "contoso.com").rcode() for _ in range(3)]
        others = [ask(server, "contoso.com", "MX").rcode(), ask(server, "fabrikam.com").rcode()]
        server.always = "notimp"
        last = ask(server, "contoso.com").rcode()

    assert [dns.rcode.SERVFAIL, dns.rcode.NOERROR, dns.rcode.NOERROR] == rcodes
    assert [dns.rcode.NOERROR, dns.rcode.REFUSED] == others
    assert dns.rcode.NOTIMP == last
    assert server.asked("contoso.com", "A") == 4


def test_a_closed_port_is_refused_by_the_kernel():
    """ICMP says that nobody is there."""
    with closed_port() as address, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        host, _, port = address.partition(":")
        client.settimeout(PATIENT)
        client.connect((host, int(port)))
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)


def test_every_mode_is_a_behaviour():
    """No word of the table leads nowhere."""
    assert all(callable(behaviour) for behaviour in MODES.values())
