"""The curriculum: from the token loss towards the structural loss.

The paper starts "with high token emphasis (alpha) and gradually increas[es] structural emphasis
(beta)"; the numbers are ours: alpha is 1 and beta 0 during the warm-up, then alpha falls in a
straight line to `alpha_end`, and beta is 1 - alpha.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curriculum:
    """Weights of both losses at each step.

    Attributes:
        steps: of the whole training.
        warmup: share of them with the token loss alone.
        alpha_end: weight of the token loss in the last step.
    """

    steps: int
    warmup: float = 0.1
    alpha_end: float = 0.5

    def weights(self, step: int) -> tuple[float, float]:
        """(alpha, beta) in step `step`, counted from 0."""
        start = int(self.warmup * self.steps)
        if step < start or self.steps <= start + 1:
            return 1.0, 0.0
        done = (step - start) / (self.steps - 1 - start)
        alpha = 1.0 - done * (1.0 - self.alpha_end)
        return alpha, 1.0 - alpha
