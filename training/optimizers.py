"""Optimizers and learning rates.

Muon for the matrices of the layers, AdamW for the rest (embeddings and norms): on this problem
far faster than AdamW alone. torch brings both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from training.settings import Base


def for_base(model: nn.Module, settings: Base) -> list[torch.optim.Optimizer]:
    """Muon and AdamW for a model that is made from scratch."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim == 2 and "embed" not in name
        (matrices if is_matrix else others).append(parameter)
    return [
        torch.optim.Muon(
            matrices, lr=settings.matrix_lr, weight_decay=settings.weight_decay, momentum=0.95
        ),
        torch.optim.AdamW(others, lr=settings.other_lr, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def trapezoid(step: int, steps: int, warmup_share: float, decay_share: float) -> float:
    """Learning-rate factor: up in the first steps, level, down to zero in the last ones."""
    rise = max(1.0, warmup_share * steps)
    fall = max(1.0, decay_share * steps)
    return min(1.0, (step + 1) / rise, (steps - step) / fall)


def set_rates(optimizers: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Multiply each group's first learning rate by `factor`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("first_lr", group["lr"])
            group["lr"] = group["first_lr"] * factor
