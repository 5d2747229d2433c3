"""The code encoder behind the structural loss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoder:
    """The small code encoder that the structural loss compares with."""

    width: int = 128
    layers: int = 2
    heads: int = 4
    steps: int = 400
    batch: int = 48
    """Programs in one step; each comes with a renamed and a mutated form."""
    max_tokens: int = 256
    """Longer programs are cut here."""
    lr: float = 0.001
    temperature: float = 0.1
    """Of the contrastive softmax: smaller is stricter."""
    checkpoint_every: int = 100
