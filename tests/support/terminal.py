"""The terminal interface in a terminal of its own: keys in, what was drawn out."""

from __future__ import annotations

import os
import pty
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fcntl import ioctl
from termios import TIOCSWINSZ

from tests.support.editors_cache import ROOT

_ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")
PATIENCE = 30.0


class Terminal:
    """What is drawn, without colours and movements, in the order in which it came."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._drawn = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while piece := os.read(self._descriptor, 65536):
                self._drawn += piece
        except OSError:  # the program has ended
            return

    @property
    def drawn(self) -> str:
        """All of it so far."""
        return _ESCAPES.sub(b"", self._drawn).decode("utf-8", "replace")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._descriptor, keys.encode())


@contextmanager
def interface(environment: Mapping[str, str]) -> Iterator[Terminal]:
    """`assistant tui` in a terminal of 30 lines and 100 columns."""
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "assistant", "tui"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    terminal = Terminal(ours)
    try:
        yield terminal
        terminal.press("\x11")  # Ctrl+Q
        process.wait(PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
