"""Who is at the other end of a unix socket, as the kernel says."""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

# <sys/un.h> of macOS and the BSDs; Python does not name them.
_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 1, 2
_XUCRED = "IIh16I"


@dataclass(frozen=True, slots=True)
class Peer:
    """The process that connected."""

    uid: int
    pid: int
    """0 where the system does not tell."""


def peer_of(connection: socket.socket) -> Peer | None:
    """The peer of a connected unix socket, or None: it is another kind of socket.

    Raises:
        OSError: the kernel does not say, or not in a way that is known here.
    """
    if connection.family != getattr(socket, "AF_UNIX", None):
        return None
    if sys.platform == "linux":
        size = struct.calcsize("3i")
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        pid, uid, _ = struct.unpack("3i", data)
        return Peer(uid, pid)
    size = struct.calcsize(_XUCRED)
    data = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, size)
    if len(data) < struct.calcsize("II"):
        raise OSError("the credentials of the peer are cut short")
    _, uid = struct.unpack_from("II", data)
    return Peer(uid, _pid(connection))


def _pid(connection: socket.socket) -> int:
    try:
        return connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID)
    except OSError:
        return 0
