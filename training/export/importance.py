"""How much each input column of a matrix matters, for types that round some weights more exactly.

The mean square of what the column is multiplied with, on text of the user's choice: the error of a
rounded weight counts by it in the output. Computed with the model in float32, layer by layer.

Absent: embedding and head, as in llama.cpp's own tool.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from assistant.errors import ExportProblem
from training.export import families
from training.export.merging import Merged
from training.export.reference import Reference, Row


def of_text(
    model: Merged,
    rows: Sequence[Row],
    *,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, np.ndarray]:
    """The mean squares, float32, ``(inputs,)``, by the matrix's name in llama.cpp.

    Args:
        model: its weights.
        rows: sequences of tokens; each is read by itself.
        device: where it computes.
        on_progress: told how many of how many layers are done.

    Raises:
        ExportProblem: there is no text, or a value of the model is no number.
    """
    if not any(len(row) for row in rows):
        raise ExportProblem("there is no text to weigh the columns by")
    sums: dict[str, torch.Tensor] = {}
    counts: dict[str, int] = {}

    def watch(name: str, inputs: torch.Tensor) -> None:
        here = inputs.double().square().sum(dim=0)
        sums[name] = sums[name] + here if name in sums else here
        counts[name] = counts.get(name, 0) + len(inputs)

    Reference(model, device).states(rows, watch=watch, on_progress=on_progress)
    means = {name: sums[name] / counts[name] for name in sums}
    _refuse_no_numbers(means)
    found = families.tensors(families.find(model.described), model.shapes, model.described)
    names = {tensor.source: tensor.name for tensor in found}
    return {names[name]: mean.float().cpu().numpy() for name, mean in means.items()}


def _refuse_no_numbers(means: Mapping[str, torch.Tensor]) -> None:
    for name, mean in means.items():
        if not torch.isfinite(mean).all():
            raise ExportProblem(f"what {name} is multiplied with is no number on this text")
