"""Nothing is left of a sandbox: no process, descriptor or folder, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant.sandbox import (
    Ended,
    Layer,
    Limits,
    Sandbox,
    SandboxUnavailable,
    bubblewrap,
    lifetime,
)
from assistant.sandbox import process as process_module

_PR_SET_CHILD_SUBREAPER = 36
ROOT = Path(__file__).resolve().parents[2]
ECHO = "while True: send(receive())"
BUSY = """
import signal
for number in signal.valid_signals():
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
send(b"")
while True: pass
"""


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def processes(mark: str) -> list[int]:
    """Those whose command line holds `mark`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def below(pid: int) -> list[int]:
    """The process and all that it started, zombies too, by their numbers here."""
    found = [pid]
    for parent in found:
        try:
            text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        except OSError:
            continue
        found += map(int, text.split())
    return found


def wait_until(condition, seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        os.sched_yield()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_many_in_a_row_leave_nothing(box, layer: Layer):
    endings = [ECHO, "raise SystemExit", BUSY, "import os, sys; os.close(int(sys.argv[1]))"]
    with box(ECHO) as opened:
        opened.send(b"")
        opened.receive()
    before, children = descriptors(), below(os.getpid())
    folders = {path.name for path in Path(tempfile.gettempdir()).iterdir()}

    for number in range(200):
        with box(endings[number % 20] if number % 20 < 4 else ECHO) as opened:
            if number % 3:
                try:
                    opened.send(b"x")
                    opened.receive()
                except Ended:
                    pass

    assert descriptors() == before
    assert below(os.getpid()) == children
    made = {path.name for path in Path(tempfile.gettempdir()).iterdir()} - folders
    assert not [name for name in made if "sandbox" in name or "assistant" in name]


def test_eight_at_a_time(box):
    def one(number: int) -> int:
        with box(ECHO, Limits(wall_s=60)) as opened:
            for step in range(50):
                opened.send(b"%d %d" % (number, step))
                assert opened.receive() == b"%d %d" % (number, step)
        return number

    before = len(descriptors())
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == list(range(24))
    assert len(descriptors()) == before


def test_all_of_it_is_gone_when_the_block_is_left(box):
    with box(BUSY) as opened:
        opened.receive()
        running = below(opened._process._started.pid)
        assert opened._process.pid in running
    assert [pid for pid in running if not gone(pid)] == []


PARENT = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from assistant.sandbox import Layer, Limits, Sandbox
box = Sandbox(Path({program!r}), Limits(cpu_s=600, wall_s=600), layer=Layer({layer!r}))
{before}
print("started", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("moment", ["at once", "soon", "later"])
def test_the_end_of_the_parent_ends_it(layer: Layer, tmp_path: Path, moment: str):
    """Killed for good, with no chance to clean up."""
    program = tmp_path / "busy.py"
    program.write_text(BUSY)
    source = PARENT.format(
        root=str(ROOT),
        program=str(program),
        layer=layer.value,
        before="box.receive()" if moment == "later" else "",
    )
    parent = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as said:
        assert said.readline() == b"started\n"
        running = below(parent.pid)
        assert len(running) >= 2
        if moment == "soon":
            time.sleep(random.random() / 50)
        parent.kill()
        parent.wait()

    wait_until(lambda: all(map(gone, running)))


def test_the_end_of_the_launcher_ends_it(box, layer: Layer):
    if layer is not Layer.BUBBLEWRAP:
        pytest.skip("there is no launcher")
    with box(BUSY) as opened:
        opened.receive()
        running = below(opened._process._started.pid)
        os.kill(running[0], signal.SIGKILL)
        with pytest.raises(Ended):
            opened.receive()
        wait_until(lambda: all(map(gone, running)))


@pytest.fixture
def orphans():
    """Orphans become children of this process, where they are seen."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = set(below(os.getpid()))
    yield lambda: [pid for pid in below(os.getpid()) if pid not in before and not gone(pid)]
    prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    for pid in set(below(os.getpid())) - before:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_sandbox_that_was_hardly_started_is_closed(box, orphans):
    left = []
    for number in range(60):
        with box(ECHO):
            # Its launcher is on the way, between any two of its steps.
            until = time.perf_counter() + number / 10_000
            while time.perf_counter() < until:
                pass
        left += orphans()
    assert left == []


@pytest.mark.parametrize("end", ["raise SystemExit", "import os; os.abort()"])
def test_a_sandbox_whose_program_ended_is_closed(box, orphans, end: str):
    left = []
    for _ in range(20):
        with box(end) as opened, pytest.raises(Ended):
            opened.receive()
        left += orphans()
    assert left == []


def test_closing_twice_is_closing_once(box):
    with box(ECHO) as opened:
        opened.close()
        with pytest.raises((Ended, OSError, ValueError, SandboxUnavailable)):
            opened.send(b"x")
    opened.close()


def test_no_descriptor_left(box):
    """The parent is short of them: an error of the machine, and nothing is held."""
    with box(ECHO) as opened:  # what is loaded once is loaded
        opened.send(b"")
        opened.receive()
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, before)) + 1
    try:
        for room in range(14):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + room, hard))
            try:
                with box(ECHO) as opened:
                    opened.send(b"x")
                    assert opened.receive() == b"x"
            except SandboxUnavailable as error:
                assert "started" in str(error)
            except OSError as error:
                assert "Too many open files" in str(error)  # of the test's own files
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            assert descriptors() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch):
    """What a failed start makes known is not kept for the next test."""
    forgotten: list[Layer] = []
    monkeypatch.setattr(process_module, "forget", forgotten.append)
    return forgotten


def bubblewrapped(folder: Path) -> Sandbox:
    """An echo, in that layer whether it works or not."""
    program = folder / "echo.py"
    program.write_text(ECHO)
    return Sandbox(program, layer=Layer.BUBBLEWRAP, proven=True)


@pytest.mark.parametrize(
    "launcher",
    ["exit 1", "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "kill -9 $$"],
)
def test_a_launcher_that_dies_is_no_verdict(
    launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful
):
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\n{launcher}\n")
    program.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "binary", lambda: str(program))
    before = descriptors()

    for _ in range(5):
        with pytest.raises(SandboxUnavailable) as told, bubblewrapped(tmp_path) as opened:
            opened.send(b"x")
            opened.receive()
        if "uid map" in launcher:
            assert "apparmor" in str(told.value)

    assert forgetful == [Layer.BUBBLEWRAP] * 5
    assert descriptors() == before


def test_a_launcher_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful):
    monkeypatch.setattr(bubblewrap, "binary", lambda: str(tmp_path / "missing"))
    before = descriptors()

    with pytest.raises(SandboxUnavailable, match="missing"):
        bubblewrapped(tmp_path)

    assert descriptors() == before


def test_a_launcher_that_hangs_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgetful
):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(bubblewrap, "binary", lambda: str(program))
    monkeypatch.setattr(process_module, "_START_S", 0.3)
    monkeypatch.setattr(lifetime, "_END_S", 0.5)
    before, children = descriptors(), below(os.getpid())

    with pytest.raises(SandboxUnavailable), bubblewrapped(tmp_path) as opened:
        opened.receive()

    assert (descriptors(), below(os.getpid())) == (before, children)


def test_a_program_that_can_not_be_read_starts_nothing(tmp_path: Path, layer: Layer):
    before, children = descriptors(), below(os.getpid())

    with pytest.raises(FileNotFoundError):
        Sandbox(tmp_path / "missing.py", layer=layer)

    assert (descriptors(), below(os.getpid())) == (before, children)


def test_the_thread_that_made_it_may_not_be_the_main_one(box):
    said: list[bytes] = []

    def work() -> None:
        with box(ECHO) as opened:
            opened.send(b"x")
            said.append(opened.receive())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [b"x"]
