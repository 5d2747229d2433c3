"""Tuning with LoRA: size of the adapter, budget, loop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Adapter:
    """Fine-tuning with LoRA on reasoning and code: alpha * L_token + beta * L_s."""

    rank: int = 32
    alpha: int = 64
    """Scale of the adapter is alpha / rank (rsLoRA: alpha / sqrt(rank)). Not the alpha of the
    curriculum."""
    kind: str = "lora"
    """`lora`, `rslora` or `dora`."""
    dropout: float = 0.0
    """Of the adapter's input. Anything but 0 costs speed."""
    targets: str = "all"
    """Which matrices get an adapter: `all` linear layers of attention and feed-forward, or some by
    name with commas: `q_proj,v_proj`."""
    answer: str = "reasoning"
    """What is learned: `reasoning` and then code, or `code` alone (the control arm)."""
    prompt_weight: float = 0.0
    """Weight of the request's tokens in the token loss; the answer's is 1."""
    tokens: int = 2_000_000
    """How many tokens are trained on, padding included; 0 leaves it to `epochs`."""
    epochs: float = 0.0
    """How often every example is seen; 0 leaves it to `tokens`."""
    examples: int = 0
    """How many training examples are used, the first ones of a fixed shuffle; 0 takes all."""
    max_length: int = 2048
    """Tokens of the longest example. Longer ones are left out and counted, never cut."""
    batch_tokens: int = 8192
    """Tokens that are computed together."""
    accumulate: int = 1
    """Such batches in one step of the optimizer: more examples a step in the same memory."""
    packed: bool = False
    """Several examples end to end in one row, without padding; they do not see each other."""
    recompute: bool = False
    """Gradient checkpointing: activations are computed twice instead of kept. Slower, in much less
    memory."""
    lr: float = 0.001
    """Highest learning rate of AdamW."""
    schedule: str = "trapezoid"
    """How the learning rate falls: `trapezoid` (straight to 0 from the first step on, also while it
    rises), `cosine`, `linear` (straight to 0 behind the warm-up), `constant`."""
    warmup_share: float = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.0
    clip: float = 1.0
    """Longest gradient; a longer one is shortened to it; 0: as long as it is."""
    evaluate_every: int = 0
    """Steps between two losses on validation examples; 0: only at the end."""
    evaluate_examples: int = 64
    """How many validation examples that loss is the mean of."""
    sample_every: int = 0
    """Steps between two answers to validation requests, for reading; 0: none."""
    trackers: str = ""
    """Where metrics go besides the run's folder: `tensorboard`, `wandb` or what else accelerate
    knows, with commas. Only what is named here is told anything."""
    checkpoint_every: int = 50
    """Steps between two checkpoints, from which a killed run goes on."""
