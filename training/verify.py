"""Stage `gguf`, its second half: does the file compute what the model computes?

Measured on training-like text (`training.export.verifying`): a file with the rows of queries and
keys in the wrong order has a divergence a hundred times above the limit, which a test shows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch

from assistant.errors import ExportProblem
from training import contexts, problems, student
from training.documents import Document, Writer
from training.export import verifying
from training.export.gates import Gate
from training.export.merging import Merged
from training.stages import Job
from training.world.evaluation import handwritten_problems

_ROW = 1024
"""Tokens of one row at most."""
_REPORTED = ("tokens", "mean_kld", "p99_kld", "max_kld", "nmse", "same_top")


def compare(job: Job, model: Merged) -> dict[str, Any]:
    """Compare `model.gguf` with the model that it was made from and return the numbers.

    Raises:
        ExportProblem: they differ by more than the settings allow.
    """
    settings = job.settings.export
    threads = job.settings.threads
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    measured = verifying.compare(
        model, job.path("model.gguf"), texts(job), threads=threads, device=device
    )
    limits = Gate(float("inf"), settings.max_kld, settings.min_top1)
    if found := verifying.problems(measured, limits):
        raise ExportProblem(
            "model.gguf does not compute what the model computes that it was made from: "
            f"{'; '.join(found)}"
        )
    values = dataclasses.asdict(measured)
    kept = {name: values[name] for name in _REPORTED}
    return {"type": settings.type, "reference": "float32", **kept}


def texts(job: Job) -> list[list[int]]:
    """Token rows of validation problems with reasoning and code, `verify_tokens` in all."""
    rows: list[list[int]] = []
    room = job.settings.export.verify_tokens
    longest = job.settings.model.context
    if job.settings.chain != "scratch":
        longest = min(_ROW, student.describe(job).context)
    for document in _documents(job, student.writer(job)):
        if room <= 0:
            break
        rows.append(document.tokens.tolist()[:longest])
        room -= len(rows[-1])
    return rows


def _documents(job: Job, writer: Writer) -> Iterator[Document]:
    """Reasoning and code as they are trained on; without a teacher, requests and their code."""
    if job.settings.chain == "untrained":
        yield from map(writer.direct, handwritten_problems())
        return
    known = contexts.by_problem(job.path("contexts.jsonl"))
    for problem in problems.read(job.path("problems.jsonl"), "validation", "train"):
        for rationale in known.get(problem.id, ()):
            yield writer.reasoning(problem, rationale)
