"""How long tuning takes: floating-point operations, and how many of them a device does a second."""

from __future__ import annotations

from dataclasses import dataclass

from training.plan.shapes import Shape, trainable
from training.settings import Settings

STRUCTURAL_SHARE = 0.03
"""What L_s adds to a step at the 8B shape: an estimate from its operations, not measured."""


@dataclass(frozen=True)
class Device:
    """What a graphics card does in such work, by published numbers.

    Attributes:
        name: of the card.
        flops: floating-point operations a second that are reached.
        memory: bytes of the card.
        source: where that is from.
        usd_an_hour: rent; 0 where such cards are bought.
    """

    name: str
    flops: float
    memory: float
    source: str
    usd_an_hour: float = 0.0


H200 = Device(
    "H200", 0.406 * 989e12, 141e9,
    "40.6% of 989 TFLOP/s, published for Llama 3 8B with LoRA on an H100 (NVIDIA AutoModel: "
    "12,473 tokens a second); smaller models reach less, and nothing of ours was measured",
    # Of an H100 or H200, 2.5 to 3 USD are usual.
    usd_an_hour=3.0,
)  # fmt: skip
RTX_4090 = Device(
    "RTX 4090", 3083 * 32.1e9, 24e9,
    "3,083 tokens a second x 32.1 GFLOP, published for Llama 3.1 8B with LoRA (torchtune); "
    "smaller models reach less",
)  # fmt: skip


def flops_a_token(shape: Shape, settings: Settings, length: int) -> tuple[float, str]:
    """Operations of one token in tuning, and the formula.

    Forward and backward of a matrix are two operations a weight each, and a third time two for
    the gradient of the weight itself, which a frozen one does not need: 4 N instead of 6 N.

    Args:
        shape: of the model.
        settings: of the run.
        length: tokens of an example: each sees half of it on average.
    """
    weights = shape.linear + shape.head_weights
    adapter = trainable(shape, settings.adapter)
    attention = 6 * shape.heads * shape.head * length * shape.layers
    again = 2 * shape.linear if settings.adapter.recompute else 0
    flops = 4 * weights + 6 * adapter + attention + again
    formula = (
        f"4 x {weights / 1e9:.3f} billion frozen weights (linear layers and output; 6 N less "
        f"their gradient's 2 N) + 6 x {adapter / 1e6:.1f} million of the adapter + attention "
        f"6 x {shape.heads * shape.head:,} x {length:,} tokens x {shape.layers} layers"
    )
    if again:
        formula += " + 2 N of the linear layers for computing activations again"
    return float(flops), formula


def structural_share(settings: Settings) -> float:
    """What L_s adds to the time of a step; 0 where there is none."""
    return 0.0 if settings.structural.arm == "off" else STRUCTURAL_SHARE
