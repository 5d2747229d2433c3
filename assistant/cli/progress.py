"""How far a long run is: one line that replaces itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time

from assistant.cli import terminal

_LIVE_SECONDS, _PLAIN_SECONDS = 0.1, 10.0


class Progress:
    """Says on stderr what goes on, with count, rate and time left."""

    def __init__(self) -> None:
        self._live = terminal.styled()
        self._line = terminal.StatusLine()
        self._what, self._total, self._done, self._before = "", 0, 0, 0
        self._started = self._said = 0.0

    def say(self, text: str) -> None:
        """A line that stays."""
        self._line.clear()
        terminal.say(text)

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """Start counting.

        Args:
            what: is counted, such as `samples judged`.
            total: how many there will be.
            done: how many were there before; they do not count for the rate.
        """
        self._what, self._total, self._done, self._before = what, total, done, done
        self._started = self._said = time.monotonic()

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        self.tick()

    def tick(self) -> None:
        """Say how far it is, if it is time to."""
        now = time.monotonic()
        if not self._what or now - self._said < (_LIVE_SECONDS if self._live else _PLAIN_SECONDS):
            return
        self._said = now
        if self._live:
            self._line.show(self._text(now))
        else:
            terminal.say(self._text(now))

    def end(self) -> None:
        """Stop counting, and remove the line."""
        self._what = ""
        self._line.clear()

    def _text(self, now: float) -> str:
        text = f"{self._done} of {self._total} {self._what}"
        made, seconds = self._done - self._before, now - self._started
        if made and seconds > 0:
            rate = made / seconds
            text += f", {rate:.1f}/s, {duration((self._total - self._done) / rate)} left"
        return text


def duration(seconds: float) -> str:
    """Such as `45 s`, `3 min 05 s`, `2 h 07 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
