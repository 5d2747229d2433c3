"""How the daemon begins and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import locations
from assistant.daemon.lifecycle import take_lock
from assistant.daemon.protocol import LOAD_FAILED
from assistant.errors import StateProblem
from tests.support.daemons import chat, client, daemon, events, health, wait_until


def nothing_is_left() -> bool:
    lock = take_lock()
    if lock is None:
        return False
    os.close(lock)
    return not locations.socket_path().exists() and not locations.daemon_info_path().exists()


def test_it_tells_who_it_is(models: Path) -> None:
    with daemon(models / "abcd.gguf") as process:
        info = json.loads(locations.daemon_info_path().read_text())

    assert (info["pid"], info["protocol"]) == (process.pid, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_in_mid_answer(
    models: Path, http: httpx.Client, number: signal.Signals
) -> None:
    """The running answer is told the reason; no file stays."""
    with daemon(models / "endless.gguf", "--context-length", "65536") as process:
        body = chat(stream=True)
        with http.stream("POST", "/v1/chat/completions", json=body) as response:
            lines = response.iter_lines()
            next(line for line in lines if '"content":"a' in line)
            process.send_signal(number)
            objects = events(lines)
        assert process.wait(15) == 0

    assert "was ended while it answered" in objects[-1]["error"]["message"]
    assert nothing_is_left()


def test_shutdown_ends_it(models: Path, http: httpx.Client) -> None:
    with daemon(models / "abcd.gguf") as process:
        assert http.post("/shutdown?when=idle").json()["pid"] == process.pid
        assert process.wait(15) == 0
        assert nothing_is_left()


def test_a_busy_one_does_not_end_when_asked_to_if_idle(models: Path, http: httpx.Client) -> None:
    with daemon(models / "endless.gguf", "--context-length", "65536") as process:
        body = chat(stream=True)
        with http.stream("POST", "/v1/chat/completions", json=body) as response:
            lines = response.iter_lines()
            next(line for line in lines if '"content":"a' in line)
            assert http.post("/shutdown?when=idle").status_code == 409
            next(lines)
        assert process.poll() is None


def test_a_socket_that_lies_around_is_replaced(models: Path) -> None:
    """Its owner is dead: the lock is free."""
    locations.ensure_private_dir(locations.runtime_dir())
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(locations.socket_path()))
    assert health() is None

    with daemon(models / "abcd.gguf"):
        assert health() == "ok"


def test_there_is_one_at_a_time(models: Path) -> None:
    with daemon(models / "abcd.gguf") as first:
        command = [sys.executable, "-m", "assistant.daemon", "--model-name", "x"]
        command += ["--model-path", str(models / "abcd.gguf")]
        second = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert second.returncode == 1
        assert "An engine daemon runs already" in second.stderr
        assert health() == "ok"
        assert first.poll() is None


def test_it_ends_when_nobody_needs_it(models: Path, http: httpx.Client) -> None:
    with daemon(models / "abcd.gguf", "--idle-seconds", "1.0") as process:
        http.post("/v1/chat/completions", json=chat())
        assert process.wait(15) == 0
        assert nothing_is_left()


def test_it_does_not_end_for_idleness_while_it_works(models: Path, http: httpx.Client) -> None:
    options = ("--idle-seconds", "1.5", "--context-length", "65536")
    with daemon(models / "endless.gguf", *options) as process:
        body = chat(stream=True, max_tokens=3000)
        with http.stream("POST", "/v1/chat/completions", json=body) as response:
            objects = events(response.iter_lines())
        assert objects[-1]["usage"]["completion_tokens"] == 3000
        assert process.wait(15) == 0


def test_it_ends_when_its_socket_is_removed(models: Path) -> None:
    """No client could find it any more, and its successor's socket is left alone."""
    with daemon(models / "abcd.gguf") as process:
        locations.socket_path().unlink()
        locations.socket_path().write_text("another's")
        assert process.wait(15) == 0

    assert locations.socket_path().read_text() == "another's"


def test_a_model_that_does_not_load_is_told_and_the_daemon_ends(tmp_path: Path) -> None:
    broken = tmp_path / "notes.gguf"
    broken.write_text("not a model")
    command = [sys.executable, "-m", "assistant.daemon", "--model-name", "x"]
    with subprocess.Popen([*command, "--model-path", str(broken)]) as process:
        with client() as http:
            # Told once; who comes later finds no daemon, and may start another.
            body = wait_until(lambda: failed(http))
        assert process.wait(15) == LOAD_FAILED

    assert body["error"]["type"] == "ModelProblem"
    assert "not a GGUF file: a text file" in body["detail"]
    assert nothing_is_left()


def failed(http: httpx.Client) -> dict[str, object] | None:
    try:
        body: dict[str, object] = http.get("/health").json()
    except httpx.TransportError:
        return None
    return body if body["status"] == "failed" else None


def test_a_home_too_deep_for_a_socket_gets_a_short_one(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unix socket paths end at about a hundred bytes."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("ASSISTANT_HOME", str(deep))

    with daemon(models / "abcd.gguf"):
        assert len(os.fsencode(locations.socket_path())) <= locations.MAX_SOCKET_PATH_BYTES
        assert locations.runtime_dir().stat().st_mode & 0o777 == 0o700
        assert health() == "ok"
    for left in locations.runtime_dir().iterdir():
        left.unlink()
    locations.runtime_dir().rmdir()


def test_a_state_folder_that_can_not_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "file" / "home"))

    with pytest.raises(StateProblem, match="can not be created"):
        take_lock()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_state_folder_is_named(_own_home: Path) -> None:
    _own_home.chmod(0o500)
    try:
        with pytest.raises(StateProblem, match="can not be created"):
            take_lock()
    finally:
        _own_home.chmod(0o700)


def test_a_model_that_does_not_load_after_long_is_told_as_well(tmp_path: Path) -> None:
    """Who asks twice a second hears it, however long the load took."""
    go = tmp_path / "go"
    program = f"""
        import sys, threading
        from pathlib import Path
        from assistant.daemon import lifecycle, loading
        from assistant.errors import ModelProblem

        def load(on_progress):
            while not Path({str(go)!r}).exists():
                threading.Event().wait(0.01)
            raise ModelProblem("It can not be.")

        loading.loads = lambda options: (load, None)
        lifecycle._FAILED_LINGER = 5.0
        sys.exit(lifecycle.serve(lifecycle.Options(Path("m.gguf"), "m")))
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command) as process, client() as http:
        try:
            wait_until(lambda: health() == "loading")
            wait_until(lambda: status(http)["uptime_s"] > 5.0)
            go.touch()
            failed_at = wait_until(
                lambda: (now := status(http))["phase"] == "failed" and now["uptime_s"]
            )
            wait_until(lambda: status(http)["uptime_s"] > failed_at + 1)
            assert "It can not be" in str(failed(http))
            assert process.wait(15) == LOAD_FAILED
        finally:
            process.kill()


def status(http: httpx.Client) -> dict[str, Any]:
    body: dict[str, Any] = http.get("/status").json()
    return body
