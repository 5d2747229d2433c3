"""How far a stage is: count, rate and time left, on stderr.

On a terminal one line that is redrawn; otherwise a plain line now and then.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Shows one stage's progress; `advance` may be called as often as one likes.

    Args:
        stage: what is going on.
        total: units until the end.
        unit: what is counted, in the plural.
        start: units that an earlier run has done; they do not count for the rate.
        stream: where to write.
    """

    TERMINAL_SECONDS = 0.2
    PLAIN_SECONDS = 15.0

    def __init__(
        self, stage: str, total: int, unit: str, start: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stage, self._total, self._unit = stage, total, unit
        self._start = self._done = start
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._began = self._shown = time.monotonic()

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return (self._done - self._start) / max(time.monotonic() - self._began, 1e-9)

    def advance(self, units: int, note: str = "") -> None:
        """`units` more are done; `note` is shown beside them."""
        self._done += units
        now = time.monotonic()
        wait = self.TERMINAL_SECONDS if self._terminal else self.PLAIN_SECONDS
        if now - self._shown >= wait:
            self._shown = now
            self._show(note)

    def say(self, text: str) -> None:
        """A line that stays."""
        self._clear()
        self._stream.write(f"{self._stage}: {text}\n")
        self._stream.flush()

    def close(self, note: str = "") -> None:
        """Show the end state, as a line that stays."""
        seconds = time.monotonic() - self._began
        text = f"{self._done:,} {self._unit} in {duration(seconds)}"
        self.say(f"{text}  {note}".rstrip())

    def _show(self, note: str) -> None:
        left = (self._total - self._done) / max(self.rate, 1e-9)
        share = 100 * self._done / max(self._total, 1)
        text = (
            f"{self._stage}: {self._done:,} of {self._total:,} {self._unit} ({share:.0f}%), "
            f"{self.rate:,.0f} a second, {duration(left)} left  {note}"
        ).rstrip()
        self._clear()
        self._stream.write(text if self._terminal else text + "\n")
        self._stream.flush()

    def _clear(self) -> None:
        if self._terminal:
            self._stream.write("\r\x1b[K")


def duration(seconds: float) -> str:
    """A time for people: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
