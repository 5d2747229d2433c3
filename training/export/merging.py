"""Base and adapter as one model, in float32, never more of it in memory than is asked for.

In float32 because bfloat16 would round most of a small change away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from training.export import adapter as adapters
from training.export import checkpoint
from training.export.adapter import Change
from training.export.checkpoint import Weights


@dataclass(frozen=True)
class Merged:
    """A model with its adapter.

    Attributes:
        base: the weights of the base.
        described: the content of config.json.
        changes: of its tensors, by name; empty without an adapter.
    """

    base: Weights
    described: Mapping[str, Any]
    changes: Mapping[str, Change] = field(default_factory=dict)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all tensors, by name."""
        return self.base.shapes()

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows of a tensor from `start` on, before `stop`, in float32.

        Args:
            name: as transformers has it; of a tensor of one dimension the values are the rows.
            start: the first.
            stop: behind the last.
        """
        part = self.base.rows(name, start, stop)
        return changed(part, self.changes.get(name), start, stop)

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor whole, in float32."""
        return changed(self.base.tensor(name), self.changes.get(name))


def opened(base: Path, adapter: Path | None = None) -> Merged:
    """The model in the folder `base`, with the adapter in the folder `adapter`.

    Raises:
        ExportProblem: a file is missing or broken, or the adapter does not fit.
    """
    weights = checkpoint.opened(base)
    described = json.loads((base / "config.json").read_text(encoding="utf-8"))
    found = {} if adapter is None else adapters.changes(adapter, weights.shapes())
    return Merged(weights, described, found)


def changed(
    weight: torch.Tensor, change: Change | None, start: int = 0, stop: int | None = None
) -> torch.Tensor:
    """Rows of a tensor with what its change does to them, in float32.

    Args:
        weight: the rows from `start` on, before `stop`.
        change: of the whole tensor, or None.
        start: the first row.
        stop: behind the last; None: all that follow.
    """
    whole = weight.float()
    if change is None:
        return whole
    whole = whole + change.scale * (change.second[start:stop].float() @ change.first.float())
    if change.magnitude is None:
        return whole
    norms: torch.Tensor = torch.linalg.vector_norm(whole, dim=1)
    return (change.magnitude[start:stop].float() / norms)[:, None] * whole
