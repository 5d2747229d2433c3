"""Tuning with LoRA: size of the adapter, budget, loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapter:
    """Fine-tuning with LoRA on reasoning and code: alpha * L_token + beta * L_s."""

    rank: int = 32
    alpha: int = 64
    """Scale of the adapter is alpha / rank. Not the alpha of the curriculum."""
    tokens: int = 2_000_000
    """How many tokens are trained on, padding included."""
    batch_tokens: int = 8192
    lr: float = 0.001
    """Highest learning rate of AdamW."""
    warmup_share: float = 0.03
    """Share of the steps in which the learning rate rises."""
    checkpoint_every: int = 50
