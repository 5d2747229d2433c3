"""A small model made from nothing: tokenizer, shape, base training."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokenizer:
    """The byte-level tokenizer."""

    vocabulary: int = 2048
    """Number of tokens, special ones included; a multiple of 32."""
    sample: int = 20000
    """Problems whose texts it is made from."""


@dataclass(frozen=True)
class Architecture:
    """Shape of the model: Llama with tied embeddings."""

    width: int = 256
    """Size of a hidden state; a multiple of 32."""
    layers: int = 6
    heads: int = 4
    """Attention heads; width / heads is the size of one."""
    kv_heads: int = 2
    """Heads that keys and values have; several query heads share one."""
    feed_forward: int = 704
    """Width of the gated feed-forward part; a multiple of 32."""
    context: int = 1024
    """Longest text in tokens, request and answer together."""
    rope_base: float = 10000.0
    """Base of the rotary position frequencies."""


@dataclass(frozen=True)
class Base:
    """Making the base model from scratch: next-token loss on several kinds of documents."""

    tokens: int = 8_000_000
    """How many tokens are trained on, padding included. The budget is tokens, never time."""
    batch_tokens: int = 8192
    """Tokens in one step, padding included."""
    reasoning_share: float = 0.55
    """Share of tokens in documents that answer a request with reasoning and then code."""
    direct_share: float = 0.25
    """Share of tokens in documents that answer a request with code alone."""
    fim_share: float = 0.15
    """Share of tokens in code whose middle is to be filled in; the rest is plain code."""
    prompt_weight: float = 0.2
    """Weight of the user's words in the loss; what the assistant writes has weight 1."""
    matrix_lr: float = 0.02
    """Learning rate of Muon, for matrices."""
    other_lr: float = 0.004
    """Learning rate of AdamW, for embeddings and norms."""
    weight_decay: float = 0.01
    """Of the matrices."""
    warmup_share: float = 0.02
    """Share of the steps in which the learning rate rises."""
    decay_share: float = 0.4
    """Share of the steps, the last ones, in which the learning rate falls to zero."""
    checkpoint_every: int = 100
    """Steps between two checkpoints."""
