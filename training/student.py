"""The student: the model that is tuned, its tokenizer, how it is asked.

A small stand-in for the chains `scratch` and `pretrained`; reads what the stages before wrote.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tokenizers
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from assistant.errors import TrainingProblem
from training import files, model
from training.chat import CHATML, LLAMA3, Chat, plain
from training.documents import Writer
from training.stages import Job


@dataclass(frozen=True)
class Description:
    """What `student/student.json` holds."""

    source: str
    revision: str
    folder: str
    model_type: str
    vocabulary: int
    context: int
    chat: str
    begin: str
    end: str
    licence: str
    files: dict[str, str]


def make(job: Job) -> None:
    """Write `student/` for a folder in the chat format chatml."""
    place = Path(job.settings.student.model)
    config = json.loads((place / "config.json").read_text(encoding="utf-8"))
    found = Description(
        place.name, "", str(place), config["model_type"], config["vocab_size"],
        config["max_position_embeddings"], "chatml", "", CHATML.end, "unknown", {},
    )  # fmt: skip
    tokens = (place / "tokenizer.json").read_text(encoding="utf-8")
    files.write_text(job.path("student/tokenizer.json"), tokens)
    files.write_json(job.path("student/student.json"), asdict(found))


def describe(job: Job) -> Description:
    """Reads `student/student.json`."""
    return Description(**json.loads(job.path("student/student.json").read_text(encoding="utf-8")))


def folder(job: Job) -> Path:
    """Where config.json and the weights lie."""
    if job.settings.chain == "scratch":
        return job.path("base")
    return Path(describe(job).folder)


def tokenizer(job: Job) -> tokenizers.Tokenizer:
    """The student's tokenizer."""
    where = "" if job.settings.chain == "scratch" else "student/"
    return tokenizers.Tokenizer.from_file(str(job.path(f"{where}tokenizer.json")))


def chat(job: Job) -> Chat:
    """How requests and answers are marked."""
    if job.settings.chain == "scratch":
        return CHATML
    found = describe(job)
    return {"chatml": CHATML, "llama3": LLAMA3}.get(found.chat) or plain(found.begin, found.end)


def writer(job: Job) -> Writer:
    """Turns problems into documents."""
    return Writer(tokenizer(job), chat(job))


def load(job: Job, *, device: str = "cpu") -> PreTrainedModel:
    """The model with its weights in `settings.student.weights`; scratch: in float32."""
    if job.settings.chain == "scratch":
        made: Any = model.load(folder(job))
        moved: PreTrainedModel = made.to(device)
        return moved
    if job.settings.student.weights == "nf4":
        raise TrainingProblem("student.weights=nf4 needs a CUDA card and bitsandbytes")
    kind = getattr(torch, job.settings.student.weights)
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder(job), dtype=kind)
    placed: PreTrainedModel = loaded.to(device)
    return placed
