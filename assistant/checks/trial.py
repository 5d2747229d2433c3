"""Running generated code against tests, in a process of its own with limits.

What is covered: the code outliving its time, taking the machine's memory, writing without end,
leaving processes behind in its group, ending early (`sys.exit`, `os._exit`) to look like a
pass, and printing what looks like a verdict. The facts come over a pipe of their own with a
nonce, and the verdict is made in this process (`verdicts`).

What is NOT covered, which is why the layer is called `unsandboxed` and nothing runs unless
tests were given: the code can read and write what its user can, can reach the network, can
leave its process group, and code that sets out to forge the report can do so.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assistant.checks.testfile import TestFile

_WORKER = Path(__file__).with_name("worker.py")
_MAX_REPORT_BYTES = 1 << 18
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may use."""

    wall_s: float = 10.0
    cpu_s: int = 5
    memory_mb: int = 512
    """Address space beyond what the bare interpreter takes."""
    file_mb: int = 8
    """Size of a file that is written."""
    output_kb: int = 64
    """Standard output and error together."""
    processes: int = 32
    """Processes and threads beyond those that the user runs already; not enforced for root."""
    descriptors: int = 64


@dataclass(slots=True)
class Observed:
    """What the parent saw of a run."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    ended: str = "exit"
    """`report`, `exit`, `wall`, `output`, `protocol` or `stopped`."""
    returncode: int | None = None
    elapsed_s: float = 0.0
    problem: str = ""
    """Why there was no run at all."""


def observe(code: str, tests: TestFile, limits: Limits, stop: threading.Event) -> Observed:
    """Start the worker, collect what it reports, and leave no process of its group behind."""
    nonce = secrets.token_hex(16)
    own = asdict(limits) | {"processes": limits.processes + _own_processes()}
    request = json.dumps(
        {
            "nonce": nonce,
            "code": code,
            "tests": tests.source,
            "name": tests.name,
            "functions": tests.functions,
            "limits": own,
        }
    ).encode("utf-8")
    with tempfile.TemporaryDirectory(
        prefix="assistant-check-", ignore_cleanup_errors=True
    ) as folder:
        try:
            return _Watch(folder, request, nonce, limits).run(stop)
        except OSError as error:  # no process, no descriptor: nothing of the code's doing
            return Observed(problem=f"the checking process can not be started: {error}")


def _own_processes() -> int:
    """How many threads this user runs, the base that RLIMIT_NPROC counts from."""
    user, count = os.getuid(), 0
    processes = Path("/proc")
    if not (processes / "self" / "task").is_dir():
        return 512
    for entry in processes.glob("[0-9]*"):
        # It may end while we look.
        with contextlib.suppress(OSError):
            if entry.stat().st_uid == user:
                count += len(list((entry / "task").iterdir()))
    return count


class _Watch:
    """One worker process and the select loop around it."""

    def __init__(self, folder: str, request: bytes, nonce: str, limits: Limits) -> None:
        self.request, self.nonce, self.limits = memoryview(request), nonce, limits
        self.report, self.output_bytes = bytearray(), 0
        self.seen = Observed()
        self.selector = selectors.DefaultSelector()
        self.started = time.monotonic()
        request_read, self.request_fd = os.pipe()
        self.result_fd, result_write = os.pipe()
        flags = ["-s", "-P", "-S", "-B", "-X", "utf8"]
        try:
            self.process = subprocess.Popen(
                [sys.executable, *flags, str(_WORKER), str(request_read), str(result_write)],
                cwd=folder,
                # Only so that sets have the same order in every run; the worker clears it.
                env={"PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(request_read, result_write),
                start_new_session=True,
            )
        except OSError:
            os.close(self.request_fd)
            os.close(self.result_fd)
            raise
        finally:
            os.close(request_read)
            os.close(result_write)

    def run(self, stop: threading.Event) -> Observed:
        """Watch until the worker has reported or ended or overstepped, then kill its group."""
        try:
            self._register()
            self._loop(stop)
        finally:
            self._end()
        self.seen.elapsed_s = time.monotonic() - self.started
        self.seen.returncode = self.process.returncode
        return self.seen

    def _register(self) -> None:
        assert self.process.stdout is not None
        os.set_blocking(self.request_fd, False)
        self.selector.register(self.request_fd, selectors.EVENT_WRITE, self._send)
        self.selector.register(self.result_fd, selectors.EVENT_READ, self._receive)
        self.selector.register(self.process.stdout, selectors.EVENT_READ, self._drain)

    def _loop(self, stop: threading.Event) -> None:
        deadline = self.started + self.limits.wall_s
        done = False
        while not done:
            left = deadline - time.monotonic()
            if left <= 0:
                self.seen.ended = "wall"
                return
            if stop.is_set():
                self.seen.ended = "stopped"
                return
            for key, _ in self.selector.select(min(left, 0.1)):
                # Each handler says whether the run is over.
                done = key.data() or done

    def _send(self) -> bool:
        try:
            sent = os.write(self.request_fd, self.request[:_CHUNK])
            self.request = self.request[sent:]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self.request = self.request[:0]
        if not self.request:
            self.selector.unregister(self.request_fd)
            os.close(self.request_fd)
            self.request_fd = -1
        return False

    def _receive(self) -> bool:
        chunk = os.read(self.result_fd, _CHUNK)
        if not chunk:  # the worker and all that it forked are gone, or have closed the pipe
            self.seen.ended = "exit"
            return True
        self.report += chunk
        while b"\n" in self.report:
            line, _, rest = self.report.partition(b"\n")
            self.report = bytearray(rest)
            message = _message(bytes(line), self.nonce)
            if message is None:
                self.seen.ended = "protocol"
                return True
            self.seen.messages.append(message)
            if "end" in message or "problem" in message:
                self.seen.ended = "report"
                return True
        if len(self.report) > _MAX_REPORT_BYTES:
            self.seen.ended = "protocol"
            return True
        return False

    def _drain(self) -> bool:
        assert self.process.stdout is not None
        chunk = os.read(self.process.stdout.fileno(), _CHUNK)
        self.output_bytes += len(chunk)
        if not chunk:
            self.selector.unregister(self.process.stdout)
        if self.output_bytes > self.limits.output_kb * 1024:
            self.seen.ended = "output"
            return True
        return False

    def _end(self) -> None:
        # A worker that closed its pipe is about to end; its exit status is worth a moment.
        if self.seen.ended == "exit":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.selector.close()
        for fd in (self.request_fd, self.result_fd):
            if fd >= 0:
                os.close(fd)
        if self.process.stdout is not None:
            self.process.stdout.close()


def _message(line: bytes, nonce: str) -> dict[str, Any] | None:
    """The message in `line`, or None when it is not one of the worker's."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.pop("nonce", None) != nonce:
        return None
    return message
