"""The arm `policy-gradient`: embedding similarity as a reward for tokens that were drawn.

Self-critical: the most likely tokens' distance is the baseline, so that a draw is encouraged by
as much as it is nearer to the reference than what would be decoded. Drawn at the reference's
places (every token sees the true beginning): a draw costs one pass of the encoder. Generating
freely would cost more than the whole step, and is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Sampler = Callable[[torch.Tensor], torch.Tensor]
"""From log-probabilities, shape ``(places, k)``, to the column drawn at each, ``(places,)``."""


def draw(logs: torch.Tensor) -> torch.Tensor:
    """One token a place by torch's random numbers, whose state a checkpoint keeps."""
    return torch.multinomial(logs.exp(), 1).squeeze(1)


def score_function(logs: torch.Tensor, drawn: torch.Tensor, baseline: torch.Tensor) -> torch.Tensor:
    """A loss with the value of `baseline` and the gradient of the expected distance.

    Args:
        logs: log-probability of what was drawn, with its gradient; shape ``(programs,)``.
        drawn: its distance from the reference, no gradient; shape ``(programs,)``.
        baseline: distance of the most likely tokens, no gradient; shape ``(programs,)``.
    """
    surrogate = (drawn - baseline) * logs
    return baseline + (surrogate - surrogate.detach())
