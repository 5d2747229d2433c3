"""Stage `card`: what the model is, how it was made and what it can and can not do, in numbers.

Everything in it comes from files of the run, so it can not say more than was measured.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from training import card_student, code_encoder, files, mutations, problems, tokenizer
from training.documents import Writer
from training.encoder import telling_apart
from training.settings import Settings
from training.stages import Job

_SET_NAMES = {
    "heldout": "new problems, structure of the code absent from training",
    "validation": "new problems, structure seen in training",
    "handwritten": "requests written by hand, in words no template made",
    "mbpp": "MBPP, test split, zero-shot, signature given",
}

_TEXT = """# Model card: {name}

A code model of {millions:.2f} million parameters that answers a request with reasoning (Intent,
Steps, Formulas, Edge cases) and then Python code. Trained from scratch on one machine's
processor by the command below. Licence: Apache-2.0. No other model's weights or outputs are in
it: the requests, the code and the reasoning come from programs of this repository.

## How to make it again

    {command}

Seed {seed}, {threads} threads. The same machine kind, threads and library versions give the same
file, byte for byte: sha256 `{sha}`.
No checkpoint was chosen by its score, the last one is the model; runs with other settings that
came before it are in docs/log.md.

## Scores

Greedy decoding; the code is run against the problem's tests; pass@1 with Wilson's 95% interval.

| set | problems | pass@1 | interval |
|---|---|---|---|
{scores}

What became of the answers:

| set | {outcomes} | format not followed |
|---|{rule}---|
{failures}

## Data

{problems:,} problems of training ({structures:,} structures of code), {held:,} held out whose
structure (syntax tree with names, constants and type hints made equal) does not occur in
training. {tokens}

## Training

{settings}

Last values: base loss {base_loss:.3f}; encoder loss {encoder_loss:.3f}; adapter token loss
{token_loss:.3f}, structural loss {structural_loss:.4f} (weights alpha {alpha:.2f}, beta
{beta:.2f}, scale {scale:.3g}). On {programs} programs of structures it was not trained on, the
frozen code encoder finds a renamed program nearer than a mutated one in {apart:.1%} of the cases
(the same encoder with random weights: {apart_random:.1%}; chance: 50%).

The file against the torch model on {verify[tokens]} tokens: mean divergence
{verify[mean_kld]:.2g} nats, the same most likely token at {verify[same_top]:.1%} of the places.

## Limits

- It knows the small functions of its training world: lists, texts, numbers, dictionaries, in a
  few lines. The score on MBPP says how little of other people's problems that covers.
- It writes Python and reads English requests of one or two sentences.
- Its reasoning repeats what a program wrote for such problems; it is not evidence that the code
  is right. Run the code before you trust it.
- It knows no library, no file of yours and no fact about the world.
"""


def make(job: Job) -> None:
    """Write `MODEL_CARD.md`."""
    write = text if job.settings.chain == "scratch" else card_student.text
    files.write_text(job.path("MODEL_CARD.md"), write(job))


def text(job: Job) -> str:
    """The card, from the files of the run."""
    found = _json(job.path("evaluation.json"))["sets"]
    sets = {name: one for name, one in found.items() if "not_run" not in one}
    kinds = sorted({kind for found in sets.values() for kind in found["outcomes"]})
    train = list(problems.read(job.path("problems.jsonl"), "train"))
    adapter, base = _last(job, "adapter"), _last(job, "base")
    encoder = _last(job, "encoder")
    settings = job.settings
    return _TEXT.format(
        name=settings.export.name,
        millions=_parameters(job) / 1e6,
        command=card_student.command(job) + (" --data DATA" if "mbpp" in sets else ""),
        seed=settings.seed,
        threads=settings.threads,
        sha=files.digest(job.path("model.gguf")),
        scores="\n".join(_score_row(name, found) for name, found in sets.items()),
        outcomes=" | ".join(kinds),
        rule="---|" * len(kinds),
        failures="\n".join(_outcome_row(name, found, kinds) for name, found in sets.items()),
        problems=len(train),
        structures=len({problem.structure for problem in train}),
        held=sum(1 for _ in problems.read(job.path("problems.jsonl"), "heldout")),
        tokens=f"The tokenizer has {settings.tokenizer.vocabulary:,} tokens.",
        settings=_settings(settings),
        base_loss=base["loss"],
        encoder_loss=encoder["loss"],
        token_loss=adapter["token_loss"],
        structural_loss=adapter["structural_loss"],
        alpha=adapter["alpha"],
        beta=adapter["beta"],
        scale=adapter["scale"],
        verify=_json(job.path("verify.json")),
        **_encoder(job),
    )


def _encoder(job: Job) -> dict[str, float]:
    """How well the encoder tells renamed from mutated programs, against a random one."""
    import torch

    torch.set_num_threads(job.settings.threads)
    trained = code_encoder.load_frozen(job.path("encoder"))
    torch.manual_seed(job.settings.seed)
    untrained = code_encoder.CodeEncoder(**trained.shape).requires_grad_(False)
    writer = Writer(tokenizer.load(job.path("tokenizer.json")))
    rng = random.Random(job.settings.seed)
    unseen = problems.read(job.path("problems.jsonl"), "validation", "heldout")
    programs = [p.code for p in islice(unseen, 500) if mutations.mutated(p.code, rng) is not None]
    rates = [telling_apart(e, writer, programs, job.settings.seed) for e in (trained, untrained)]
    return {"programs": len(programs), "apart": rates[0], "apart_random": rates[1]}


def _score_row(name: str, found: dict[str, Any]) -> str:
    low, high = found["interval95"]
    return (
        f"| {_SET_NAMES.get(name, name)} | {found['problems']} | {found['pass@1']:.1%} "
        f"| {low:.1%} to {high:.1%} |"
    )


def _outcome_row(name: str, found: dict[str, Any], kinds: list[str]) -> str:
    counts = " | ".join(str(found["outcomes"].get(kind, 0)) for kind in kinds)
    return f"| {name} | {counts} | {found['format_not_followed']} |"


def _settings(settings: Settings) -> str:
    lines = []
    for section, values in asdict(settings).items():
        if isinstance(values, dict):
            shown = ", ".join(f"{key} {value}" for key, value in values.items())
            lines.append(f"- {section}: {shown}")
    return "\n".join(lines)


def _parameters(job: Job) -> int:
    from safetensors import safe_open

    total = 0
    with safe_open(job.path("merged/model.safetensors"), "np") as tensors:
        for name in tensors.keys():  # noqa: SIM118 - not a dict
            size = 1
            for side in tensors.get_slice(name).get_shape():
                size *= side
            total += size
    return total


def _last(job: Job, stage: str) -> dict[str, float]:
    """The last line of a stage's metrics."""
    lines = job.path(f"{stage}/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    values: dict[str, float] = json.loads(lines[-1])
    return values


def _json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
