"""Stage `merge` of a model made from nothing: the adapter goes into the weights, in float32.

A student of elsewhere is exported with its adapter at once (`training.gguf_export`).
"""

from __future__ import annotations

from training import model, student
from training.export import merging
from training.stages import Job


def make(job: Job) -> None:
    """Write `merged/`."""
    both = merging.opened(student.folder(job), job.path("adapter"))
    tensors = {name: both.tensor(name) for name in both.shapes}
    model.save(job.path("merged"), tensors, both.described)
