"""The two servers that are measured: ours, as its clients start it, and llama-server."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from assistant import locations
from tests.bench.serving.client import Client, Unanswered

_LOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Side:
    """A server that has loaded its model."""

    name: str
    socket: Path
    process: subprocess.Popen[bytes]

    def client(self) -> Client:
        """A client of it."""
        return Client(self.socket)

    def cpu_seconds(self) -> float:
        """Processor time that the process has used, all threads, to the nanosecond on Linux."""
        # The kernel's number of another process's clock: MAKE_PROCESS_CPUCLOCK(pid, SCHED).
        return time.clock_gettime((~self.process.pid << 3) | 2)


@contextlib.contextmanager
def ours(model: Path, threads: int, context: int, *options: str) -> Iterator[Side]:
    """The daemon, in a home of its own.

    Args:
        model: a GGUF file.
        threads: for everything that it computes.
        context: tokens that fit, of all requests together.
        options: more for its command line.
    """
    with tempfile.TemporaryDirectory(prefix="serving-") as home:
        command = [sys.executable, "-m", "assistant.daemon", "--model-path", str(model)]
        command += ["--model-name", model.stem, "--idle-seconds", "86400"]
        command += ["--threads", str(threads), "--context-length", str(context), *options]
        with _environment(ASSISTANT_HOME=home):
            socket = locations.socket_path()
            with _running("ours", command, socket, Path(home, "log")) as side:
                yield side


@contextlib.contextmanager
def theirs(
    binaries: Path, model: Path, threads: int, context: int, *options: str
) -> Iterator[Side]:
    """llama-server with four slots, on a unix socket.

    Args:
        binaries: the folder that has it.
        model: a GGUF file.
        threads: for everything that it computes.
        context: tokens that fit in the four slots together.
        options: more for its command line.
    """
    with tempfile.TemporaryDirectory(prefix="serving-") as home:
        socket = Path(home, "peer.sock")
        command = [str(binaries / "llama-server"), "-m", str(model), "--host", str(socket)]
        command += ["-np", "4", "-c", str(context), "-t", str(threads), "--no-webui", *options]
        with _running("llama-server", command, socket, Path(home, "log")) as side:
            yield side


@contextlib.contextmanager
def _running(name: str, command: Sequence[str], socket: Path, log: Path) -> Iterator[Side]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait(name, process, socket, log)
        yield Side(name, socket, process)
    except Unanswered as error:
        error.add_note(f"the last lines of {name}:\n{_end(log)}")
        raise
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(name: str, process: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    end = time.monotonic() + _LOAD_SECONDS
    transport = httpx.HTTPTransport(uds=str(socket))
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(httpx.HTTPError):
                health = http.get("/health")
                if health.status_code == 200 and health.json()["status"] == "ok":
                    return
            time.sleep(0.05)
    raise Unanswered(f"{name} did not load its model (status {process.poll()}):\n{_end(log)}")


def _end(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
