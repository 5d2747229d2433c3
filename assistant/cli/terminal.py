"""What the commands write with: plain lines, a little style on terminals, no colour needed.

`NO_COLOR` and `TERM=dumb` switch the style off; nothing is told by style alone.
"""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import TextIO

# Everything that a terminal may take as a command, but for tab and the ends of lines.
_CONTROL = re.compile(r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]")


def prepare_streams() -> None:
    """Source code is UTF-8 whatever the locale says, and a message never fails to be printed."""
    _hold_low_descriptors()
    for name in ("stdout", "stderr"):
        # A stream that was closed before we started is None, and then nobody reads it.
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 (until the end)
            setattr(sys, name, nowhere)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors="backslashreplace")


def _hold_low_descriptors() -> None:
    """No pipe of ours may get the number of a stream that was closed before we started."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one


def say(text: str = "", *, end: str = "\n") -> None:
    """Write to stderr, at once."""
    try:
        print(text, end=end, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        # Nobody listens to our remarks, or the disk that they go to is full; what was asked for
        # can still be printed.
        return


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits at `stream`; a stream that was closed before we started is None."""
    return stream is not None and stream.isatty()


def styled(stream: TextIO | None = None) -> bool:
    """Whether escape sequences are welcome on `stream` (stderr unless given)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(sys.stderr if stream is None else stream)


def bold(text: str) -> str:
    """`text` in bold on stderr where that is possible."""
    return f"\x1b[1m{text}\x1b[0m" if styled() else text


def dim(text: str) -> str:
    """`text` dimmed on stderr where that is possible."""
    return f"\x1b[2m{text}\x1b[0m" if styled() else text


def visible(text: str) -> str:
    """`text` without characters that would command the terminal instead of showing."""
    return _CONTROL.sub("�", text)


def verdict_line(outcome: str, layer: str, detail: str) -> str:
    """A verdict on one line; the layer is left out where nothing ran."""
    where = "" if layer == "none" else f" ({layer})"
    said = f": {detail}" if detail else ""
    return f"{outcome}{where}{said}"


class StatusLine:
    """One line on stderr that replaces itself; nothing at all where stderr is no terminal."""

    def __init__(self) -> None:
        self._live = styled()
        self._shown = False

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._live:
            say(f"\r\x1b[K{dim(text)}", end="")
            self._shown = True

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            say("\r\x1b[K", end="")
            self._shown = False
