"""A model that copies text and renames one word while it does, with weights set by hand.

An induction circuit in Llama's architecture, three layers deep: eight heads carry the marks of the
eight tokens before each position into it, one head doubles that to sixteen, and one head looks for
the place whose sixteen tokens before are the sixteen tokens just written and takes the token that
stands there. The other thirteen layers have random weights and add nothing, at full cost; with
them a token costs what it costs with a 1B Llama. What is copied is exact, whatever the text is, as
long as sixteen tokens tell a place from the others.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from tests.bench.serving import gguf_file, shapes, vocabulary
from tests.bench.serving.blocks import Kind
from tests.bench.serving.gguf_file import Tensor

SHAPE = shapes.Shape("copying-1b", 16, 2048, 8192, 8, 2, 16384, 1.0, tied=False)
"""The sizes of Llama-3.2-1B, with fewer and wider heads."""
RENAMED = (" server", " backend")
"""Each of the two is one token."""

_MARK, _CODE, _BACK = 14, 256, 16
"""Signs in a token's mark and in its code; how many tokens back the marks go."""
_TURNING = 32
"""Dimensions of a head that rotate; the others keep still, so that they compare contents."""
_SHARP, _MATCH, _LOGIT = 9.0, 4.0, 40.0
"""Strengths: of looking at a distance, of comparing marks, and the logit of what is copied."""


@dataclass(frozen=True)
class _Places:
    """Where things are in the residual stream. All are signs (1 or -1), or zero."""

    one: int = 0
    mark: int = 1
    code: int = 1 + _MARK
    back: int = 1 + _MARK + _CODE
    copied: int = 1 + _MARK + _CODE + _BACK * _MARK

    def marks(self, first: int, count: int) -> np.ndarray:
        """Dimensions of the marks of the tokens `first` to `first + count` - 1 back."""
        own = np.arange(self.mark, self.mark + _MARK)
        backs = np.arange(self.back, self.back + _BACK * _MARK)
        return np.concatenate([own, backs])[first * _MARK : (first + count) * _MARK]

    def scale(self, signs: int) -> float:
        """What the norm multiplies a stream with so many signs by."""
        return float(np.sqrt(SHAPE.width / signs))


_AT = _Places()


def write(path: Path, llama3: Path, template: str) -> None:
    """Write the model.

    Args:
        path: where to.
        llama3: a GGUF file with the Llama-3 vocabulary.
        template: the chat template.
    """
    words = vocabulary.read(llama3)

    def describe(writer: gguf.GGUFWriter) -> None:
        shapes.metadata(writer, SHAPE, len(words.tokens))
        vocabulary.describe(writer, words, shapes.END_OF_TURN, template)

    gguf_file.write(path, describe, list(_tensors(words.texts())))


def _tensors(texts: list[str | None]) -> Iterator[Tensor]:
    random = np.random.default_rng(0)
    yield gguf_file.given("rope_freqs.weight", _rope_factors())
    yield from _vocabulary(random, texts)
    yield gguf_file.given("output_norm.weight", np.ones(SHAPE.width))
    circuit = {0: _eight_back(), 1: _sixteen_back(), 2: _induction()}
    for layer in range(SHAPE.layers):
        by_hand = {f"blk.{layer}.{tensor.name}": tensor for tensor in circuit.get(layer, ())}
        for tensor in shapes.layer_tensors(random, SHAPE, layer, silent=True):
            given = by_hand.get(tensor.name, tensor)
            yield Tensor(tensor.name, tensor.shape, given.kind, given.pieces)


def _vocabulary(random: np.random.Generator, texts: list[str | None]) -> Iterator[Tensor]:
    marks = random.choice((-1, 1), (len(texts), _MARK)).astype(np.int8)
    codes = random.choice((-1, 1), (len(texts), _CODE)).astype(np.int8)
    old, new = (texts.index(word) for word in RENAMED)
    marks[new] = marks[old]  # so that the place is found again behind the new name
    ones = np.ones((len(texts), 1), np.int8)
    yield _rows("token_embd.weight", _AT.one, np.hstack([ones, marks, codes]), 1.0)
    written = codes.copy()
    written[new] += codes[old]  # what is new already stays as it is
    written[old] = 0
    written[[text is None for text in texts]] = 0
    strength = _LOGIT / _CODE / _AT.scale(1 + _MARK + _BACK * _MARK + 2 * _CODE)
    yield _rows("output.weight", _AT.copied, written, strength)


