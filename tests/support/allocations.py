"""What a piece of torch code asks of torch: sizes of tensors, comparisons of unlike types."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Largest(TorchDispatchMode):
    """Within it, `values` becomes the size of the largest tensor that an operation makes of others.

    A view of a tensor is not made, and what is mapped from a file is not either.
    """

    def __init__(self) -> None:
        super().__init__()
        self.values = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        given = {_place(one) for one in tree_leaves((args, kwargs)) if _is_tensor(one)}
        for one in tree_leaves(found):
            if given and _is_tensor(one) and _place(one) not in given:
                self.values = max(self.values, one.numel())
        return found


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def _place(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def equal_of_one_type(one: torch.Tensor, other: torch.Tensor) -> bool:
    """`torch.equal` as in releases that compare no tensors of unlike types."""
    if one.dtype != other.dtype:
        raise RuntimeError(f"expected {one.dtype}, got {other.dtype}")
    return bool((one == other).all())
