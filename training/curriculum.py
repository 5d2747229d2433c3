"""The curriculum: from the token loss towards the structural loss.

The paper starts "with high token emphasis (alpha) and gradually increas[es] structural emphasis
(beta)"; the numbers are ours. During the warm-up alpha is 1 and beta 0; then a schedule, a
function of the share of the rest that is done, says both.

AdamW ignores a constant factor: with a loss that has no gradient (the placebo) a falling alpha
is a mild change of the learning rate and nothing else. `alpha-constant` leaves even that out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from assistant.errors import UsageProblem

STAIRS = 5
"""Levels of the schedule `steps`."""

Schedule = Callable[[float, float], tuple[float, float]]
"""From the share of the way that is done, 0 to 1, and alpha at its end to (alpha, beta)."""


def linear(done: float, end: float) -> tuple[float, float]:
    """Alpha falls in a straight line."""
    alpha = 1.0 - done * (1.0 - end)
    return alpha, 1.0 - alpha


def cosine(done: float, end: float) -> tuple[float, float]:
    """Alpha falls slowly, fast, slowly."""
    return linear(0.5 - 0.5 * math.cos(math.pi * done), end)


def steps(done: float, end: float) -> tuple[float, float]:
    """Alpha falls in stairs of equal height and length; the first is 1, the last the end."""
    return linear(min(int(done * STAIRS), STAIRS - 1) / (STAIRS - 1), end)


def fixed(_: float, end: float) -> tuple[float, float]:
    """The final weights at once."""
    return linear(1.0, end)


def alpha_constant(done: float, end: float) -> tuple[float, float]:
    """Alpha stays 1, beta rises in a straight line: structure comes on top."""
    return 1.0, linear(done, end)[1]


SCHEDULES: dict[str, Schedule] = {
    "linear": linear,
    "cosine": cosine,
    "steps": steps,
    "fixed": fixed,
    "alpha-constant": alpha_constant,
}


@dataclass(frozen=True)
class Curriculum:
    """Weights of both losses at each step.

    Attributes:
        steps: of the whole training.
        warmup: share of them with the token loss alone.
        alpha_end: weight of the token loss in the last step.
        schedule: name of the way between.

    Raises:
        UsageProblem: there is no schedule of that name, or a share is none.
    """

    steps: int
    warmup: float = 0.1
    alpha_end: float = 0.5
    schedule: str = "linear"

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise UsageProblem(
                f"curriculum.schedule={self.schedule}: there is no such schedule",
                hint=f"one of: {', '.join(SCHEDULES)}",
            )
        for name in ("warmup", "alpha_end"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise UsageProblem(f"curriculum.{name}={getattr(self, name)}: not from 0 to 1")

    def weights(self, step: int) -> tuple[float, float]:
        """(alpha, beta) in step `step`, counted from 0."""
        start = int(self.warmup * self.steps)
        if step < start or self.steps <= start + 1:
            return 1.0, 0.0
        done = (step - start) / (self.steps - 1 - start)
        return SCHEDULES[self.schedule](done, self.alpha_end)
