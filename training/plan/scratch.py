"""Estimates of the chain `scratch`: a small model, made and tuned on a processor."""

from __future__ import annotations

from training.plan.corpus import Corpus
from training.plan.numbers import Estimate
from training.plan.shapes import Shape
from training.progress import duration
from training.settings import Settings

TOKENS_PER_SECOND = 3000
"""Per core, of a model of `REFERENCE_PARAMETERS`: measured on one x86-64 processor with bfloat16
products (AVX-512), 4,100 alone and 3,000 beside other work."""
REFERENCE_PARAMETERS = 4_950_000


def base(settings: Settings, shape: Shape) -> list[Estimate]:
    """Making the base model."""
    formula = "embedding + layers x (attention + feed-forward)"
    return [
        Estimate("parameters", f"{shape.parameters:,}", formula),
        time("time", settings.base.tokens, settings, shape),
    ]


def whole(settings: Settings, shape: Shape, ahead: Corpus, tuned: int) -> list[Estimate]:
    """Time, memory and disk of all stages.

    Args:
        settings: of the run.
        shape: of the model.
        ahead: the problems that there will be.
        tuned: tokens of tuning. An adapter saves little at this size, so they count as the
            base model's do.
    """
    count, batch = shape.parameters, settings.base.batch_tokens
    tokens = settings.base.tokens + tuned
    activations = batch * shape.layers * (14 * shape.width + 6 * shape.feed_forward) * 4
    activations += batch * shape.vocabulary * 12
    text = 6 * tokens + 3000 * ahead.problems
    return [
        Estimate(
            "time",
            duration(tokens / _rate(settings, count)),
            f"({settings.base.tokens:,} + {tuned:,} tokens) / the same rate; "
            "other stages add a few minutes",
        ),
        Estimate(
            "memory",
            f"{(600e6 + 16 * count + activations + text) / 1e6:,.0f} MB",
            "600 MB of libraries + 16 bytes a parameter (weight, gradient, two moments) + "
            "activations of a batch + 6 bytes a token of text + 3 kB a problem",
        ),
        Estimate(
            "disk",
            f"{(2500 * ahead.problems + 28 * count) / 1e6:,.0f} MB",
            "2.5 kB a problem + 28 bytes a parameter (base, merged, checkpoint, GGUF)",
        ),
    ]


def _rate(settings: Settings, parameters: int) -> float:
    """Tokens a second."""
    return TOKENS_PER_SECOND * max(settings.threads, 1) * REFERENCE_PARAMETERS / parameters


def time(what: str, tokens: int, settings: Settings, shape: Shape) -> Estimate:
    """How long a number of tokens takes, forward and backward."""
    rate = _rate(settings, shape.parameters)
    return Estimate(
        what,
        duration(tokens / rate),
        f"{tokens:,} tokens / ({rate:,.0f} tokens a second = {TOKENS_PER_SECOND} x "
        f"{settings.threads} threads x {REFERENCE_PARAMETERS:,} / {shape.parameters:,} "
        "parameters), measured on one processor",
    )
