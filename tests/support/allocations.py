"""How large the tensors are that a piece of torch code makes."""

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
