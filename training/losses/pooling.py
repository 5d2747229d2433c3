"""From the encoder's states to one vector a program, and where the angles are measured from.

Vectors of pretrained code encoders lie in a narrow cone: every cosine is near 1. Centring moves
the origin into the cone; whitening also gives every direction the same spread.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import torch


class Pooling(enum.Enum):
    """Which states are averaged."""

    PIECES = "pieces"
    MEAN = "mean"
    CLS = "cls"


def pool(
    state: torch.Tensor, mask: torch.Tensor, attended: torch.Tensor, before: int, kind: Pooling
) -> torch.Tensor:
    """One vector a row, in float32 or better; shape ``(rows, width)``.

    Args:
        state: shape ``(rows, before + length + after, width)``.
        mask: the program's pieces, bool, shape ``(rows, length)``.
        attended: pieces and special tokens, bool, shape ``(rows, before + length + after)``.
        before: special tokens in front of the program.
        kind: the program's pieces, all of them with the special tokens, or the first token.
    """
    exact = state.to(torch.promote_types(state.dtype, torch.float32))
    if kind is Pooling.CLS:
        return exact[:, 0]
    if kind is Pooling.PIECES:
        exact, attended = exact[:, before : before + mask.shape[1]], mask
    kept = exact * attended.unsqueeze(-1)
    return kept.sum(1) / attended.sum(1, keepdim=True).clamp(min=1)


class Center(enum.Enum):
    """What is done to a vector before angles are taken."""

    NONE = "none"
    MEAN = "mean"
    WHITENING = "whitening"


@dataclass(frozen=True)
class Centring:
    """c(x) = (x - mean) @ matrix; a part that is None is left out.

    Attributes:
        mean: shape ``(width,)``.
        matrix: shape ``(width, width)``.
    """

    mean: torch.Tensor | None = None
    matrix: torch.Tensor | None = None

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """The centred vectors, shape as before: ``(rows, width)``."""
        moved = vectors if self.mean is None else vectors - self.mean.to(vectors)
        return moved if self.matrix is None else moved @ self.matrix.to(vectors)


def fit(vectors: torch.Tensor, kind: Center, softness: float = 0.01) -> Centring:
    """What centres the vectors of many programs.

    Args:
        vectors: shape ``(programs, width)``.
        kind: nothing, their mean, or also their spread (ZCA).
        softness: share of the mean variance that is added to every variance, so that directions
            in which nothing varies are not blown up (Soft-ZCA, arXiv 2411.17538).
    """
    if kind is Center.NONE:
        return Centring()
    exact = vectors.double()
    mean = exact.mean(0)
    if kind is Center.MEAN:
        return Centring(mean.to(vectors))
    moved = exact - mean
    variances, directions = torch.linalg.eigh(moved.T @ moved / len(moved))
    floor = softness * variances.mean()
    matrix = (directions * (variances.clamp(min=0) + floor).rsqrt()) @ directions.T
    return Centring(mean.to(vectors), matrix.to(vectors))


def distance(generated: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """1 - cos of each pair, shape ``(rows,)``.

    As half the squared distance of the unit vectors: the same number, exactly 0 for equal
    vectors, and without the lost digits of 1 - 0.9999999.
    """
    difference = _unit(generated) - _unit(reference)
    half: torch.Tensor = 0.5 * difference.square().sum(-1)
    return half


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    units: torch.Tensor = vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return units
