"""Stage `merge`: the adapter goes into the weights, in float32, tensor by tensor."""

from __future__ import annotations

from typing import Any

import torch

from training import files, model, student
from training.export import checkpoint, merging
from training.stages import Job


def make(job: Job) -> None:
    """Write `merged/`."""
    both = merging.opened(student.folder(job), job.path("adapter"))
    shapes, described = both.shapes, both.described
    target = job.path("merged")
    if job.settings.chain == "scratch":
        tensors = {name: both.tensor(name) for name in shapes}
        model.save(target, tensors, described)
        return
    progress = job.progress(len(shapes), "tensors")

    def one(name: str) -> torch.Tensor:
        progress.advance(1)
        return both.tensor(name)

    checkpoint.write(target, shapes, one)
    files.write_json(target / "config.json", _in_float32(described))
    progress.close(f"{len(both.adapter.touched)} matrices changed")


def _in_float32(described: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the merged model: it is stored in another type than its base."""
    names = {"dtype", "torch_dtype"} & set(described) or {"dtype"}
    return described | dict.fromkeys(names, "float32")
