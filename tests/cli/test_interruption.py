"""An answer that is interrupted: by Ctrl-C, by the death of the daemon, by a reader who leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from assistant.events import Code, Failed, from_json
from assistant.sandbox import layers
from tests.cli.conftest import CODE, Assistant


def asking(assistant: Assistant) -> subprocess.Popen[bytes]:
    """An answer in work that would go on for a long time, with its first code out."""
    process = assistant.start(
        *("ask", "--json", "--model", assistant.model("endless")),
        *("--max-tokens", "60000", "add two numbers"),
        ASSISTANT_DAEMON_CONTEXT_LENGTH="65536",
    )
    assert process.stdout is not None
    for line in process.stdout:
        if isinstance(from_json(json.loads(line)), Code):
            return process
    raise AssertionError(process.stderr and process.stderr.read())


def status(assistant: Assistant) -> dict:
    return json.loads(assistant.run("status", "--json").stdout)


def wait_until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def test_a_daemon_killed_in_mid_answer_is_one_error_and_the_next_call_works(assistant: Assistant):
    process = asking(assistant)
    os.kill(status(assistant)["pid"], signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=30)

    assert process.returncode == 1
    assert stderr.decode().count("Error:") == 1
    assert "died in mid-answer" in stderr.decode()
    terminal = [e for e in map(from_json, map(json.loads, stdout.splitlines())) if not_code(e)]
    assert len(terminal) == 1
    assert isinstance(terminal[0], Failed)
    assert assistant.ask("good", "add two numbers").stdout == CODE


def not_code(event: object) -> bool:
    return not isinstance(event, Code)


def test_ctrl_c_cancels_the_request_and_exits_130(assistant: Assistant):
    """The daemon lives on, and has stopped working for us."""
    process = asking(assistant)
    before = status(assistant)
    assert before["queue"]["running"] == 1
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)

    assert process.returncode == 130
    assert stderr.decode() == "Interrupted.\n"
    assert json.loads(stdout.splitlines()[-1])["type"] == "error"
    wait_until(lambda: status(assistant)["queue"]["running"] == 0)
    after = status(assistant)
    assert after["pid"] == before["pid"]
    assert after["requests_served"] == 0


@pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")
def test_ctrl_c_while_tests_run_leaves_no_process_of_theirs(shared, tmp_path):
    tests = tmp_path / "test_slow.py"
    tests.write_text("import time\ntime.sleep(60)\nassert add(1, 2) == 3\n")
    process = shared.start(
        *("ask", "--model", shared.model("good"), "--tests", str(tests), "add two numbers"),
        ASSISTANT_HOME=str(shared.home / "good"),
    )
    ours = psutil.Process(process.pid)
    # The daemon is started in a session of its own: those of the sandbox run another program.
    seen: set[psutil.Process] = set()

    def running() -> bool:
        seen.update(one for one in ours.children(recursive=True) if _is_sandboxed(one))
        return len(seen) >= 2

    wait_until(running, 40)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)

    assert (process.returncode, stdout) == (130, b"")
    assert stderr.decode().endswith("Interrupted.\n")
    # What was killed may wait for whoever collects orphans; it runs no more.
    assert all(_status(one) == psutil.STATUS_ZOMBIE for one in seen if one.is_running())


def _status(process: psutil.Process) -> str:
    try:
        return process.status()
    except psutil.NoSuchProcess:
        return psutil.STATUS_ZOMBIE


def _is_sandboxed(process: psutil.Process) -> bool:
    try:
        return "daemon" not in " ".join(process.cmdline())
    except psutil.Error:
        return False


def test_stopping_the_daemon_ends_an_answer_with_a_reason(assistant: Assistant):
    process = asking(assistant)
    assert assistant.run("stop").returncode == 0
    stdout, _ = process.communicate(timeout=30)

    assert process.returncode == 1
    assert isinstance(from_json(json.loads(stdout.splitlines()[-1])), Failed)


def test_a_reader_who_has_seen_enough_is_no_error(assistant: Assistant):
    """As in `assistant ask --json ... | head -1`."""
    process = asking(assistant)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert process.wait(30) == 128 + signal.SIGPIPE
    assert process.stderr.read() == b""
    process.stderr.close()
    wait_until(lambda: status(assistant)["queue"]["running"] == 0)


def test_ctrl_c_ends_a_daemon_in_the_foreground(assistant: Assistant):
    process = assistant.start("serve", "--foreground", "--model", assistant.model("good"))
    wait_until(lambda: status(assistant)["running"])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode in (0, 130)
    assert not status(assistant)["running"]
