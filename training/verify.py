"""Does the GGUF file compute what the torch model computes? Measured on training-like text.

For each place the two next-token distributions are compared: mean Kullback-Leibler divergence
(nats, torch against file), normalised error of the logits, and how often the most likely token
is the same. A file with the rows of queries and keys in the wrong order has a divergence a
hundred times above the limit, which a test shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from assistant.engine.logits import all_logits
from assistant.errors import ExportProblem
from training import contexts, model, problems, tokenizer
from training.documents import Writer
from training.stages import Job


def compare(job: Job) -> dict[str, Any]:
    """Compare `model.gguf` with `merged/` and return the numbers.

    Raises:
        ExportProblem: they differ by more than the settings allow.
    """
    settings = job.settings.export
    rows = texts(job)
    report = divergence(job.path("merged"), job.path("model.gguf"), rows, job.settings.threads)
    if report["mean_kld"] > settings.max_kld or report["same_top"] < settings.min_top1:
        raise ExportProblem(
            f"model.gguf does not compute what the merged model computes: mean divergence "
            f"{report['mean_kld']:.3g} nats (limit {settings.max_kld:g}), the same most likely "
            f"token at {report['same_top']:.1%} of the places (limit {settings.min_top1:.0%})"
        )
    return {"type": settings.type, **report}


def texts(job: Job) -> list[list[int]]:
    """Token rows of validation problems with reasoning and code, `verify_tokens` in all."""
    writer = Writer(tokenizer.load(job.path("tokenizer.json")))
    known = contexts.by_problem(job.path("contexts.jsonl"))
    rows: list[list[int]] = []
    room = job.settings.export.verify_tokens
    for problem in problems.read(job.path("problems.jsonl"), "validation", "train"):
        if room <= 0:
            break
        for rationale in known.get(problem.id, ()):
            tokens = writer.reasoning(problem, rationale).tokens.tolist()
            rows.append(tokens[: job.settings.model.context])
            room -= len(rows[-1])
    return rows


@torch.no_grad()
def divergence(merged: Path, file: Path, rows: list[list[int]], threads: int) -> dict[str, Any]:
    """How the file in `file` differs from the model in folder `merged` on `rows` of tokens."""
    net = model.load(merged)
    klds, same, error, power = [], [], 0.0, 0.0
    for row in rows:
        # In float32: no autocast here.
        expected = net(input_ids=torch.tensor([row]), use_cache=False).logits[0].float()
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
