"""Where the daemon listens, and the file that tells its clients where.

A unix socket where there are such: it is bound here, with a umask, and handed to the server as it
is; the server's own way would open it to every user of the machine. Loopback TCP where there are
none, or besides when it is asked for: anybody on the machine can connect there, so the file, which
only its owner can read, has a token.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from assistant import __version__, locations
from assistant.daemon.access import Access, new_token
from assistant.daemon.protocol import PROTOCOL
from assistant.errors import DaemonProblem, StateProblem

HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX")
_BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Listening:
    """The open sockets, and what is asked of those who come by TCP."""

    sockets: list[socket.socket]
    access: Access
    place: SocketPath | None
    """None where there is no unix socket."""

    @property
    def ours(self) -> bool:
        """False once clients can not find us any more."""
        return self.place is None or self.place.ours

    def remove(self) -> None:
        """Take the way to us away, so that who comes now waits for the lock."""
        if self.place is not None:
            self.place.remove()


@contextlib.contextmanager
def listening(loopback: int | None = None) -> Iterator[Listening]:
    """Listen, and tell where.

    Args:
        loopback: a port of 127.0.0.1 to listen on as well, 0 for any that is free; None: only
            where there are no unix sockets.

    Raises:
        DaemonProblem: the socket's path is too long, or the port is taken.
        StateProblem: the socket or the file can not be made.
    """
    if loopback is None and not HAS_UNIX_SOCKETS:
        loopback = 0
    with contextlib.ExitStack() as stack:
        sockets, place, access = [], None, Access()
        if HAS_UNIX_SOCKETS:
            sockets.append(stack.enter_context(_unix_socket()))
            place = SocketPath()
        if loopback is not None:
            listener = stack.enter_context(_loopback_socket(loopback))
            sockets.append(listener)
            access = Access(listener.getsockname()[1], new_token())
        stack.enter_context(_info_file(access))
        yield Listening(sockets, access, place)


@contextlib.contextmanager
def _unix_socket() -> Iterator[socket.socket]:
    path = locations.socket_path()
    if len(os.fsencode(path)) > locations.MAX_SOCKET_PATH_BYTES:
        raise DaemonProblem(
            f"The socket's path {path} is longer than {locations.MAX_SOCKET_PATH_BYTES} bytes, "
            "which unix sockets do not allow.",
            hint="Set ASSISTANT_HOME or TMPDIR to a shorter folder.",
        )
    locations.ensure_private_dir(path.parent)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o077)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise StateProblem(f"The socket {path} can not be made: {error}.") from error
    finally:
        os.umask(previous)
    with _opened(listener):
        yield listener


@contextlib.contextmanager
def _loopback_socket(port: int) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise DaemonProblem(
            f"Port {port} of 127.0.0.1 can not be listened on: {error.strerror or error}.",
            hint="Choose another one, or none: then a free one is taken.",
        ) from error
    with _opened(listener):
        yield listener


@contextlib.contextmanager
def _opened(listener: socket.socket) -> Iterator[None]:
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    try:
        yield
    finally:
        listener.close()


class SocketPath:
    """The socket's place in the file system, for as long as it is ours.

    When somebody removes the state folder, another daemon may live there by now.
    """

    def __init__(self) -> None:
        self._path = locations.socket_path()
        self._identity = self._now()

    def _now(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            status = self._path.lstat()
            return status.st_dev, status.st_ino
        return None

    @property
    def ours(self) -> bool:
        """False once the path is gone or is another's."""
        return self._now() == self._identity

    def remove(self) -> None:
        """Remove it if it is ours."""
        if self.ours:
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _info_file(access: Access) -> Iterator[None]:
    """Tells who runs and where; one that is left behind tells that its writer died."""
    path = locations.daemon_info_path()
    partial = path.with_suffix(".partial")
    info = {"pid": os.getpid(), "version": __version__, "protocol": PROTOCOL}
    if access.token:
        info |= {"port": access.port, "token": access.token}
    body = json.dumps(info)
    locations.ensure_private_dir(path.parent)
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:  # noqa: PTH123 (made by us alone, with its mode)
        file.write(body)
    partial.replace(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == body:
                path.unlink()
