"""Sandboxes whose Python need not start: it is forked from one that has, inside.

Half of what a short check costs is the start and the end of its sandbox. A nursery is a sandbox of
the layer `bubblewrap` with an interpreter of ours in it (`inside/nursery.py`) that forks a process
for each program and is never told anything but descriptors: what a program is and what it is
asked goes through pipes of its own to the child alone. The child gives up all that a sandboxed
process gives up, with its own limits; it cannot reach the interpreter, which is the first process
of the namespace and not dumpable, and which reads nothing that the child could write. What one
program shares with the next is a folder: if anything lies there at the end, if anything else
runs, or on any doubt, the whole sandbox is ended and another one started.

What a later program can tell of an earlier one: the numbers of processes and files go on, and the
folder's times change.

For judging many programs. What is shown to a person has a sandbox of its own.
"""

from __future__ import annotations

import array
import contextlib
import functools
import os
import signal
import socket
import struct
import threading
from typing import Self

from assistant.sandbox.layers import SandboxUnavailable
from assistant.sandbox.lifetime import Process, _filled, _open_process, _parent, _pipe, _poll
from assistant.sandbox.limits import Limits

_MOST_CHILDREN = 200
"""After so many a fresh one is started."""
_MOST_BROKEN = 10
"""After so many that went wrong it is the machine, and no other one is tried."""
_ANSWER_S = 1.0
"""How long it may be silent when it has nothing to wait for."""
_END_S = 10.0
_CREDENTIALS = struct.Struct("iII")
_REPORT_BYTES = 32


