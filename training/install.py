"""Stage `install`: the model becomes one that can be used by name.

A model made from nothing takes the place of the one that comes with the package. One that was
made from a student goes into the user's models folder: it is large, and it is its licence's
business who may pass it on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import assistant.models
from assistant import locations
from training import files
from training.stages import Job


def make(job: Job) -> None:
    """Copy model and card when the settings say `install`."""
    if not job.settings.install:
        return
    if job.settings.chain == "scratch":
        folder, name = Path(assistant.models.__file__).parent, "starter"
    else:
        folder, name = locations.models_dir(), job.settings.export.name
    for source, target in (("model.gguf", f"{name}.gguf"), ("MODEL_CARD.md", f"{name}.md")):
        with files.replacing(folder / target) as partial:
            shutil.copyfile(job.path(source), partial)
    if job.settings.chain != "scratch":
        job.progress(1, "model").say(
            f"{folder / name}.gguf is here; answer with it: assistant models use {name}"
        )
