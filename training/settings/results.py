"""What is made of the tuned model: the file, its scores."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Export:
    """The GGUF file."""

    type: str = "Q8_0"
    """How matrices are stored: F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M and others."""
    name: str = "starter"
    """The model's name in the file."""
    verify_tokens: int = 400
    """Tokens on which the file is compared with the torch model."""
    max_kld: float = 0.02
    """Largest mean divergence (nats) of the file from the torch model, else the stage fails."""
    min_top1: float = 0.9
    """Smallest share of places with the same most likely token, else the stage fails."""


@dataclass(frozen=True)
class Evaluate:
    """Running the code that the GGUF model writes."""

    benchmarks: str = ""
    """Public benchmarks with commas: `humaneval`, `humaneval+`, `mbpp`, `mbpp+`. Empty: the sets
    below, which belong to problems that this project makes itself."""
    limit: int = 0
    """Tasks of each benchmark, the first ones; 0 takes all."""
    prompt: str = "reasoning"
    """What an untuned model is asked for: `reasoning` in four sections and then code, as serving
    asks it, or `direct`: the task alone. A tuned model is always given the task alone."""
    heldout: int = 300
    """Problems whose structure does not occur in the training data."""
    validation: int = 100
    """New problems of structures that do occur."""
    handwritten: bool = True
    """Requests in words that no template made."""
    mbpp: int = 500
    """Problems of MBPP's test split when its data is there (--data or ASSISTANT_DATA)."""
    max_new_tokens: int = 512
    examples: int = 8
    """Answers of each kind that the report shows in full, the first and the first failed ones."""
    workers: int = 2
    """Processes that run the tests side by side."""
