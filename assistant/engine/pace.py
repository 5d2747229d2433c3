"""How many rows a decode call may have, learnt from how long the calls took.

A call can not be interrupted everywhere, and while it runs nobody else is served: on a slow
machine an 8B model reads 24 tokens a second, so that 512 rows would take 20 seconds. Calls of 16
rows read at nearly the same speed.
"""

from __future__ import annotations

LEAST_ROWS = 16
"""Fewer are not worth a call: it costs nearly as much."""
_WEIGHT = 0.3
_GUESSED_BYTES_PER_SECOND = 20e9
"""Weights times rows that a slow machine gets through, until it was measured."""

ALONE_SECONDS = 0.7
"""Planned length of a call that evaluates prompts; an urgent request can abort it."""
SHARED_SECONDS = 0.25
"""... while an answer of the same class is being generated, and stutters with each call."""
UNABORTABLE_SECONDS = 0.1
"""... where the backend can not abort a call."""


class Pace:
    """What the calls of one model cost.

    Args:
        rows: the most that fit in a call.
        weights: of the model, in bytes: a first guess of its speed.
    """

    def __init__(self, rows: int, weights: int) -> None:
        self._rows = rows
        self._per_row = max(weights, 1) / _GUESSED_BYTES_PER_SECOND
        self._measured = False
        self._step = 0.0

    def observe(self, rows: int, seconds: float) -> None:
        """A call with so many rows took so long."""
        if rows < LEAST_ROWS:
            self._step = _mixed(self._step, seconds) if self._step else seconds
            return
        measured = seconds / rows
        self._per_row = _mixed(self._per_row, measured) if self._measured else measured
        self._measured = True

    def rows_within(self, seconds: float) -> int:
        """How many rows a call can evaluate in `seconds`; a multiple of the least."""
        fitting = int(seconds / self._per_row) // LEAST_ROWS * LEAST_ROWS
        return max(min(LEAST_ROWS, self._rows), min(fitting, self._rows))

    def expected(self, rows: int) -> float:
        """How long a call with so many rows will take, in seconds."""
        return self._step if rows < LEAST_ROWS else rows * self._per_row


def aligned(start: int, count: int) -> int:
    """`count` shortened so that the rows end at a multiple of the least number of rows.

    Kernels work on several rows at a time; the same borders in every run keep the rounding of a
    prompt the same, however fast the machine was.
    """
    cut = (start + count) // LEAST_ROWS * LEAST_ROWS - start
    return cut if cut > 0 else count


def _mixed(old: float, new: float) -> float:
    return (1 - _WEIGHT) * old + _WEIGHT * new
