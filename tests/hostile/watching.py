"""Running `mutated` from outside: it may hang, be killed by what it judges, and leave processes."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from assistant.sandbox import Layer
from tests.hostile.world import (
    FOLDER_VARIABLE,
    SECRET_VARIABLE,
    descendants,
    end,
    folder_outside,
    new_secret,
)

ROOT = Path(__file__).resolve().parents[2]
_SUBREAPER = 36
_BURNT_S = 0.3
_GONE_S = 5.0
_ENVIRONMENT = {"PYTHONPATH": f"{ROOT}:/nonexistent/hostile"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one program came to."""

    verdict: str
    complaints: tuple[str, ...]


def judged(number: int, layer: Layer, names: list[str], program_s: float) -> dict[str, Seen]:
    """Judge programs with defence `number` off.

    A program that takes longer than `program_s` seconds, or that takes the judge with it, has got
    the better of it; those after it are judged by another one.
    """
    seen: dict[str, Seen] = {}
    pending = list(names)
    while pending:
        before = len(seen)
        with _started(number, layer, pending) as process:
            seen |= _read(process, program_s)
        if len(seen) == before:
            raise RuntimeError(f"no program was judged: {names}")
        pending = [name for name in pending if name not in seen]
    return seen


def _read(process: subprocess.Popen[str], program_s: float) -> dict[str, Seen]:
    lines: queue.Queue[str | None] = queue.Queue()

    def pump() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    seen, current = {}, ""
    while True:
        try:
            line = lines.get(timeout=program_s)
        except queue.Empty:
            seen[current] = Seen("none", (f"the judge waits after {program_s:g} s",))
            return seen
        if line is None:
            break
        said = json.loads(line)
        current = said.get("begins", "")
        if "ends" in said:
            seen[said["ends"]] = Seen(said["verdict"], tuple(said["complaints"]))
    if current:
        seen[current] = Seen("none", (f"the judge ended with status {process.wait()}",))
    elif process.wait():
        raise RuntimeError(f"the judge ended with status {process.returncode}")
    return seen


def killed(number: int, layer: Layer, name: str) -> Seen:
    """Kill the judge while the program burns; survivors are what there is to complain of."""
    with _started(number, layer, ["--hold", name]) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        _wait(lambda: _burnt(said["pid"]) > _BURNT_S, 60.0)
        os.kill(said["judge"], signal.SIGKILL)
        process.wait()
        gone = _wait(lambda: not descendants(os.getpid()), _GONE_S)
        left = "" if gone else ", ".join(descendants(os.getpid()).values())
    return Seen("none", (f"survivors: {left}",) if left else ())


def _wait(done: object, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _burnt(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def _started(number: int, layer: Layer, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A judge; whatever is below this process afterwards is ended."""
    # Orphans become our children, so they are seen.
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    environment = {**os.environ, SECRET_VARIABLE: new_secret(), **_ENVIRONMENT}
    command = [sys.executable, "-m", "tests.hostile.mutated", str(number), layer.value, *words]
    with tempfile.TemporaryDirectory(prefix="mutated-", dir=folder_outside()) as folder:
        environment[FOLDER_VARIABLE] = folder
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
            end(descendants(os.getpid()))
