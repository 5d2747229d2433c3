"""The processes of one sandbox: their start, which of them runs the program, and their end.

Nothing is inherited by accident: each descriptor is closed on exec except those that are passed,
so sandboxes may be started from many threads at once. A sandbox has to be used by a thread that
lives as long as it does: the kernel ties the process to the thread that started it.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.sandbox.layers import SandboxUnavailable

_END_S = 10.0
"""How long the end of killed processes may take; it is a matter of milliseconds."""
_INFO_BYTES = 4096


@dataclass(frozen=True, slots=True)
class _First:
    """The first process of a namespace, which takes the others with it."""

    pid: int
    """As seen from here."""
    held: int | None
    """A descriptor that means it and no other; None where the kernel has none."""


class Process:
    """A started sandbox. The descriptors are ours until `end`.

    Attributes:
        into, out: the channel: questions are written to the one, answers read from the other.
        stdout, stderr: what the program prints.
    """

    def __init__(
        self,
        started: subprocess.Popen[bytes],
        ends: contextlib.ExitStack,
        channel: tuple[int, int],
        info: int | None,
    ) -> None:
        assert started.stdout is not None and started.stderr is not None
        self.into, self.out = channel
        self.stdout, self.stderr = started.stdout.fileno(), started.stderr.fileno()
        self._started, self._ends, self._info = started, ends, info
        for fd in (self.into, self.out, self.stdout, self.stderr):
            os.set_blocking(fd, False)

    @property
    def has_own_root(self) -> bool:
        """Whether what it sees as /tmp is its own."""
        return self._info is not None

    def status(self, wait_s: float) -> int | None:
        """The return code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._await(wait_s)
        status = self._started.returncode
        # bubblewrap reports a signal as shells do.
        return 128 - status if status is not None and status > 128 else status

    @functools.cached_property
    def _first(self) -> _First | None:
        """The first process of the sandbox's own namespace."""
        if self._info is None:
            return None
        try:
            said = _told(self._info)
            first = int(said["child-pid"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        with contextlib.ExitStack() as stack:
            held = _open_process(first, stack)
            # While bwrap is our child and that its child, the number is no other process's; when
            # bwrap has gone, the namespace tells.
            if _parent(first) != self._started.pid and not _is_in(first, said.get("pid-namespace")):
                return None
            self._ends.push(stack.pop_all())
        return _First(first, held)

    def hold(self) -> None:
        """Get hold of the first process while it can be told from any other.

        Where the program ends by itself, bwrap ends before that process does, and who waits for
        bwrap alone leaves it behind for a moment.
        """
        _ = self._first

    @property
    def first(self) -> int | None:
        """The first process of the sandbox's own namespace, as seen from here."""
        return self._first.pid if self._first else None

    @property
    def pids(self) -> tuple[int, ...]:
        """The launcher, if there is one, and the first process inside."""
        return self._started.pid, *(() if self.first is None else (self.first,))

    @functools.cached_property
    def pid(self) -> int | None:
        """The process that runs the program, as seen from here; to be asked once it has spoken."""
        if self._info is None:
            return self._started.pid
        if (first := self.first) is None:
            return None
        with contextlib.suppress(OSError, ValueError, IndexError):
            children = Path(f"/proc/{first}/task/{first}/children").read_text()
            return int(children.split()[0])
        # A kernel without that list.
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(int(entry.name)) == first:
                return int(entry.name)
        return None

    def end(self) -> None:
        """Kill what is left, wait until it is gone, and give the descriptors back.

        Raises:
            SandboxUnavailable: something is still there after 10 seconds.
        """
        try:
            gone = self._kill()
        finally:
            self._ends.close()
        if not gone:
            raise SandboxUnavailable(
                f"Process {self._started.pid} and what it started could not be ended.",
                hint="The kernel may wait for a device; look at it with ps.",
            )

    def _kill(self) -> bool:
        first = self._first.held if self._first else None
        # The first of a namespace takes all others with it, before it is gone itself.
        if first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)
        # By number only while it is our unreaped child: no other process can have it.
        if self._started.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._started.pid, signal.SIGKILL)
        try:
            self._await(_END_S)
        except subprocess.TimeoutExpired:
            return False
        if first is not None:
            return bool(_poll(first, _END_S))
        return self._info is None or self._silent()

    def _silent(self) -> bool:
        """Wait until nobody holds the channel: its other end is held by those inside alone."""
        until = time.monotonic() + _END_S
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(BlockingIOError):
                if not os.read(self.out, 1 << 20):
                    return True
            _poll(self.out, left)
        return False

    def _await(self, wait_s: float) -> None:
        """Reap our child; unlike `Popen.wait` with a limit, without naps in between."""
        if self._started.poll() is not None:
            return
        with contextlib.ExitStack() as stack:
            child = _open_process(self._started.pid, stack)
            if child is not None:
                _poll(child, wait_s)
                wait_s = 0.0
        self._started.wait(wait_s)


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: str,
    stdin: bytes = b"",
    filters: bytes | None = None,
    last_words: bytes = b"",
    control: int | None = None,
) -> Process:
    """Start `command`, which ends with the numbers of the channel's descriptors.

    Args:
        command: where `{info}`, `{filter}` and `{words}` stand, the numbers of those descriptors
            are put.
        environment: all of it.
        folder: to start in.
        stdin: all of its standard input.
        filters: for `{filter}`; a launcher that reads them tells its namespace by `{info}`.
        last_words: for `{words}`: options that the launcher waits for, until its end is bound to
            ours.
        control: one more descriptor to pass, whose number comes before the channel's.

    Raises:
        SandboxUnavailable: the system refuses another process, pipe or file.
    """
    with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
        try:
            in_read, in_write = _pipe(theirs, ours)
            out_write, out_read = reversed(_pipe(ours, theirs))
            passed, info = [in_read, out_write], None
            words: dict[str, str] = {}
            last = [out_write, in_read]
            if control is not None:
                last.insert(0, control)
                passed.append(control)
            if filters is not None:
                info, info_write = _pipe(ours, theirs)
                words_read, words_write = _pipe(theirs, theirs)
                more = [info_write, _filled(filters, theirs), words_read]
                names = ("{info}", "{filter}", "{words}")
                words = dict(zip(names, map(str, more), strict=True))
                passed += more
                os.set_blocking(info, False)
            process = subprocess.Popen(
                [*(words.get(word, word) for word in command), *map(str, last)],
                env=dict(environment),
                cwd=folder,
                stdin=_filled(stdin, theirs) if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                start_new_session=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxUnavailable(
                f"No process for a check can be started: {error}.",
                hint="The machine is short of processes, memory or open files: close something.",
            ) from error
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            ours.callback(stream.close)
        if info is not None:
            _bind(process.pid, ours)
            with contextlib.suppress(BrokenPipeError):
                os.write(words_write, last_words)
        return Process(process, ours.pop_all(), (in_write, out_read), info)


def _bind(group: int, ours: contextlib.ExitStack) -> None:
    """Let the end of this process kill the launcher's process group.

    bwrap ties itself to us before it makes the sandbox. Its child waits for a word from it then,
    tied to nobody yet: killed in that moment, bwrap would leave it waiting for ever. So there is a
    pipe of ours whose reading end tells the kernel whom to kill when nobody can write any more.
    Both ends are here, and the writing one has to be closed first when we die; kernels differ in
    whether they begin with the lowest number or the highest, so there is a pipe for either.
    """
    import fcntl

    with contextlib.suppress(OSError):  # a second line of defence; the first is bwrap's own
        for reading_is_higher in (False, True):
            reading, writing = os.pipe()
            if reading_is_higher:
                lower, reading = reading, fcntl.fcntl(reading, fcntl.F_DUPFD_CLOEXEC, writing + 1)
                os.close(lower)
            # Closed on purpose, the reading end goes first, and nobody is killed.
            ours.callback(os.close, writing)
            ours.callback(os.close, reading)
            fcntl.fcntl(reading, fcntl.F_SETOWN, -group)
            fcntl.fcntl(reading, fcntl.F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)


def _pipe(read: contextlib.ExitStack, write: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe whose ends are closed by the given stacks."""
    reading, writing = os.pipe()
    read.callback(os.close, reading)
    write.callback(os.close, writing)
    return reading, writing


def _filled(data: bytes, stack: contextlib.ExitStack) -> int:
    """A descriptor from which `data` can be read, without anybody who feeds it."""
    if sys.platform == "linux":
        fd = os.memfd_create("stdin", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        stack.callback(os.close, fd)
        file = os.fdopen(fd, "wb", closefd=False)
    else:
        import tempfile

        file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 (it is one)
        fd = file.fileno()
    file.write(data)
    file.flush()
    os.lseek(fd, 0, os.SEEK_SET)
    if sys.platform == "linux":
        import fcntl

        # Whoever has it can open it again for writing: not even its owner may change it.
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def _parent(pid: int) -> int | None:
    """The parent of a process; None when it has gone."""
    try:
        # The name stands in brackets and may hold brackets and blanks itself.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        return int(fields.split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _told(info: int) -> dict[str, Any]:
    """What bwrap says of the sandbox that it makes; it is written piece by piece.

    It may be on its way: who closes at once has to wait for what there is to kill.

    Raises:
        ValueError: it never came, or is no JSON.
    """
    until, said = time.monotonic() + _END_S, b""
    while b"}" not in said and (left := until - time.monotonic()) > 0:
        _poll(info, left)
        with contextlib.suppress(BlockingIOError):
            if not (more := os.read(info, _INFO_BYTES)):
                break
            said += more
    found: dict[str, Any] = json.loads(said)
    return found


def _is_in(pid: int, namespace: object) -> bool:
    """Whether a process is in that namespace of process ids."""
    try:
        return Path(f"/proc/{pid}/ns/pid").stat().st_ino == namespace
    except OSError:
        return False


def _open_process(pid: int | None, stack: contextlib.ExitStack) -> int | None:
    if pid is None or not hasattr(os, "pidfd_open"):
        return None
    try:
        fd = os.pidfd_open(pid)
    except OSError:  # it has gone, or the kernel has no such descriptors
        return None
    stack.callback(os.close, fd)
    return fd


def _poll(fd: int, wait_s: float) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return poll.poll(wait_s * 1000)
