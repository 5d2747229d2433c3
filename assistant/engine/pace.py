"""How many rows a decode call may have, learnt from how long the calls took.

While a call runs nobody else is served: on a slow machine an 8B model reads 20 tokens a second, so
that 512 rows would take 25 seconds. But every call reads all weights once, and attention is quick
from 64 rows on: calls of 16 rows read an 8B model at 0.86 of the speed of large ones, calls of 64
at 0.97 (docs/log.md).
"""

from __future__ import annotations

LEAST_ROWS = 16
"""Fewer are not worth a call: it costs nearly as much."""
GOOD_ROWS = 64
"""llama.cpp's attention on a CPU is quicker by half from so many rows on, in multiples of it."""
_LONE_ROWS = 128
"""Beyond it nothing is gained."""
_WEIGHT = 0.3
_GUESSED_BYTES_PER_SECOND = 20e9
"""Weights times rows that a slow machine gets through, until it was measured."""

USUAL_SECONDS = 0.9
"""Planned length of a call that evaluates prompts; an urgent request can abort it."""
SHARED_SECONDS = 0.25
"""... while an answer of the same class is being generated, and stutters with each call."""
BRIEF_SECONDS = 0.6
"""... if the prompts that wait are short: long enough for good rows, and soon over."""
SHORT_SECONDS = 2.0
"""Prompts that are read within it, all together, are short."""
UNABORTABLE_SECONDS = 0.1
"""... where the backend can not abort a call."""
LONE_SECONDS = 5.0
"""... at most while there is no other request: whoever comes aborts it."""


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
        """How many rows a call can evaluate in `seconds`, in good multiples."""
        fitting = int(seconds / self._per_row)
        unit = GOOD_ROWS if fitting >= GOOD_ROWS else LEAST_ROWS
        return max(min(LEAST_ROWS, self._rows), min(fitting // unit * unit, self._rows))

    def rows_alone(self) -> int:
        """How many for a request that is alone: enough to be quick, if they take seconds."""
        usual = self.rows_within(USUAL_SECONDS)
        return max(usual, min(_LONE_ROWS, self.rows_within(LONE_SECONDS)))

    def expected(self, rows: int) -> float:
        """How long a call with so many rows will take, in seconds."""
        return self._step if rows < LEAST_ROWS else rows * self._per_row


def overhang(rows: int) -> int:
    """By how much a prompt may go over `rows` to end there: another call would cost more."""
    return rows // LEAST_ROWS


def aligned(start: int, count: int) -> int:
    """`count` shortened so that the rows end at a good multiple.

    Kernels work on several rows at a time; the same borders in every run keep the rounding of a
    prompt the same, however fast the machine was.
    """
    for unit in (GOOD_ROWS, LEAST_ROWS):
        cut = (start + count) // unit * unit - start
        if cut > count - unit and cut > 0:
            return cut
    return count


def _mixed(old: float, new: float) -> float:
    return (1 - _WEIGHT) * old + _WEIGHT * new
