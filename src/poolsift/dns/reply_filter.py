"""A filter in the kernel of the machine that keeps packets which are no replies from a UDP socket (Linux).

c-ares does not look at the QR bit, and what it makes of a packet no longer shows the bit. Such a packet is to be
ignored, so that the real reply can still come (RFC 5452 section 3); it is dropped before c-ares can read it.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys
from typing import Final

#: <asm-generic/socket.h>; Python does not name it.
_SO_ATTACH_FILTER: Final = 26
_UDP_HEADER: Final = 8
_QR: Final = 0x80
#: Classic BPF, <linux/filter.h>: code, jump if true, jump if false, operand.
_PROGRAM: Final = (
    (0x30, 0, 0, _UDP_HEADER + 2),  # load the first byte of the flags (RFC 1035 section 4.1.1); none: dropped
    (0x45, 0, 1, _QR),  # is QR set?
    (0x06, 0, 0, 0xFFFFFFFF),  # keep all of it
    (0x06, 0, 0, 0),  # drop it
)
_CODE: Final = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _PROGRAM))
_FILTER: Final = struct.pack("@HP", len(_PROGRAM), ctypes.addressof(_CODE))


def ignore_queries(descriptor: int) -> bool:
    """Let the UDP socket with this descriptor receive DNS replies alone; whether it now does.

    False where the machine has no such filter, and for a socket of another kind: a stream has no packets to drop.
    """
    if sys.platform != "linux":
        return False
    try:
        own = socket.socket(fileno=descriptor)
    except OSError:
        return False
    try:
        if own.type != socket.SOCK_DGRAM:
            return False
        own.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _FILTER)
        _drop_what_came_before(own)
    except OSError:
        return False
    finally:
        own.detach()  # the descriptor is c-ares'
    return True


def _drop_what_came_before(own: socket.socket) -> None:
    """c-ares tells of a socket after its first query, so the first packets may be there already.

    Nothing behind a reply needs to go: the only query so far has been answered by it.
    """
    waiting = select.poll()
    waiting.register(own, select.POLLIN)
    # With an error pending nothing is read: reading would take the error from c-ares.
    while waiting.poll(0) == [(own.fileno(), select.POLLIN)]:
        start = own.recv(3, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        if len(start) == 3 and start[2] & _QR:
            return
        own.recv(1, socket.MSG_DONTWAIT)
