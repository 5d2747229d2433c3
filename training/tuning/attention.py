"""Attention for tuning: causal, and in a packed row within each document only.

Registered with transformers, so that any of its models computes with it. The documents of a row
come as `neighbours`, through the model's keyword arguments; there is no mask of length x length.

    CUDA, half precision   torch's `varlen_attn`: one kernel for all documents of a row
    else                   document by document; on the processor two matrix products, which are
                           faster there than torch's own at the lengths that occur
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface

from assistant.errors import TrainingProblem
from training import model

NAME = "assistant_documents"
_SHORT = 1024
"""Longest document that is computed with all of its scores in memory."""


@dataclass(frozen=True)
class Neighbours:
    """The documents of a packed row.

    Attributes:
        lengths: places of each.
        edges: where each begins, and the end; int32, shape ``(documents + 1,)``.
    """

    lengths: tuple[int, ...]
    edges: torch.Tensor

    @staticmethod
    def of(lengths: Sequence[int]) -> Neighbours:
        """From the lengths alone."""
        edges = torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32)
        return Neighbours(tuple(lengths), edges)

    def to(self, device: torch.device) -> Neighbours:
        """The same on `device`."""
        return Neighbours(self.lengths, self.edges.to(device))


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    neighbours: Neighbours | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention, without a cache.

    Args:
        module: not looked at.
        query: shape ``(rows, heads, length, size)``.
        key: shape ``(rows, kv_heads, length, size)``; each serves several query heads.
        value: as `key`.
        attention_mask: not looked at: padding is on the right, and nothing looks ahead.
        scaling: of the scores.
        neighbours: the documents of the one row there is; None: every row is one document.
        options: of the model; dropout of attention is left out.

    Returns:
        Shape ``(rows, length, heads, size)``, and no scores.

    Raises:
        TrainingProblem: the model's attention is of a kind that is not computed here.
    """
    longest = max(neighbours.lengths) if neighbours else query.shape[2]
    _refuse(options, longest)
    if neighbours is None:
        return _rows(query, key, value, scaling).transpose(1, 2).contiguous(), None
    varlen = _varlen() if _suits(value) else None
    if varlen is not None:
        made = varlen(query.to(value), key.to(value), value, neighbours, scaling)
    else:
        sizes = list(neighbours.lengths)
        parts = (torch.split(part, sizes, dim=2) for part in (query, key, value))
        rows = [_rows(q, k, v, scaling) for q, k, v in zip(*parts, strict=True)]
        made = torch.cat(rows, dim=2).transpose(1, 2)
    return made.contiguous(), None


AttentionInterface.register(NAME, attend)


def _refuse(options: dict[str, Any], longest: int) -> None:
    window = options.get("sliding_window")
    if window is not None and window < longest:
        raise TrainingProblem(
            f"this model attends to the last {window} tokens only, which is not computed here, "
            f"and a document has {longest}",
            hint=f"--set adapter.max_length={window}",
        )
    for name in ("softcap", "s_aux"):
        if options.get(name) is not None:
            raise TrainingProblem(
                f"this model's attention has {name}, which is not computed here",
                hint="choose a model like Llama 3.1 or Qwen2.5",
            )


def _rows(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> torch.Tensor:
    """Causal attention of whole rows; shapes as in `attend`, result ``(rows, heads, ...)``."""
    if query.device.type == "cpu" and query.shape[2] <= _SHORT:
        return model.causal(query, key, value, scaling)
    group = query.shape[1] // key.shape[1]
    return functional.scaled_dot_product_attention(
        query.to(value), _repeated(key.to(value), group), _repeated(value, group),
        is_causal=True, scale=scaling,
    )  # fmt: skip


def _repeated(heads: torch.Tensor, group: int) -> torch.Tensor:
    """Each key head as often as it serves query heads."""
    return heads if group == 1 else heads.repeat_interleave(group, dim=1)


def _suits(value: torch.Tensor) -> bool:
    half = value.dtype in (torch.bfloat16, torch.float16)
    return value.is_cuda and half and torch.cuda.get_device_capability(value.device) >= (8, 0)


Varlen = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Neighbours, float], torch.Tensor]


@lru_cache(maxsize=1)
def _varlen() -> Varlen | None:
    """torch's kernel with the arguments of this release; None where there is none.

    2.10 has `is_causal` and no scale, 2.11 `window_size` and a scale, 2.12 also `enable_gqa`.
    """
    try:
        kernel = import_module("torch.nn.attention.varlen").varlen_attn
    except ImportError:
        return None
    known = inspect.signature(kernel).parameters
    causal = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    grouped = {"enable_gqa": True} if "enable_gqa" in known else {}

    def run(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        neighbours: Neighbours,
        scaling: float,
    ) -> torch.Tensor:
        group = query.shape[1] // key.shape[1]
        if not grouped:
            key, value = _repeated(key, group), _repeated(value, group)
        options: dict[str, Any] = {**causal, **grouped}
        if "scale" in known:
            options["scale"] = scaling
        else:
            query = query * (scaling * query.shape[-1] ** 0.5)
        flat = (part[0].transpose(0, 1).contiguous() for part in (query, key, value))
        edges, longest = neighbours.edges, max(neighbours.lengths)
        made: torch.Tensor = kernel(*flat, edges, edges, longest, longest, **options)
        return made[None]

    return run
