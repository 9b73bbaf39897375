"""The filter that keeps packets which are no replies from a UDP socket."""

import socket

import pytest

from poolsift.dns.reply_filter import ignore_queries


def _pair():
    receiver, sender = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    receiver.bind(("127.0.0.1", 0))
    receiver.settimeout(5)
    sender.connect(receiver.getsockname())
    return receiver, sender


def test_only_replies_arrive():
    """Dropped: the QR bit unset, and packets too short to hold it; all else comes whole."""
    receiver, sender = _pair()
    with receiver, sender:
        assert ignore_queries(receiver.fileno())
        reply, query = b"\x12\x34\x80\x00" + bytes(400), b"\x12\x34\x7f\xff" + bytes(400)
        for packet in (query, b"", b"\x12\x34", reply):
            sender.send(packet)

        assert receiver.recv(1000) == reply


def test_what_came_before_the_filter_is_dropped_up_to_the_first_reply():
    """c-ares tells of its socket after the first query: a fast server has answered by then."""
    receiver, sender = _pair()
    with receiver, sender:
        for packet in (b"\x12\x34\x01\x00query", b"", b"\x12\x34\x81\x00reply", b"\x12\x34\x81\x00next"):
            sender.send(packet)
        assert ignore_queries(receiver.fileno())

        assert [b"reply", b"next"] == [receiver.recv(100)[4:] for _ in range(2)]


def test_a_refusal_stays_for_the_owner_of_the_socket():
    """A port where nobody listens: the error is c-ares' to read, or the query would only time out."""
    receiver, sender = _pair()
    receiver.close()
    with sender:
        sender.send(b"\x12\x34\x01\x00")
        ignore_queries(sender.fileno())

        with pytest.raises(ConnectionRefusedError):
            sender.recv(100)


def test_other_sockets_are_left_alone():
    """A stream has no packets, and a closed descriptor is no socket; the one given stays open."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        assert not ignore_queries(stream.fileno())
        stream.getsockname()
        descriptor = stream.fileno()
    assert not ignore_queries(descriptor)
