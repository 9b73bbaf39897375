"""poolsift doctor and its resolvers: named always, asked with --dns only, one warning a defect."""

import socket

import dns.flags
import pytest
from click.testing import CliRunner

from poolsift.cli import dns_options, doctor
from poolsift.dns.servers import Server
from poolsift.errors import UsageError
from tests.dns.tiny_server import TinyServer


@pytest.fixture(autouse=True)
def sound(monkeypatch):
    """Whatever this machine lacks is another test's matter."""
    for check in ("_versions", "_kernel"):
        monkeypatch.setattr(doctor, check, lambda _: [("poolsift", "0")])
    for check in ("_suffixes", "_disk"):
        monkeypatch.setattr(doctor, check, lambda _: ("poolsift", "0"))


def examine(*arguments):
    """(exit code, the resolver rows, the warnings)."""
    ended = CliRunner().invoke(doctor.command, list(arguments), standalone_mode=False)
    if ended.exception is not None:
        raise ended.exception
    rows = [line.split(None, 1)[1] for line in ended.stdout.splitlines() if line.startswith("resolver")]
    return ended.return_value, rows, ended.stderr.splitlines()


def test_resolvers_are_named_without_a_packet():
    """Without --dns nothing is asked of them."""
    with TinyServer({}) as server:
        code, rows, warnings = examine("--resolver", server.address)

    assert (0, [server.address], []) == (code, rows, warnings)
    assert [] == server.asked


def test_the_resolvers_of_the_system_are_looked_at_where_none_is_named(monkeypatch):
    """All of them."""
    monkeypatch.setattr(dns_options, "servers", lambda _asked, quiet: [Server("192.0.2.1"), Server("192.0.2.2")])

    assert ["192.0.2.1:53", "192.0.2.2:53"] == examine()[1]


@pytest.mark.parametrize(("arguments", "code"), [([], 0), (["--dns"], 1)])
def test_a_system_without_resolvers_matters_where_they_are_asked(monkeypatch, arguments, code):
    """It says so in any case."""

    def none(_asked, quiet):
        raise UsageError("names no resolver", path="/etc/resolv.conf", expected="--resolver ADDRESS")

    monkeypatch.setattr(dns_options, "servers", none)
    ended, rows, warnings = examine(*arguments)

    assert (code, ["none"]) == (ended, rows)
    assert code == len(warnings)


def test_a_good_resolver_gets_no_warning():
    """It answers by UDP and TCP, recurses, and says which names do not exist."""
    with TinyServer({}) as server:
        code, (row,), warnings = examine("--dns", "--resolver", server.address)

    assert (0, []) == (code, warnings)
    assert row.startswith(f"{server.address}, answers in ")
    assert row.endswith(", recursive")
    assert "says which names do not exist, by TCP in " in row


@pytest.mark.parametrize(
    ("options", "finding", "warning"),
    [
        ({"tcp": False}, "says which names do not exist", "does not answer by TCP (connection)"),
        ({"udp": False}, "by TCP in", "answers by TCP only (UDP: timeout)"),
        ({"flags": 0}, "answers in", "neither recurses nor is authoritative"),
        ({"everything": ["203.0.113.80"]}, "recursive", "gives addresses for names that do not exist (203.0.113.80)"),
    ],
)
def test_each_defect_is_one_warning(options, finding, warning):
    """And exit 1; what works is still said."""
    with TinyServer({}, **options) as server:
        code, (row,), (said,) = examine("--dns", "--resolver", server.address, "--timeout", "0.2")

    assert code == 1
    assert finding in row
    assert said.startswith(f"warning: resolver {server.address} ")
    assert warning in said


@pytest.mark.parametrize("everything", [["203.0.113.80"], "nodata"])
def test_who_hides_that_names_do_not_exist_is_not_called_honest(everything):
    """Neither an invented address nor an empty answer is praised."""
    with TinyServer({}, everything=everything) as server:
        row = examine("--dns", "--resolver", server.address)[1][0]

    assert "answers in " in row
    assert "says which names do not exist" not in row


def test_an_authoritative_server_is_no_defect():
    """What it says of its zones counts."""
    with TinyServer({}, flags=dns.flags.AA) as server:
        code, (row,), _ = examine("--dns", "--resolver", server.address)

    assert (0, True) == (code, row.endswith(", authoritative"))


def test_a_dead_resolver_is_one_warning():
    """Nobody listens: one defect, not four."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = "127.0.0.1:{}".format(taken.getsockname()[1])
        code, rows, warnings = examine("--dns", "--resolver", address, "--timeout", "0.1")

    assert (1, [f"{address}, no answer"]) == (code, rows)
    assert [f"warning: resolver {address} does not answer (timeout)"] == warnings


def test_every_resolver_is_looked_at_by_itself():
    """The defect of one is not the other's."""
    with TinyServer({}) as good, TinyServer({}, tcp=False) as bad:
        code, rows, warnings = examine("--dns", "--resolver", good.address, "--resolver", bad.address)

    assert (1, 2, 1) == (code, len(rows), len(warnings))
    assert bad.address in warnings[0]


def test_a_refusing_resolver_does_not_answer():
    """A response code is no answer about a name."""
    with TinyServer({}) as server:
        server.refuses = True
        code, (row,), (warning,) = examine("--dns", "--resolver", server.address)

    assert (1, f"{server.address}, no answer") == (code, row)
    assert warning.endswith("does not answer (refused)")


def test_what_is_no_resolver_is_refused():
    """Before anything is looked at."""
    with pytest.raises(UsageError, match="--resolver"):
        examine("--resolver", "dns.example")
