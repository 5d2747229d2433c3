"""Says whether it is kept in: it tries to read, to write, to reach somebody and to multiply."""

from __future__ import annotations

import os

# The type checker's own idiom; both are put into the program's scope.
TYPE_CHECKING = False
if TYPE_CHECKING:

    def send(data: bytes) -> None:
        """Send a frame."""


_found: list[str] = []


def _opened(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags))
    except OSError:
        return False
    return True


def _forked() -> bool:
    try:
        child = os.fork()
    except OSError:
        return False
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _connected() -> bool:
    import _socket

    try:
        _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


if _opened("/etc/passwd", os.O_RDONLY):
    _found.append("reading of the system's files")
if _opened(os.__file__, os.O_WRONLY):
    _found.append("writing into Python's own folder")
if _forked():
    _found.append("new processes")
if _connected():
    _found.append("sockets")
send(", ".join(_found).encode() or b"kept in")
