"""L_token: cross-entropy of the next token.

Deliberately the sum and the weight apart: a caller that splits a batch must divide by the weight
of the whole batch, or short rows count too much.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def token_loss(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean of the cross-entropy in nats.

    Args:
        logits: float32, shape ``(n, vocabulary)``.
        targets: int64, shape ``(n,)``: the token that comes next.
        weights: float32, shape ``(n,)``: 0 leaves a place out.
    """
    each = functional.cross_entropy(logits, targets, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=1e-8)