class Nursery:
    """One waiting interpreter, started when it is needed; use it as a context manager.

    It belongs to the thread that made it. One program runs at a time; whoever asks meanwhile, or in
    another thread, is told to start it in the usual way.

    Attributes:
        broken: how often one did not start, or was given up while a program ran, which may be why
            that has failed.
    """

    def __init__(self) -> None:
        self.broken, self._thread = 0, threading.get_ident()
        self._home: _Home | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the interpreter, and the program that runs, if one does.

        Raises:
            SandboxUnavailable: something could not be ended.
        """
        home, self._home = self._home, None
        if home is not None:
            home.end()

    def born(self, limits: Limits, stdin: bytes = b"") -> Born | None:
        """A process that waits for its first message.

        Returns:
            None when it has to be started in the usual way.

        Raises:
            SandboxUnavailable: something of an earlier one could not be ended.
        """
        busy = self._home is not None and self._home.busy
        if busy or threading.get_ident() != self._thread or self.broken >= _MOST_BROKEN:
            return None
        try:
            self.prepare(limits)
            assert self._home is not None
            return Born(self, self._home, stdin)
        except (OSError, SandboxUnavailable):  # the usual start says why
            self.broken += 1
            self.close()
            return None

    def prepare(self, limits: Limits) -> None:
        """Have an interpreter ready that can fork for a program with these limits.

        Raises:
            SandboxUnavailable: none can be started, or an earlier one could not be ended.
        """
        home = self._home
        if home is not None and (home.used >= _MOST_CHILDREN or home.folder_mb != limits.folder_mb):
            self.close()
        if self._home is None:
            self._home = _Home(limits)

    @property
    def pids(self) -> tuple[int, ...]:
        """The launcher and the interpreter, as seen from here; empty while there is none."""
        return () if self._home is None else self._home.process.pids


class _Home:
    """The sandbox with the interpreter in it."""

    def __init__(self, limits: Limits) -> None:
        from assistant.sandbox import setup

        self.folder_mb, self.used, self.busy = limits.folder_mb, 0, False
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, contextlib.ExitStack() as failed:
            failed.callback(self.control.close)
            # The kernel says who has sent what comes.
            self.control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self.process: Process = setup.nursery(limits, theirs.fileno())
            failed.pop_all()
        self.control.setblocking(False)
        with contextlib.ExitStack() as stack:
            if _open_process(self.process.first, stack) is None:
                self.end()
                raise SandboxUnavailable("The nursery did not start, or could not be held.")

    def end(self) -> None:
        """End it with all that is in it."""
        if self.control.fileno() >= 0:
            self.control.close()
            self.process.end()

    def told(self, wait_s: float) -> tuple[int, bytes] | None:
        """The next message and its sender; None when there is none in time.

        Raises:
            EOFError: nobody is there any more.
        """
        if self.control.fileno() < 0:
            raise EOFError
        if not _poll(self.control.fileno(), wait_s):
            return None
        try:
            space = socket.CMSG_SPACE(_CREDENTIALS.size)
            said, extra, _, _ = self.control.recvmsg(_REPORT_BYTES, space)
        except OSError as error:
            raise EOFError from error
        for level, kind, data in extra:
            if said and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return int(_CREDENTIALS.unpack(data)[0]), said
        raise EOFError


class Born:
    """A process that was forked in a nursery; see `assistant.sandbox.lifetime.Process`."""

    has_own_root = True

    def __init__(self, nursery: Nursery, home: _Home, stdin: bytes) -> None:
        self._nursery, self._home, self._lost = nursery, home, False
        self._pid: int | None = None
        self._status: int | None = None
        self._report: bytes | None = None
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            questions, self.into = _pipe(theirs, ours)
            self.out, answers = _pipe(ours, theirs)
            self.stdout, printed = _pipe(ours, theirs)
            self.stderr, complained = _pipe(ours, theirs)
            if stdin:
                given = _filled(stdin, theirs)
            else:
                given = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
                theirs.callback(os.close, given)
            for fd in (self.into, self.out, self.stdout, self.stderr):
                os.set_blocking(fd, False)
            fds = array.array("i", (given, printed, complained, questions, answers))
            home.control.sendmsg([b"+"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
            home.busy = True
            home.used += 1
            self._ends = ours.pop_all()

    def _hear(self, wait_s: float) -> None:
        """Take the next message: the child's, which tells who it is, or that of its end.

        Raises:
            SandboxUnavailable: the interpreter is gone.
        """
        try:
            told = self._home.told(wait_s)
        except EOFError:
            self._lost = True
            raise SandboxUnavailable("The nursery of this sandbox was ended.") from None
        if told is None:
            return
        sender, said = told
        if sender != self._home.process.first:
            if self._pid is not None or said != b"+":
                self._lost = True
            self._pid = sender
            return
        self._report = said
        status, _, same = said.partition(b" ")
        self._lost |= same != b"1"
        # As bubblewrap would report it, so that a verdict does not depend on the way.
        self._status = 128 - int(status) if int(status) > 128 else int(status)

    @functools.cached_property
    def pid(self) -> int | None:
        """The process that runs the program, as seen from here; to be asked once it has spoken."""
        if self._pid is None and self._report is None:
            self._hear(_END_S)
        return self._pid

    def hold(self) -> None:
        """As `Process.hold`; the nursery has got hold of its own first process."""

    def status(self, wait_s: float) -> int | None:
        """The return code, negative for a signal; None while it runs.

        Raises:
            SandboxUnavailable: the interpreter that would tell is gone.
        """
        if self.pid is not None and self._report is None:
            self._hear(wait_s)
        return self._status

    def end(self) -> None:
        """Kill it, wait until it is gone, and give the descriptors back.

        Raises:
            SandboxUnavailable: something is still there after 10 seconds.
        """
        home = self._home
        try:
            with contextlib.suppress(SandboxUnavailable):
                self._kill()
        finally:
            self._ends.close()
            home.busy = False
            if self._report is None or self._lost:
                self._nursery.broken += self._report is None
                if self._nursery._home is home:
                    self._nursery.close()
                else:
                    home.end()

    def _kill(self) -> None:
        if self._report is None and self.pid is not None:
            with contextlib.ExitStack() as stack:
                child = _open_process(self.pid, stack)
                # Only while it is that one's child the number is no other process's.
                if child is not None and _parent(self.pid) == self._home.process.first:
                    with contextlib.suppress(ProcessLookupError):
                        signal.pidfd_send_signal(child, signal.SIGKILL)
        if self._report is None:
            self._hear(_ANSWER_S)
