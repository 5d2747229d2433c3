"""Tuning with LoRA: both losses, curriculum, loop."""

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
    structural: str = "straight-through"
    """Form of the structural loss: `straight-through`, `soft`, `placebo` (compares decoded text,
    so it has no gradient: the control arm), or `none`."""
    top_k: int = 64
    """Most likely tokens at each place that take part in the soft choice; 0 takes all."""
    temperature: float = 1.0
    """Of the soft choice."""
    curriculum_warmup: float = 0.1
    """Share of the steps with the token loss alone."""
    alpha_end: float = 0.5
    """Weight of the token loss at the end; it starts at 1, and beta is 1 - alpha."""
    beta_scale: str = "auto"
    """`raw` leaves L_s as it is; `auto` scales it so that its gradient at the last hidden state is
    `beta_ratio` of the token loss's."""
    beta_ratio: float = 0.1
    scale_every: int = 20
    """Steps between two measurements of the gradient norms of both losses."""
    checkpoint_every: int = 50
