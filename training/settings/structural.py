"""The structural loss: which one, and what it compares with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Structural:
    """L_s: distance of the embeddings of generated and reference code."""

    arm: str = "straight-through"
    """`off`; `placebo` (compares decoded text, so it has no gradient: the control arm); `soft`
    and `straight-through` (mixtures of embeddings, anchored at the reference); `unanchored`
    (mixtures alone); `policy-gradient` (tokens are drawn, nearness is the reward); `projection`
    (the state at the end of the reasoning foretells the code's vector); `student-encoder` (the
    base model's first layers compare)."""
    encoder: str = "own"
    """`own` (made by the stage `encoder`), `codebert`, `codebert-python`, `graphcodebert`,
    `unixcoder`, or `random` (codebert's shape with random weights: a control)."""
    folder: str = ""
    """Where a downloaded encoder lies; empty asks the Hugging Face hub or its cache."""
    revision: str = ""
    """Commit of the encoder on the hub; empty is the one that this version was written for."""
    pooling: str = "pieces"
    """What is averaged: `pieces` (the program's), `mean` (special tokens too), `cls` (the first
    special token alone)."""
    layer: int = 0
    """After which layer of the encoder, counted from 1; 0 is the last. For `student-encoder` 0 is
    a quarter of the model's layers."""
    centring: str = "mean"
    """`none` (as the paper), `mean` (vectors are compared as differences from the mean program),
    `whitening` (all directions spread alike, too)."""
    centring_programs: int = 2000
    """Training programs that the mean is taken over."""
    window: int = 510
    """Largest number of the encoder's pieces that it sees at once; a longer program is the mean
    of its windows. Never more than the encoder can."""
    top_k: int = 64
    """Most likely tokens at each place that take part in the soft choice; 0 takes all."""
    temperature: float = 1.0
    """Of the soft choice."""
