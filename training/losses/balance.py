"""How both losses weigh at the last hidden state, and a scale that holds their ratio.

Both losses meet where the head is applied. So each is followed back to that state alone, which
gives the two gradients and their norms at every step for nothing; their weighted sum then goes
on through the model once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

_MOST = 1e4
"""Largest scale: a vanishing structural gradient is not to be blown up without end."""


@dataclass(frozen=True)
class Norms:
    """Gradient norms of both losses at the last hidden state, unweighted."""

    token: float
    structural: float

    @property
    def ratio(self) -> float:
        """Structural over token; 0 without any."""
        return self.structural / self.token if self.token > 0 else 0.0


def backward(
    hidden: torch.Tensor,
    cut: torch.Tensor,
    losses: tuple[torch.Tensor, torch.Tensor],
    weights: tuple[float, float],
    heads: Sequence[torch.Tensor] = (),
) -> Norms:
    """Add the gradients of the weighted sum of both losses to all that is trained.

    Args:
        hidden: the last hidden state, any shape.
        cut: the same, detached, with a gradient of its own; both losses are made from it.
        losses: L_token and L_s; the second may have no gradient at all.
        weights: of both.
        heads: trained weights that the losses reach without passing `cut`.
    """
    by_token, by_structure = losses
    ways = [cut, *heads]
    found = [
        _gradients(by_token, ways, keep=True),
        _gradients(by_structure, ways, keep=False),
    ]
    sums: list[torch.Tensor | None] = [None] * len(ways)
    for gradients, weight in zip(found, weights, strict=True):
        for i, gradient in enumerate(gradients):
            if gradient is not None and weight != 0:
                part = gradient * weight
                before = sums[i]
                sums[i] = part if before is None else before + part
    for head, added in zip(heads, sums[1:], strict=True):
        if added is not None:
            head.grad = added if head.grad is None else head.grad + added
    if sums[0] is not None and hidden.requires_grad:
        torch.autograd.backward(hidden, sums[0])
    return Norms(*(_norm(gradients[0]) for gradients in found))


def _gradients(
    loss: torch.Tensor, ways: list[torch.Tensor], *, keep: bool
) -> Sequence[torch.Tensor | None]:
    if not loss.requires_grad:
        return [None] * len(ways)
    return torch.autograd.grad(loss, ways, retain_graph=keep, allow_unused=True)


def _norm(gradient: torch.Tensor | None) -> float:
    return 0.0 if gradient is None else gradient.float().norm().item()


def combined(parts: Sequence[Norms]) -> Norms:
    """The norms of a step that was done in parts: their states are different ones."""
    token = sum(part.token**2 for part in parts) ** 0.5
    return Norms(token, sum(part.structural**2 for part in parts) ** 0.5)


def scale(norms: Norms, mode: str, ratio: float, before: float = 1.0) -> float:
    """What L_s is multiplied by from now on.

    Args:
        norms: as they were measured.
        mode: `raw` is 1; `auto` makes the structural gradient `ratio` of the token loss's.
        ratio: as said.
        before: the scale until now; 1 is none that was measured. One odd step, without a wrong
            token or with a single one, does not change it by more than a factor of 2.
    """
    if mode == "raw":
        return 1.0
    if norms.structural == 0 or norms.token == 0:
        return before
    found = min(ratio * norms.token / norms.structural, _MOST)
    return found if before == 1.0 else min(max(found, before / 2), before * 2)
