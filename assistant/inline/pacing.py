"""When to ask a model while somebody types.

A request costs the machine work that is thrown away when the next key comes first. An engine that
answers between two keys is asked at each of them; a slower one is asked once the person pauses, and
what a pause is follows from how that person types.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

LONGEST = 0.25
"""Seconds that a suggestion is held back at most."""
_PAUSE = 1.0
"""Longer intervals between two keys are no typing."""
_KEYS = 12
_ANSWERS = 8
_WITHIN = 1.2
"""An answer that takes so much longer than the next key is still worth a try."""
_LONGER = 1.5
"""A pause is so many intervals long."""


@dataclass
class Pace:
    """How fast somebody types, and how fast the engine answers. Times are seconds of any clock."""

    _intervals: deque[float] = field(default_factory=lambda: deque(maxlen=_KEYS))
    _answers: deque[float] = field(default_factory=lambda: deque(maxlen=_ANSWERS))
    _last: float | None = None
    _line_began: bool = False

    def typed(self, now: float, text: str) -> None:
        """The document changed: `text` was put in, or something was taken away."""
        if self._last is not None and 0 < now - self._last < _PAUSE:
            self._intervals.append(now - self._last)
        self._last = now
        # An editor indents the new line by itself.
        self._line_began = "\n" in text or "\r" in text

    def answered(self, seconds: float) -> None:
        """The engine took so long for a suggestion."""
        self._answers.append(seconds)

    def delay(self, now: float) -> float:
        """Seconds to wait before the engine is asked, from 0 to `LONGEST`."""
        if self._last is None or not self._intervals or not self._answers:
            return 0.0
        interval = _median(self._intervals)
        if _median(self._answers) <= _WITHIN * interval:
            return 0.0
        pause = min(LONGEST, _LONGER * interval)
        if self._line_began:
            # Who begins a line thinks about it.
            pause /= 2
        return max(0.0, pause - (now - self._last))


def _median(values: Iterable[float]) -> float:
    """The middle one, of an even number the upper; `statistics` takes long to import."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
