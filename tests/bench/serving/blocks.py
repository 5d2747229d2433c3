"""Random weights as llama.cpp stores them, a piece at a time: Q4_K, Q6_K and Q8_0 blocks.

Layouts: struct block_q4_K, block_q6_K, block_q8_0 in ggml/src/ggml-common.h. The bytes of scales
and quants are random; the one factor of a block (float16) is chosen so that the weights have the
asked deviation and a mean of zero, so activations stay finite through any number of layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import gguf
import numpy as np

Kind = gguf.GGMLQuantizationType

_PIECE = 1 << 16
"""Blocks that are made at a time: about 14 MB."""

# Deviation of a weight whose block has the factor 1, for random bytes as written below.
# Q4_K: scale * quant - 7.5 * minimum, with scale and minimum in 0..63 and quant in 0..15.
_Q4_UNIT = math.sqrt(1333.5 * 77.5 - (31.5 * 7.5) ** 2 + 7.5**2 * (1333.5 - 31.5**2))
# Q6_K: scale * quant, with scale in 32..127 and quant in -32..31.
_Q6_UNIT = math.sqrt((79.5**2 + (96**2 - 1) / 12) * (341.25 + 0.25))


def pieces(
    random: np.random.Generator,
    shape: tuple[int, int],
    kind: Kind,
    deviation: float,
    silent: np.ndarray | None = None,
) -> Iterator[bytes]:
    """The bytes of a random matrix, a few megabytes at a time.

    Args:
        random: where randomness comes from.
        shape: rows, columns; the columns are a multiple of the block's length.
        kind: Q4_K or Q6_K.
        deviation: standard deviation of the weights; 0 makes a matrix of zeros at full cost.
        silent: rows that are all zero, a boolean for each.
    """
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    per_row = shape[1] // elements
    rows = max(1, _PIECE // per_row)
    for first in range(0, shape[0], rows):
        count = min(rows, shape[0] - first)
        data = np.frombuffer(random.bytes(count * per_row * size), np.uint8)
        data = data.reshape(count, per_row, size).copy()
        factors = np.full((count, per_row), deviation, np.float32)
        if silent is not None:
            factors[silent[first : first + count]] = 0
        _FACTORS[kind](data, factors)
        yield data.tobytes()


def _q4(data: np.ndarray, deviations: np.ndarray) -> None:
    factors = deviations / _Q4_UNIT
    data[..., 0:2] = _half(factors)
    data[..., 2:4] = _half(factors * 7.5)


def _q6(data: np.ndarray, deviations: np.ndarray) -> None:
    # 96 values from one random byte, nearly even: 256 is not a multiple of 96, but 3 * 85.3 is.
    scales = data[..., 192:208]
    data[..., 192:208] = 32 + scales.astype(np.uint16) * 96 // 256
    data[..., 208:210] = _half(deviations / _Q6_UNIT)


def _half(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float16)[..., None].view(np.uint8)


_FACTORS = {Kind.Q4_K: _q4, Kind.Q6_K: _q6}
