"""Stage `install`: the model becomes the one that the package answers with."""

from __future__ import annotations

import shutil
from pathlib import Path

import assistant.models
from training import files
from training.stages import Job


def make(job: Job) -> None:
    """Copy model and card into `assistant/models/` when the settings say `install`."""
    if not job.settings.install:
        return
    folder = Path(assistant.models.__file__).parent
    for source, target in (("model.gguf", "starter.gguf"), ("MODEL_CARD.md", "starter.md")):
        with files.replacing(folder / target) as partial:
            shutil.copyfile(job.path(source), partial)