def _rows(name: str, first: int, signs: np.ndarray, strength: float) -> Tensor:
    """A matrix that has `signs` from column `first` on, and zeros elsewhere."""
    shape, step = (len(signs), SHAPE.width), 8192

    def pieces() -> Iterator[bytes]:
        for row in range(0, len(signs), step):
            part = signs[row : row + step]
            values = np.zeros((len(part), SHAPE.width), np.float32)
            values[:, first : first + signs.shape[1]] = part * np.float32(strength)
            yield gguf.quants.quantize(values, Kind.Q8_0).tobytes()

    return Tensor(name, shape, Kind.Q8_0, pieces)


@functools.cache
def _frequencies() -> np.ndarray:
    """Rotations (radians a position) that agree at no distance but zero, as far as can be."""
    random = np.random.default_rng(1)
    distances = np.arange(1, SHAPE.context)[:, None]
    tried = (random.uniform(0.05, 3.1, _TURNING // 2) for _ in range(100))
    return min(tried, key=lambda values: np.cos(distances * values).sum(1).max())


def _rope_factors() -> np.ndarray:
    """What divides the usual rotations so that they become ours."""
    usual = 500000.0 ** -(np.arange(0, SHAPE.head, 2) / SHAPE.head)
    factors = np.full(SHAPE.head // 2, 1e20)
    factors[: _TURNING // 2] = usual[: _TURNING // 2] / _frequencies()
    return factors


def _eight_back() -> Iterator[Tensor]:
    """Head h brings the mark of the token h + 1 back."""
    scale = _AT.scale(1 + _MARK + _CODE)
    yield from _looking_back(range(1, 9), scale)
    values, output = _empty("attn_v"), _empty("attn_output")
    for group in range(SHAPE.kv_heads):
        rows = group * SHAPE.head + np.arange(_MARK)
        values[rows, _AT.marks(0, 1)] = 1 / scale
    for head in range(SHAPE.heads):
        output[_AT.marks(head + 1, 1), head * SHAPE.head + np.arange(_MARK)] = 1
    yield _matrix("attn_v", values)
    yield _matrix("attn_output", output)


def _sixteen_back() -> Iterator[Tensor]:
    """One head brings the eight marks that are eight back."""
    scale = _AT.scale(1 + _MARK + _CODE + 8 * _MARK)
    yield from _looking_back([8], scale)
    values, output = _empty("attn_v"), _empty("attn_output")
    values[np.arange(8 * _MARK), _AT.marks(1, 8)] = 1 / scale
    output[_AT.marks(9, 8), np.arange(8 * _MARK)] = 1
    yield _matrix("attn_v", values)
    yield _matrix("attn_output", output)


def _looking_back(distances: range | list[int], scale: float) -> Iterator[Tensor]:
    """Queries and keys of heads that look at one distance each."""
    angles = _frequencies()
    queries, keys = _empty("attn_q"), _empty("attn_k")
    even = np.arange(0, _TURNING, 2)
    for head, distance in enumerate(distances):
        first = head * SHAPE.head
        queries[first + even, _AT.one] = _SHARP / scale * np.cos(distance * angles)
        queries[first + even + 1, _AT.one] = -_SHARP / scale * np.sin(distance * angles)
    for group in range(SHAPE.kv_heads):
        keys[group * SHAPE.head + even, _AT.one] = _SHARP / scale
    yield _matrix("attn_q", queries)
    yield _matrix("attn_k", keys)


def _induction() -> Iterator[Tensor]:
    """One head finds the place with the same sixteen tokens before it and takes its code."""
    scale = _AT.scale(1 + _MARK + _CODE + _BACK * _MARK)
    still = _TURNING + np.arange(_BACK * _MARK)
    # Nearer tokens count more: so the longest match wins where none is complete.
    weights = np.repeat(np.linspace(2, 1, _BACK), _MARK)
    queries, keys = _empty("attn_q"), _empty("attn_k")
    queries[still, _AT.marks(0, _BACK)] = _MATCH * weights / scale
    keys[still, _AT.marks(1, _BACK)] = _MATCH / scale
    values, output = _empty("attn_v"), _empty("attn_output")
    values[np.arange(_CODE), _AT.code + np.arange(_CODE)] = 1 / scale
    output[_AT.copied + np.arange(_CODE), np.arange(_CODE)] = 1
    yield _matrix("attn_q", queries)
    yield _matrix("attn_k", keys)
    yield _matrix("attn_v", values)
    yield _matrix("attn_output", output)


def _empty(name: str) -> np.ndarray:
    narrow = name in ("attn_k", "attn_v")
    rows = SHAPE.kv_heads * SHAPE.head if narrow else SHAPE.width
    return np.zeros((rows, SHAPE.width), np.float32)


def _matrix(name: str, values: np.ndarray) -> Tensor:
    return gguf_file.given(f"{name}.weight", values, Kind.F16)
