"""One sandboxed process, its channel, and its end.

The parent never trusts what comes: every wait has a limit, every buffer has a cap, and the end
of the process is waited for, so that nothing of it is left when the block is left.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import marshal
import os
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Self

from assistant.sandbox import bubblewrap
from assistant.sandbox.layers import Layer, SandboxUnavailable, layers, unavailable_reason
from assistant.sandbox.limits import Limits

_CHUNK = 1 << 16
_BOOTSTRAP = Path(__file__).with_name("inside") / "bootstrap.py"
_STOP_POLL_S = 0.1


class Ending(enum.Enum):
    """Why there is no more to come."""

    EXIT = "exit"
    CPU = "cpu"
    WALL = "wall"
    OUTPUT = "output"
    MESSAGE = "message"
    STOPPED = "stopped"


class Ended(Exception):
    """The sandboxed process is of no more use."""

    def __init__(self, ending: Ending, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.ending, self.detail, self.status = ending, detail, status


class Sandbox:
    """A fresh process that runs `program` in isolation; use it as a context manager."""

    def __init__(
        self,
        program: Path,
        limits: Limits | None = None,
        *,
        layer: Layer | None = None,
        stdin: bytes = b"",
        stop: threading.Event | None = None,
    ) -> None:
        usable = layers()
        if not usable or (layer is not None and layer not in usable):
            raise SandboxUnavailable(unavailable_reason() or f"{layer} does not work here")
        self.layer = layer or usable[0]
        self.limits = limits or Limits()
        self._stop = stop or threading.Event()
        self._inbox, self._stdin = bytearray(), memoryview(stdin)
        self._printed: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}
        self._selector = selectors.DefaultSelector()
        self._started = time.monotonic()
        self._start()
        self.send(_setup(program, self.limits))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def stdout(self) -> bytes:
        """What it has printed so far."""
        return bytes(self._printed["out"])

    @property
    def stderr(self) -> bytes:
        """What it has printed to standard error so far."""
        return bytes(self._printed["err"])

    def _start(self) -> None:
        in_read, self._in = os.pipe()
        self._out, out_write = os.pipe()
        self._info, info_write = os.pipe()
        inner = [bubblewrap.interpreter(), "-I", "-S", "-B", "-X", "utf8", "-c", _bootstrap()]
        command = [*bubblewrap.command(self.limits, info_write), *inner]
        try:
            self._process = subprocess.Popen(
                [*command, str(out_write), str(in_read)],
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(in_read, out_write, info_write),
                start_new_session=True,
            )
        finally:
            for fd in (in_read, out_write, info_write):
                os.close(fd)
        for stream, name in ((self._process.stdout, "out"), (self._process.stderr, "err")):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, name)
        self._selector.register(self._out, selectors.EVENT_READ, "channel")
        os.set_blocking(self._in, False)
        assert self._process.stdin is not None
        if self._stdin:
            os.set_blocking(self._process.stdin.fileno(), False)
            self._selector.register(self._process.stdin, selectors.EVENT_WRITE, "stdin")
        else:
            self._process.stdin.close()

    def send(self, payload: bytes) -> None:
        """Send one frame.

        Raises:
            Ended: the process is gone, oversteps a limit, or was stopped.
        """
        data = memoryview(len(payload).to_bytes(4, "big") + payload)
        with contextlib.suppress(BlockingIOError):
            data = data[self._write(data) :]
        if not data:
            return
        self._selector.register(self._in, selectors.EVENT_WRITE, "question")
        try:
            while data:
                if "question" in self._wait(self._wall_deadline()):
                    with contextlib.suppress(BlockingIOError):
                        data = data[self._write(data) :]
        finally:
            self._selector.unregister(self._in)

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._in, data[: 1 << 20])
        except BrokenPipeError:
            raise self._exited() from None

    def receive(
        self,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """Wait for one frame.

        Args:
            cpu_s: processor time that this wait may cost the process.
            wall_s: how long this wait may last.
            max_bytes: the longest frame; by default the limit's.

        Raises:
            Ended: the process is gone, oversteps a limit, or was stopped.
        """
        most = max_bytes if max_bytes is not None else self.limits.message_kb << 10
        now = time.monotonic()
        deadline = min(self._wall_deadline(), now + wall_s if wall_s is not None else 1e18)
        cpu_from = self._cpu_used() if cpu_s is not None else 0.0
        next_look = now + cpu_s if cpu_s is not None else deadline
        while (frame := self._frame(most)) is None:
            self._wait(min(deadline, next_look), expired=deadline)
            if cpu_s is not None and time.monotonic() >= next_look:
                used = self._cpu_used() - cpu_from
                if used >= cpu_s:
                    raise Ended(Ending.CPU, f"used {cpu_s:g} s of processor time")
                next_look = time.monotonic() + max(0.01, cpu_s - used)
        return frame

    def _frame(self, most: int) -> bytes | None:
        if len(self._inbox) < 4:
            return None
        length = int.from_bytes(self._inbox[:4], "big")
        if length > most:
            raise Ended(Ending.MESSAGE, f"a message of {length} bytes, more than {most}")
        if len(self._inbox) < 4 + length:
            return None
        frame = bytes(self._inbox[4 : 4 + length])
        del self._inbox[: 4 + length]
        return frame

    def _wall_deadline(self) -> float:
        return self._started + self.limits.wall_s

    def _wait(self, until: float, expired: float | None = None) -> set[str]:
        """Handle what comes until `until`, once; the names of what was ready."""
        left = until - time.monotonic()
        if self._stop.is_set():
            raise Ended(Ending.STOPPED, "the check was cancelled")
        ready = self._selector.select(max(0.0, min(left, _STOP_POLL_S)))
        if not ready and time.monotonic() >= (expired or until):
            raise Ended(Ending.WALL, f"not finished after {self.limits.wall_s:g} s")
        for key, _ in ready:
            self._handle(key)
        return {key.data for key, _ in ready}

    def _handle(self, key: selectors.SelectorKey) -> None:
        if key.data == "channel":
            chunk = os.read(self._out, 1 << 20)
            if not chunk:
                raise self._exited()
            self._inbox += chunk
        elif key.data == "stdin":
            self._feed_stdin()
        elif key.data in self._printed:
            chunk = os.read(key.fd, _CHUNK)
            if not chunk:
                self._selector.unregister(key.fileobj)
            self._printed[key.data] += chunk
            if sum(map(len, self._printed.values())) > self.limits.output_kb << 10:
                raise Ended(Ending.OUTPUT, f"printed more than {self.limits.output_kb} KiB")

    def _feed_stdin(self) -> None:
        assert self._process.stdin is not None
        try:
            self._stdin = self._stdin[
                os.write(self._process.stdin.fileno(), self._stdin[:_CHUNK]) :
            ]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._stdin = self._stdin[:0]
        if not self._stdin:
            self._selector.unregister(self._process.stdin)
            self._process.stdin.close()

    def _exited(self) -> Ended:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        status = self._process.returncode
        if status is not None and status > 128:  # bubblewrap reports a signal so
            status = 128 - status
        cpu = self.limits.cpu_s
        if status in (-signal.SIGXCPU, -signal.SIGKILL) and self._cpu_hit():
            return Ended(Ending.CPU, f"used {cpu:g} s of processor time", status)
        return Ended(Ending.EXIT, f"the process ended with status {status}", status)

    def _cpu_hit(self) -> bool:
        return time.monotonic() - self._started >= self.limits.cpu_s

    @functools.cached_property
    def _pid(self) -> int:
        """The process that runs the program, as seen from here."""
        first = int(json.loads(os.read(self._info, 4096))["child-pid"])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return int(children[0]) if children else first

    def _cpu_used(self) -> float:
        """Processor time of the process so far, in seconds."""
        try:
            return time.clock_gettime((~self._pid << 3) | 2)
        except (OSError, ValueError):
            return 0.0

    def close(self) -> None:
        """Kill what is left and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # The write end is held by the processes inside alone: its end is theirs.
        while os.read(self._out, 1 << 20):
            pass
        self._selector.close()
        for fd in (self._in, self._out, self._info):
            os.close(fd)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


@functools.cache
def _bootstrap() -> str:
    return _BOOTSTRAP.read_text("utf-8")


@functools.cache
def _compiled(program: Path) -> bytes:
    return marshal.dumps(compile(program.read_text("utf-8"), "<worker>", "exec"))


def _setup(program: Path, limits: Limits) -> bytes:
    setup = {"limits": asdict(limits), "program": marshal.loads(_compiled(program))}
    return marshal.dumps(setup)
