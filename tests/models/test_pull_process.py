"""`assistant models pull` as a process: killed, interrupted, twice at once, on a full disk."""

from __future__ import annotations

import os
import pty
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.models import records
from tests.support.daemons import wait_until
from tests.support.hub_server import Gate, HubServer

NAME = "org/Tiny-GGUF"
FILE = "Tiny-Q4_K_M.gguf"
REACHED = 132_000
"""Two pieces as they come from the network, and a little that would wait in a buffer."""


def start(*arguments: str, preexec: object = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "assistant", "models", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=preexec,  # type: ignore[arg-type]
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def tiny(hub: HubServer, cache: Path, content: bytes) -> HubServer:
    hub.add(NAME, {FILE: content})
    return hub


@pytest.fixture
def held(tiny: HubServer) -> Gate:
    """Every download waits after some bytes."""
    tiny.faults.gate = Gate(REACHED)
    return tiny.faults.gate


def partial(cache: Path) -> Path | None:
    return next(iter(cache.rglob("*.incomplete")), None)


def came(cache: Path) -> int:
    path = partial(cache)
    return path.stat().st_size if path is not None else 0


@pytest.fixture
def half_way(held: Gate, cache: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A pull in the middle of its file."""
    process = start("pull", NAME)
    try:
        held.wait_reached()
        wait_until(lambda: came(cache) == REACHED, "what came is on the disk")
        yield process
    finally:
        process.kill()
        process.communicate()


def test_it_prints_the_path_and_says_the_rest_on_stderr(
    tiny: HubServer, cache: Path, content: bytes
) -> None:
    code, out, err = finish(start("pull", NAME))

    assert code == 0, err
    assert Path(out.removesuffix("\n")).read_bytes() == content
    assert "checksum verified" in err
    assert f"assistant models use {NAME}:Q4_K_M" in err
    assert "\r" not in err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_pull_goes_on_where_it_was(
    half_way: subprocess.Popen[bytes], held: Gate, tiny: HubServer, cache: Path, content, number
) -> None:
    half_way.send_signal(number)
    code, out, err = finish(half_way)
    held.opened.set()

    assert code != 0
    assert out == ""
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert code == 130
        assert "What came so far is kept" in err
    assert came(cache) == REACHED
    assert [one.received for one in records.unfinished()] == [REACHED]

    code, out, err = finish(start("pull", NAME))

    assert code == 0, err
    assert "Going on" in err
    assert Path(out.strip()).read_bytes() == content
    assert tiny.sent_from() == [0, REACHED]
    assert records.unfinished() == []


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
def test_a_pull_that_is_killed_over_and_over(
    tiny: HubServer, cache: Path, content: bytes, seed: int
) -> None:
    """At random places of the file and by random signals; each goes on where the last one was."""
    tiny.faults.slow = 5000
    chance = random.Random(seed)
    while came(cache) < len(content) - 60_000 and not list(cache.rglob("*.gguf")):
        enough = came(cache) + chance.randint(1, 50_000)
        process = start("pull", NAME)
        wait_until(lambda p=process, least=enough: came(cache) >= least or p.poll() is not None)
        process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        finish(process)
    code, out, err = finish(start("pull", NAME))

    assert code == 0, err
    assert Path(out.strip()).read_bytes() == content
    places = tiny.sent_from()
    assert places == sorted(places)
    assert len(places) > 4


def test_two_pulls_of_one_file_download_it_once(
    half_way: subprocess.Popen[bytes], held: Gate, tiny: HubServer, content: bytes
) -> None:
    second = start("pull", NAME)
    assert second.stderr is not None
    said = iter(second.stderr.readline, b"")
    assert any(b"Another process downloads" in line for line in said)
    held.opened.set()

    first_code, first_out, _ = finish(half_way)
    second_code, second_out, _ = finish(second)

    assert (first_code, second_code) == (0, 0)
    assert first_out == second_out
    assert Path(first_out.strip()).read_bytes() == content
    assert tiny.sent_from() == [0]


def test_the_second_goes_on_when_the_first_is_killed(
    half_way: subprocess.Popen[bytes], held: Gate, tiny: HubServer, content: bytes
) -> None:
    second = start("pull", NAME)
    assert second.stderr is not None
    assert any(b"Another process" in line for line in iter(second.stderr.readline, b""))
    half_way.kill()
    held.opened.set()
    code, out, _ = finish(second)

    assert code == 0
    assert Path(out.strip()).read_bytes() == content
    assert tiny.sent_from() == [0, REACHED]


def test_what_is_being_downloaded_is_not_removed(
    half_way: subprocess.Popen[bytes], held: Gate, content: bytes
) -> None:
    code, _, err = finish(start("remove", f"{NAME}/{FILE}", "--yes"))

    assert code == 1
    assert "is being downloaded at this moment" in err
    held.opened.set()
    code, out, _ = finish(half_way)
    assert code == 0
    assert Path(out.strip()).read_bytes() == content


def _limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))


def test_a_disk_that_fills_up_is_told_and_what_came_is_kept(
    tiny: HubServer, cache: Path, content: bytes
) -> None:
    """A limit on the size of a file stands for the full disk; the error is of the same kind."""
    code, out, err = finish(start("pull", NAME, preexec=_limit_files))

    assert (code, out) == (1, "")
    assert "The disk is full" in err
    assert "200.0 KB of it fit" in err
    assert came(cache) == 200_000

    code, out, _ = finish(start("pull", NAME))
    assert code == 0
    assert Path(out.strip()).read_bytes() == content
    assert tiny.sent_from() == [0, 200_000]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte of its own, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_small_disk(
    small_disk: Path, tiny: HubServer, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First refused with the numbers; then full in the middle, as another program took the room."""
    monkeypatch.setenv("HF_HUB_CACHE", str(small_disk / "hub"))
    filler = small_disk / "filler"
    filler.write_bytes(bytes(200_000))
    code, _, err = finish(start("pull", NAME))

    assert code == 1
    assert "The download needs 413.4 KB" in err
    assert "are free" in err
    assert tiny.downloads == []

    filler.unlink()
    tiny.faults.gate = gate = Gate(REACHED)
    process = start("pull", NAME)
    gate.wait_reached()
    wait_until(lambda: came(small_disk) == REACHED, "what came is on the disk")
    filler.write_bytes(bytes(200_000))
    gate.opened.set()
    code, _, err = finish(process)

    assert code == 1, err
    assert "The disk is full" in err
    assert came(small_disk) >= REACHED

    filler.unlink()
    code, out, err = finish(start("pull", NAME))
    assert code == 0, err
    assert Path(out.strip()).read_bytes() == content
    assert 0 not in tiny.sent_from()[1:]


def test_it_never_asks_without_a_network(tiny: HubServer, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, _, err = finish(start("pull", NAME))

    assert code == 1
    assert "HF_HUB_OFFLINE forbids" in err
    assert tiny.asked == []


def test_progress_on_a_terminal(tiny: HubServer, held: Gate) -> None:
    """One line that replaces itself, with count, rate and time left."""
    leader, follower = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-m", "assistant", "models", "pull", NAME],
        stdin=follower, stdout=subprocess.DEVNULL, stderr=follower, env=environment,
    )  # fmt: skip
    os.close(follower)
    held.wait_reached()
    # The line is renewed ten times a second: the next piece comes later than that.
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > 0.2)
    held.opened.set()
    shown = b""
    while piece := _read(leader):
        shown += piece
    assert process.wait(60) == 0
    os.close(leader)
    assert b"\r\x1b[K" in shown
    assert re.search(rb"KB of 375\.8 KB, [\d.]+ [KM]?B/s, \d+ s left", shown), shown


def _read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""
