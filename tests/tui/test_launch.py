"""From the command to the screen of a real terminal, and the log out of its way."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant import locations
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.tui.screen import ANSWER
from tui.launch import logging_to_file

PATIENCE_S = 40.0


class Terminal:
    """A program on a pseudo-terminal of 80 x 24, and everything that it has written."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            command, stdin=there, stdout=there, stderr=there, env=environment, close_fds=True
        )
        os.close(there)
        self.written = b""

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._here, keys.encode())

    def until(self, condition: Callable[[], object]) -> None:
        """Read what the program writes until `condition` is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.written[-3000:].decode(errors="replace")
            if select.select([self._here], [], [], 0.1)[0]:
                try:
                    self.written += os.read(self._here, 65536)
                except OSError:  # the program has closed its side
                    assert condition() or self.process.wait(PATIENCE_S) is not None

    def close(self) -> None:
        """End the program if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """`assistant` without a command on a terminal, with a scripted endpoint behind it."""
    with ScriptedEndpoint([ANSWER]) as server:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "ASSISTANT_ENDPOINT_URL": server.url,
            "SSH_CONNECTION": "tests",  # keeps the clipboard of this machine as it is
        }
        running = Terminal([sys.executable, "-m", "assistant"], environment)
        yield running
        running.close()


def test_a_prompt_is_answered_on_a_real_terminal(terminal: Terminal) -> None:
    """The bare command opens the interface; keys arrive, the answer is drawn, ctrl+q leaves."""
    terminal.until(lambda: b"ready" in terminal.written)
    terminal.send("double\x1b\ra number\r")
    terminal.until(lambda: b"parsed" in terminal.written)
    terminal.send("\x19")
    terminal.until(lambda: b"\x1b]52;c;" in terminal.written)
    terminal.send("\x11")
    terminal.until(lambda: terminal.process.poll() is not None)

    assert terminal.process.returncode == 0
    assert b"Traceback" not in terminal.written
    assert b"\x1b[?1049l" in terminal.written, "the screen from before is given back"


def test_the_log_goes_to_a_file_and_not_to_the_screen(capfd: pytest.CaptureFixture[str]) -> None:
    """A line on stderr would tear the screen."""
    before = logging.getLogger().handlers[:]
    with logging_to_file():
        logging.getLogger("tui.test").warning("something odd")

    assert "something odd" in locations.log_path("tui").read_text(encoding="utf-8")
    assert capfd.readouterr().err == ""
    assert logging.getLogger().handlers == before


def test_without_a_place_for_the_log_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state folder that can not be made does not keep the interface from opening."""
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("ASSISTANT_HOME", str(blocked / "home"))
    with logging_to_file():
        logging.getLogger("tui.test").warning("something odd")

    assert blocked.read_text() == "not a folder"
