"""Does the GGUF file compute what the torch model computes? Measured on training-like text.

For each place the two next-token distributions are compared: mean Kullback-Leibler divergence
(nats, torch against file), normalised error of the logits, and how often the most likely token
is the same. A file with the rows of queries and keys in the wrong order has a divergence a
hundred times above the limit, which a test shows.

The torch model computes in float32 as long as it fits in memory comfortably; a larger one in
bfloat16, whose own rounding is about 0.001 nats, and the report says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from assistant.engine.logits import all_logits
from assistant.errors import ExportProblem
from training import contexts, model, problems, student
from training.documents import Document, Writer
from training.export import checkpoint
from training.stages import Job
from training.world.evaluation import handwritten_problems

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLOAT32_PARAMETERS = 2_000_000_000
"""Of the largest model that is compared in float32, which then takes 8 GB."""
_ROW = 1024
"""Tokens of one row at most: the logits of both models are in memory for all of them."""


def compare(job: Job, folder: Path) -> dict[str, Any]:
    """Compare `model.gguf` with the model in `folder` and return the numbers.

    Raises:
        ExportProblem: they differ by more than the settings allow.
    """
    settings = job.settings.export
    torch.set_num_threads(job.settings.threads)
    kind = reference_type(folder)
    net = model.load(folder) if job.settings.chain == "scratch" else _loaded(folder, kind)
    report = divergence(net, job.path("model.gguf"), texts(job), job.settings.threads)
    if report["mean_kld"] > settings.max_kld or report["same_top"] < settings.min_top1:
        raise ExportProblem(
            f"model.gguf does not compute what the model in {folder.name} computes: mean "
            f"divergence {report['mean_kld']:.3g} nats (limit {settings.max_kld:g}), the same most "
            f"likely token at {report['same_top']:.1%} of the places (limit "
            f"{settings.min_top1:.0%})"
        )
    return {"type": settings.type, "reference": kind, **report}


def reference_type(folder: Path) -> str:
    """In which type the torch model of a folder computes: `float32`, or `bfloat16` if large."""
    count = sum(math.prod(shape) for shape in checkpoint.opened(folder).shapes().values())
    return "float32" if count <= FLOAT32_PARAMETERS else "bfloat16"


def _loaded(folder: Path, kind: str) -> PreTrainedModel:
    net = student.read(folder, kind, "cuda" if torch.cuda.is_available() else "cpu")
    net.train(False)
    return net


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


@torch.no_grad()
def divergence(
    net: PreTrainedModel, file: Path, rows: list[list[int]], threads: int
) -> dict[str, Any]:
    """How the file in `file` differs from the torch model `net` on `rows` of tokens."""
    klds, same, error, power = [], [], 0.0, 0.0
    for row in rows:
        # In the model's own type: no autocast here.
        tokens = torch.tensor([row], device=net.device)
        expected = net(input_ids=tokens, use_cache=False).logits[0].float().cpu()
        found = torch.from_numpy(all_logits(file, row, threads=threads))
        p, q = torch.log_softmax(expected, -1), torch.log_softmax(found, -1)
        klds.append((p.exp() * (p - q)).sum(-1).numpy())
        same.append((expected.argmax(-1) == found.argmax(-1)).numpy())
        error += ((expected - found) ** 2).sum().item()
        power += (expected**2).sum().item()
    kld = np.concatenate(klds)
    return {
        "tokens": len(kld),
        "mean_kld": float(kld.mean()),
        "p99_kld": float(np.quantile(kld, 0.99)),
        "max_kld": float(kld.max()),
        "nmse": error / power,
        "same_top": float(np.concatenate(same).mean()),
    }
