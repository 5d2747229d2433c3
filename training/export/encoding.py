"""Values of a block of rows as they are stored in a file."""

from __future__ import annotations

import math

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind

from assistant.errors import ExportProblem

_LARGEST_F16 = 65504.0


def encoded(values: torch.Tensor, kind: Kind, name: str) -> np.ndarray:
    """A block of rows as bytes, row by row.

    Args:
        values: float32, ``(rows, columns)`` or ``(values,)``.
        kind: how it is stored.
        name: of the tensor, for the message.

    Raises:
        ExportProblem: it has values that are no numbers, or too large for float16.
    """
    largest = float(values.abs().max()) if values.numel() else 0.0
    if not math.isfinite(largest):
        raise ExportProblem(f"{name} has values that are no numbers")
    if kind is Kind.F16 and largest > _LARGEST_F16:
        raise ExportProblem(
            f"{name} has a value of {largest:.3g}, and float16 ends at {_LARGEST_F16:,.0f}",
            hint="--type BF16, or --type F32",
        )
    if kind is Kind.F16:
        return values.half().numpy()
    if kind is Kind.BF16:
        return values.bfloat16().view(torch.uint16).numpy()
    plain: np.ndarray = np.ascontiguousarray(values.numpy(), dtype=np.float32)
    return plain if kind is Kind.F32 else gguf.quants.quantize(plain, kind)


def reordered(values: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of queries or keys as llama.cpp rotates them: neighbours where transformers has halves.

    Args:
        values: rows of whole heads, ``(heads * size, columns)`` or ``(heads * size,)``.
        heads: how many.
    """
    rows, *rest = values.shape
    halves = values.reshape(heads, 2, rows // heads // 2, *rest)
    return halves.swapaxes(1, 2).reshape(rows, *rest)
