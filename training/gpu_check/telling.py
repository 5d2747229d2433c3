"""How a check tells what it found: numbers with the most that they may be."""

from __future__ import annotations

import torch


class Failed(Exception):
    """A check found what must not be."""


class Skipped(Exception):
    """A check can not be made on this machine; the text says why."""


def hold(what: str, found: float, most: float) -> str:
    """What is told of a number that must not be larger.

    Raises:
        Failed: it is, or it is no number.
    """
    text = f"{what} {found:.1e} (at most {most:.0e})"
    if not found <= most:
        raise Failed(text)
    return text


def apart(found: torch.Tensor, right: torch.Tensor) -> float:
    """Length of the difference over the length of what is right."""
    exact = right.detach().double().cpu()
    difference = (found.detach().double().cpu() - exact).norm()
    share: float = (difference / exact.norm().clamp(min=1e-30)).item()
    return share


def seeded(seed: int, *shape: int) -> torch.Tensor:
    """Normal values in float64 on the processor: the same for every device."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
