"""On a terminal: the interface opens by itself, style is optional, and nothing can command it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.cli import terminal
from assistant.cli.layout import columns
from tests.cli.conftest import CODE, Assistant

ESCAPE = re.compile(rb"\x1b")


class Terminal:
    """A command with a real pseudo-terminal on the chosen streams."""

    def __init__(self, command: list[str], environment: dict[str, str], *, stdout: bool) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave if stdout else subprocess.PIPE,
            stderr=slave,
            env=environment | {"TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self.seen = b""

    def read_until(self, condition: Callable[[bytes], bool], seconds: float = 40.0) -> bytes:
        """Read until `condition` holds for all that was seen, or the command ends."""
        deadline = time.monotonic() + seconds
        while not condition(self.seen):
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 1 << 16)
                except OSError:  # the command has ended
                    break
        return self.seen

    def end(self) -> bytes:
        """Everything until the command ends, and its stdout when that is no terminal."""
        self.read_until(lambda seen: False)
        stdout = self.process.stdout.read() if self.process.stdout else b""
        self.process.wait(20)
        os.close(self.master)
        if self.process.stdout:
            self.process.stdout.close()
        return stdout


def test_without_a_command_the_interface_opens_and_leaves(assistant: Assistant):
    """The alternate screen comes and goes, and the exit code is 0."""
    environment = assistant.environment(ASSISTANT_MODEL=assistant.model("good"))
    opened = Terminal(assistant.command(), environment, stdout=True)
    opened.read_until(lambda seen: b"\x1b[?1049h" in seen and b"good" in seen)
    os.write(opened.master, b"\x11")  # ctrl+q
    opened.end()

    assert opened.process.returncode == 0
    assert b"\x1b[?1049l" in opened.seen


@pytest.mark.parametrize(("no_color", "styled"), [("", True), ("1", False)])
def test_ask_styles_its_remarks_unless_told_not_to(shared, no_color: str, styled: bool):
    """The code goes to the pipe as it is; what a person reads beside it is on the terminal."""
    home = str(shared.home / "good")
    environment = shared.environment(ASSISTANT_HOME=home, NO_COLOR=no_color)
    command = shared.command("ask", "--model", shared.model("good"), "add two numbers")
    asked = Terminal(command, environment, stdout=False)
    stdout = asked.end()

    assert asked.process.returncode == 0
    assert stdout.decode() == CODE
    assert b"Add two numbers." in asked.seen
    assert b"verdict: parsed" in asked.seen
    assert bool(ESCAPE.search(asked.seen)) == styled


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [("<&-", "", 0), (">&-", "ask --help", 0), ("2>&-", "nonsense", 2), ("<&-", "ask", 2)],
)
def test_a_closed_stream_is_no_bug(shared, closed: str, arguments: str, code: int):
    """As some schedulers start commands."""
    command = f"{shlex.quote(sys.executable)} -m assistant {arguments} {closed}"
    done = subprocess.run(["sh", "-c", command], env=shared.environment(), capture_output=True)

    assert done.returncode == code
    assert b"bug" not in done.stderr


def test_a_request_is_not_waited_for_on_a_terminal(shared):
    asked = Terminal(shared.command("ask"), shared.environment(), stdout=False)
    asked.end()

    assert asked.process.returncode == 2
    assert b"No request was given." in asked.seen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\r\nand ä 😀\n", "plain\ttext\r\nand ä 😀\n"),
        ("\x1b]0;title\x07", "\ufffd]0;title\ufffd"),
        ("over\rwritten", "over\ufffdwritten"),
        ("\x9b31m", "\ufffd31m"),
    ],
)
def test_text_of_a_model_can_not_command_the_terminal(text: str, shown: str):
    assert terminal.visible(text) == shown


def test_remarks_that_can_not_be_written_keep_nobody_from_the_answer(monkeypatch):
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 (a device)
        monkeypatch.setattr(sys, "stderr", full)
        terminal.say("nobody reads this")
        with contextlib.suppress(OSError):
            full.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_output_that_can_not_be_written_is_one_sentence():
    """A full disk is the user's problem to solve, no bug of ours."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "assistant", "models", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr == "The output can not be written: No space left on device.\n"


@pytest.mark.parametrize("told", [None, "", "0", "57", "-3", "wide"])
def test_the_help_is_as_wide_as_argparse_would_make_it(monkeypatch, told: str | None):
    monkeypatch.delenv("COLUMNS", raising=False)
    if told is not None:
        monkeypatch.setenv("COLUMNS", told)

    assert columns() == shutil.get_terminal_size().columns
