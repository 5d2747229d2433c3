"""One tensor on its way into a file: type, place, values."""

from __future__ import annotations

import math
from typing import Any

import gguf
import numpy as np
import torch

from assistant.errors import ExportProblem
from training.export.families import Tensor


def stored_type(
    shape: tuple[int, ...], wanted: gguf.GGMLQuantizationType
) -> gguf.GGMLQuantizationType:
    """Norms and biases stay float32; a matrix whose rows do not divide into blocks is float16."""
    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    return gguf.GGMLQuantizationType.F16 if shape[-1] % block else wanted


def announce(
    writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: gguf.GGMLQuantizationType
) -> None:
    """Tell the writer of a tensor whose values come later."""
    dtype: Any = {
        gguf.GGMLQuantizationType.F32: np.float32, gguf.GGMLQuantizationType.F16: np.float16,
    }.get(kind, np.uint8)  # fmt: skip
    stored = shape if dtype is not np.uint8 else gguf.quant_shape_to_byte_shape(shape, kind)
    size = math.prod(stored) * np.dtype(dtype).itemsize
    writer.add_tensor_info(name, stored, np.dtype(dtype), size, raw_dtype=kind)


def values(tensor: Tensor, read: torch.Tensor, *, permute: bool = True) -> np.ndarray:
    """A tensor as it is written before it is made smaller, float32.

    Args:
        tensor: which it is.
        read: its values, of any floating type.
        permute: reorder its rows where they are to be reordered.

    Raises:
        ExportProblem: it has values that are no numbers.
    """
    whole = read.float()
    if not torch.isfinite(whole).all():
        raise ExportProblem(f"{tensor.source} has values that are no numbers")
    if permute and tensor.heads:
        rows, *rest = whole.shape
        halves = whole.reshape(tensor.heads, 2, rows // tensor.heads // 2, *rest)
        whole = halves.swapaxes(1, 2).reshape(rows, *rest)
    return np.ascontiguousarray(whole.numpy(), dtype=np.float32)
