"""Optimizers and learning rates.

Muon for the matrices of the layers, AdamW for the rest (embeddings and norms): on this problem
far faster than AdamW alone. torch brings both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from assistant.errors import UsageProblem
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


def trapezoid(step: int, steps: int, warmup_share: float, decay_share: float = 1.0) -> float:
    """Learning-rate factor: up in the first steps, level, down to zero in the last ones."""
    rise = max(1.0, warmup_share * steps)
    fall = max(1.0, decay_share * steps)
    return min(1.0, (step + 1) / rise, (steps - step) / fall)


def cosine(step: int, steps: int, warmup_share: float) -> float:
    """Learning-rate factor: up in the first steps, then half a cosine down to nearly zero."""
    up, done = _way(step, steps, warmup_share)
    return up * (0.5 + 0.5 * math.cos(math.pi * done))


def linear(step: int, steps: int, warmup_share: float) -> float:
    """Learning-rate factor: up in the first steps, then straight down to nearly zero."""
    up, done = _way(step, steps, warmup_share)
    return up * (1.0 - done)


def constant(step: int, steps: int, warmup_share: float) -> float:
    """Learning-rate factor: up in the first steps, then 1."""
    return _way(step, steps, warmup_share)[0]


def _way(step: int, steps: int, warmup_share: float) -> tuple[float, float]:
    """How far up the warm-up, 0 to 1; and the share of the rest that lies behind the step."""
    rise = max(1.0, warmup_share * steps)
    return min(1.0, (step + 1) / rise), max(0.0, step - rise) / max(1.0, steps - rise)


SCHEDULES: dict[str, Callable[[int, int, float], float]] = {
    "trapezoid": trapezoid,
    "cosine": cosine,
    "linear": linear,
    "constant": constant,
}


def schedule(name: str) -> Callable[[int, int, float], float]:
    """The learning-rate factor from (step, steps, warm-up share), by its name in the settings.

    Raises:
        UsageProblem: there is none of that name.
    """
    if name not in SCHEDULES:
        raise UsageProblem(
            f"adapter.schedule={name}: there is no such schedule",
            hint=f"one of: {', '.join(SCHEDULES)}",
        )
    return SCHEDULES[name]


def set_rates(optimizers: Sequence[torch.optim.Optimizer], factor: float) -> None:
    """Multiply each group's first learning rate by `factor`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("first_lr", group["lr"])
            group["lr"] = group["first_lr"] * factor
