"""The shape, and what a step has to compute. FLOPs: a multiplication and an addition are two.

Forward 2 and gradient towards the input 2 for a frozen weight and a token; a weight that is
trained takes 2 more. The first layer's query, key and value need no gradient towards their input:
nothing below is trained. The head sees only the places whose loss counts. Attention is causal and
ends at the example: half of the square, forward once and backward twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """A Llama with LoRA on all linear layers; the values are those of Llama-3.1-8B."""

    layers: int = 32
    width: int = 4096
    heads: int = 32
    kv_heads: int = 8
    feed_forward: int = 14336
    vocabulary: int = 128_256
    rank: int = 32

    def linears(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of a layer's matrices."""
        narrow = self.width // self.heads * self.kv_heads
        return {
            "q_proj": (self.width, self.width), "k_proj": (self.width, narrow),
            "v_proj": (self.width, narrow), "o_proj": (self.width, self.width),
            "gate_proj": (self.width, self.feed_forward),
            "up_proj": (self.width, self.feed_forward),
            "down_proj": (self.feed_forward, self.width),
        }  # fmt: skip

    @property
    def layer(self) -> int:
        """Weights of a layer's matrices."""
        return sum(inputs * outputs for inputs, outputs in self.linears().values())

    @property
    def head(self) -> int:
        """Weights of the head; the embedding has as many."""
        return self.width * self.vocabulary

    @property
    def adapter(self) -> int:
        """Weights that are trained."""
        sizes = sum(inputs + outputs for inputs, outputs in self.linears().values())
        return self.layers * self.rank * sizes

    @property
    def frozen(self) -> int:
        """Weights that are not: matrices, norms, embedding, head."""
        norms = (2 * self.layers + 1) * self.width
        return self.layers * self.layer + norms + 2 * self.head


SHAPES = {
    "slice": Shape(layers=2),
    "full": Shape(),
    "tiny": Shape(2, width=64, heads=4, kv_heads=2, feed_forward=96, vocabulary=512, rank=4),
}
"""Two layers of 8B, all of it, and one for tests."""


@dataclass(frozen=True)
class Work:
    """FLOPs of a step, forward and backward."""

    linear: float
    adapter: float
    attention: float
    head: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.linear + self.adapter + self.attention + self.head


def needed(shape: Shape, lengths: Sequence[int], counted: int) -> Work:
    """What a step needs at least.

    Args:
        shape: of the model.
        lengths: tokens of each example.
        counted: places whose loss counts.
    """
    every = published(shape, lengths)
    size = shape.linears()
    spared = sum(size[name][0] * size[name][1] for name in ("q_proj", "k_proj", "v_proj"))
    linear = every.linear - 2.0 * spared * sum(lengths)
    return Work(linear, every.adapter, every.attention, 4.0 * shape.head * counted)


def published(shape: Shape, lengths: Sequence[int]) -> Work:
    """As NVIDIA and others count for their tables: the head at every token, no layer spared."""
    tokens = sum(lengths)
    return Work(
        linear=4.0 * shape.layers * shape.layer * tokens,
        adapter=6.0 * shape.adapter * tokens,
        attention=6.0 * shape.layers * shape.width * sum(length**2 for length in lengths),
        head=4.0 * shape.head * tokens,
    )


def utilisation(flops: float, seconds: float, peak: float) -> float:
    """Share of the peak (FLOP/s) that was reached."""
    return flops / seconds / peak


def scaled(step: float, layers: float, measured: int, wanted: int) -> float:
    """Seconds of a step with another number of layers.

    Args:
        step: seconds of the whole step.
        layers: seconds of it in the layers, forward and backward.
        measured: layers that it had.
        wanted: layers that are asked for.
    """
    return step + layers * (wanted - measured) / measured
