"""How far a download is: one line that replaces itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from assistant.cli import terminal
from assistant.cli.progress import duration

_LIVE_SECONDS, _PLAIN_SECONDS = 0.1, 10.0
_WINDOW_SECONDS = 10.0


class Transfer:
    """A `assistant.models.watching.Watcher` that says on stderr what it is told."""

    def __init__(self) -> None:
        self._live = terminal.styled()
        self._line = terminal.StatusLine()
        self._what, self._total, self._done = "", 0, 0
        self._said = 0.0
        # (time, bytes) of the last seconds: a resumed or uneven download has no one rate.
        self._recent: list[tuple[float, int]] = []

    def say(self, text: str) -> None:
        """A line that stays."""
        self._line.clear()
        terminal.say(terminal.visible(text))

    def begin(self, what: str, total: int, done: int) -> None:
        """From here on `advance` counts towards `total` bytes."""
        self._what, self._total, self._done = what, total, done
        self._said = time.monotonic()
        self._recent = [(self._said, done)]

    def advance(self, count: int) -> None:
        """So many bytes more; 0 while it waits."""
        self._done += count
        now = time.monotonic()
        if not self._what or now - self._said < (_LIVE_SECONDS if self._live else _PLAIN_SECONDS):
            return
        self._said = now
        text = self._text(now)
        if self._live:
            self._line.show(text)
        else:
            terminal.say(text)

    def end(self) -> None:
        """No more of this file."""
        self._what = ""
        self._line.clear()

    def _text(self, now: float) -> str:
        from assistant.models.download import size_text

        self._recent.append((now, self._done))
        while len(self._recent) > 2 and now - self._recent[1][0] >= _WINDOW_SECONDS:
            del self._recent[0]
        text = f"{terminal.visible(self._what)}: {size_text(self._done)} of "
        text += size_text(self._total)
        (then, before), seconds = self._recent[0], now - self._recent[0][0]
        rate = (self._done - before) / seconds if now > then else 0.0
        if rate > 0:
            left = (self._total - self._done) / rate
            text += f", {size_text(rate)}/s, {duration(left)} left"
        return text
