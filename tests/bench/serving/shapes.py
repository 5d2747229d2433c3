"""Models of a known shape with random weights: they cost what the real ones cost.

Q4_K_M mixes two types; which tensor gets which is told in `llama_tensor_get_type` of
src/llama-quant.cpp. Rows of the output that are not text by themselves are zero, so that such
tokens, the ends among them, are (as good as) never generated: every other token's logit is spread
around zero with a deviation of about one, and the best of 128,000 is far above it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from tests.bench.serving import gguf_file, vocabulary
from tests.bench.serving.blocks import Kind, pieces
from tests.bench.serving.gguf_file import Tensor

END_OF_TURN = 128009
_OUTPUT_DEVIATION = 0.02


@dataclass(frozen=True)
class Shape:
    """What a Llama is made of."""

    name: str
    layers: int
    width: int
    feed: int
    heads: int
    kv_heads: int
    context: int
    rope_factor: float
    tied: bool
    """The output matrix is the embedding."""

    @property
    def head(self) -> int:
        """Width of a head."""
        return self.width // self.heads


ONE_B = Shape("llama-3.2-1b", 16, 2048, 8192, 32, 8, 131072, 32.0, tied=True)
EIGHT_B = Shape("llama-3.1-8b", 32, 4096, 14336, 32, 8, 131072, 8.0, tied=False)


def write(path: Path, shape: Shape, llama3: Path, template: str) -> None:
    """Write a model of this shape.

    Args:
        path: where to.
        shape: its sizes.
        llama3: a GGUF file with the Llama-3 vocabulary.
        template: the chat template.
    """
    words = vocabulary.read(llama3)

    def describe(writer: gguf.GGUFWriter) -> None:
        metadata(writer, shape, len(words.tokens))
        vocabulary.describe(writer, words, END_OF_TURN, template)

    silent = np.array([text is None for text in words.texts()])
    gguf_file.write(path, describe, list(_tensors(shape, silent)))


def metadata(writer: gguf.GGUFWriter, shape: Shape, tokens: int) -> None:
    """Everything but the vocabulary."""
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(f"{shape.name}, random weights")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500000.0)
    writer.add_rope_dimension_count(shape.head)
    writer.add_vocab_size(tokens)


def more_bits(layer: int, layers: int) -> bool:
    """Whether Q4_K_M gives a layer's values and feed-forward output six bits instead of four."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def layer_tensors(
    random: np.random.Generator, shape: Shape, layer: int, *, silent: bool = False
) -> Iterator[Tensor]:
    """The tensors of one layer.

    Args:
        random: where randomness comes from.
        shape: sizes.
        layer: its number.
        silent: what it adds to the residual stream is zero, at full cost.
    """
    block = f"blk.{layer}."
    better = Kind.Q6_K if more_bits(layer, shape.layers) else Kind.Q4_K
    keys = shape.kv_heads * shape.head
    for name, rows, columns, kind in (
        ("attn_q", shape.width, shape.width, Kind.Q4_K),
        ("attn_k", keys, shape.width, Kind.Q4_K),
        ("attn_v", keys, shape.width, better),
        ("attn_output", shape.width, shape.width, Kind.Q4_K),
        ("ffn_gate", shape.feed, shape.width, Kind.Q4_K),
        ("ffn_up", shape.feed, shape.width, Kind.Q4_K),
        ("ffn_down", shape.width, shape.feed, better),
    ):
        mute = silent and name in ("attn_output", "ffn_down")
        deviation = 0.0 if mute else 1 / math.sqrt(columns)
        make = functools.partial(pieces, random, (rows, columns), kind, deviation)
        yield Tensor(f"{block}{name}.weight", (rows, columns), kind, make)
    for name in ("attn_norm", "ffn_norm"):
        yield gguf_file.given(f"{block}{name}.weight", np.ones(shape.width))


def _tensors(shape: Shape, silent: np.ndarray) -> Iterator[Tensor]:
    random = np.random.default_rng(0)
    size = (len(silent), shape.width)
    yield gguf_file.given("rope_freqs.weight", rope_factors(shape))
    for name, kind, rows in (
        ("token_embd", Kind.Q6_K if shape.tied else Kind.Q4_K, silent if shape.tied else None),
        ("output", Kind.Q6_K, silent),
    ):
        if name == "output" and shape.tied:
            continue
        make = functools.partial(pieces, random, size, kind, _OUTPUT_DEVIATION, rows)
        yield Tensor(f"{name}.weight", size, kind, make)
    yield gguf_file.given("output_norm.weight", np.ones(shape.width))
    for layer in range(shape.layers):
        yield from layer_tensors(random, shape, layer)


def rope_factors(shape: Shape) -> np.ndarray:
    """Llama 3's stretching of slow rotations (conversion/llama.py of llama.cpp)."""
    low, high, old = 1.0, 4.0, 8192
    frequencies = 500000.0 ** -(np.arange(0, shape.head, 2) / shape.head)
    lengths = 2 * math.pi / frequencies
    smooth = (old / lengths - low) / (high - low)
    between = 1 / ((1 - smooth) / shape.rope_factor + smooth)
    factors = np.where(lengths > old / low, shape.rope_factor, between)
    return np.where(lengths < old / high, 1.0, factors)
