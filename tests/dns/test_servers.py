"""Addresses of resolvers: what is taken, what is refused and how."""

import pytest

from poolsift.dns.servers import Server, system_servers, view_of
from poolsift.errors import UsageError


@pytest.mark.parametrize(
    ("text", "host", "port", "written"),
    [
        ("192.0.2.53", "192.0.2.53", 53, "192.0.2.53:53"),
        ("127.0.0.1:5301", "127.0.0.1", 5301, "127.0.0.1:5301"),
        ("2001:db8::53", "2001:db8::53", 53, "[2001:db8::53]:53"),
        ("[2001:DB8::53]:5353", "2001:db8::53", 5353, "[2001:db8::53]:5353"),
        ("[::1]", "::1", 53, "[::1]:53"),
        (" 192.0.2.1 ", "192.0.2.1", 53, "192.0.2.1:53"),
    ],
)
def test_addresses_with_and_without_port(text, host, port, written):
    """Both families, in the forms people write; printed with the port."""
    server = Server.parse(text)

    assert (host, port) == (server.host, server.port)
    assert written == str(server)
    assert server == Server.parse(str(server))


@pytest.mark.parametrize(
    "text",
    ["", "resolver.example.com", "1.1.1.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:५", "[::1", "[::1]5353",
     "::1:5353]", "127.0.0.1:53:53", "256.1.1.1", "fe80::1%eth0%", "[127.0.0.1", "127.1", "[]:53"],
)  # fmt: skip
def test_anything_else_is_refused_with_what_was_expected(text):
    """A name, a bad port or half an address is a usage error that shows what was found."""
    with pytest.raises(UsageError) as caught:
        Server.parse(text)

    assert caught.value.exit_code == 2
    assert caught.value.found is not None
    assert caught.value.expected is not None


def test_the_system_is_asked_for_its_resolvers(tmp_path):
    """Every nameserver line, in order; comments and options are none."""
    path = tmp_path / "resolv.conf"
    path.write_text("# nameserver 192.0.2.9\nsearch example.com\nnameserver 192.0.2.1\nnameserver 2001:db8::1\n")

    assert [Server("192.0.2.1"), Server("2001:db8::1")] == system_servers(str(path))


@pytest.mark.parametrize("text", ["", "search example.com\n", None])
def test_a_system_without_resolvers_says_what_to_do(tmp_path, text):
    """An empty or missing file is never a silent 127.0.0.1."""
    path = tmp_path / "resolv.conf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match="--resolver"):
        system_servers(str(path))


def test_the_view_does_not_depend_on_order():
    """Answers of the same resolvers are the same answers."""
    one, two = Server("192.0.2.1"), Server("192.0.2.2")

    assert view_of([one, two]) == view_of([two, one, two])
    assert view_of([one]) != view_of([two])
