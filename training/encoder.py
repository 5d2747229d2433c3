"""Stage `encoder`: the code encoder learns that renamed programs are equal and mutated ones not.

Contrastive: for each program its renamed form is to be nearer than its own mutated form and
than every other program of the batch. Then it is frozen.
"""

from __future__ import annotations

import random

import torch
from torch.nn import functional

from training import mutations, problems, student
from training.code_encoder import CodeEncoder, pad
from training.documents import Writer
from training.loop import run_steps
from training.model import save
from training.optimizers import set_rates, trapezoid
from training.stages import Job

_MEAN_OVER = 2000


def make(job: Job) -> None:
    """Write `encoder/`."""
    torch.set_num_threads(job.settings.threads)
    settings = job.settings.encoder
    tokens = student.tokenizer(job)
    writer = student.writer(job)
    programs = _programs(job, settings.steps * settings.batch)
    torch.manual_seed(job.settings.seed)
    encoder = CodeEncoder(
        tokens.get_vocab_size(), settings.width, settings.layers, settings.heads,
        settings.max_tokens,
    )  # fmt: skip
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=settings.lr, weight_decay=0.01)

    def step(number: int) -> dict[str, float]:
        set_rates([optimizer], trapezoid(number, settings.steps, 0.05, 0.5))
        # The step's own random numbers: they do not depend on the steps before.
        rng = random.Random(f"{job.settings.seed}:{number}")
        chosen = rng.sample(programs, min(settings.batch, len(programs)))
        forms = [list(map(writer.encode, form)) for form in three_forms(chosen, rng)]
        loss, accuracy = contrast(encoder, forms, settings.temperature)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step()
        return {"loss": loss.item(), "accuracy": accuracy}

    run_steps(
        job,
        settings.steps,
        step,
        {"encoder": encoder, "optimizer": optimizer},
        every=settings.checkpoint_every,
        units=lambda _: settings.batch,
        unit="programs",
    )
    encoder.mean.copy_(mean_vector(encoder, [writer.encode(p) for p in programs[:_MEAN_OVER]]))
    save(job.path("encoder"), encoder.state_dict(), encoder.shape)


def _programs(job: Job, at_most: int) -> list[str]:
    """Different programs of the training split that can be mutated."""
    found: dict[str, None] = {}
    rng = random.Random(0)
    for problem in problems.read(job.path("problems.jsonl"), "train"):
        if problem.code not in found and mutations.mutated(problem.code, rng) is not None:
            found[problem.code] = None
        if len(found) >= at_most:
            break
    return list(found)


def three_forms(programs: list[str], rng: random.Random) -> tuple[list[str], list[str], list[str]]:
    """Each program as it is, renamed, and mutated (under other names too, or names would tell)."""
    same = [mutations.renamed(program, rng) for program in programs]
    other = [
        mutations.renamed(mutations.mutated(program, rng) or program, rng) for program in programs
    ]
    return programs, same, other


def contrast(
    encoder: CodeEncoder, forms: list[list[list[int]]], temperature: float
) -> tuple[torch.Tensor, float]:
    """InfoNCE of programs against renamed and mutated ones.

    Returns:
        The loss, and the share of programs whose renamed form is the nearest of all.
    """
    whole = [program for form in forms for program in form]
    tokens, mask = pad(whole, encoder.max_tokens)
    vectors = functional.normalize(encoder.embed(tokens, mask), dim=-1)
    program, same, other = vectors.chunk(3)
    scores = program @ torch.cat([same, other]).T / temperature
    right = torch.arange(len(program))
    accuracy = (scores.argmax(-1) == right).float().mean().item()
    return functional.cross_entropy(scores, right), accuracy


@torch.no_grad()
def mean_vector(encoder: CodeEncoder, programs: list[list[int]]) -> torch.Tensor:
    """The mean of the vectors of `programs`."""
    sums = []
    for start in range(0, len(programs), 64):
        tokens, mask = pad(programs[start : start + 64], encoder.max_tokens)
        sums.append(encoder(encoder.table[tokens], mask).sum(0))
    return torch.stack(sums).sum(0) / len(programs)


@torch.no_grad()
def telling_apart(encoder: CodeEncoder, writer: Writer, programs: list[str], seed: int) -> float:
    """How often a program is nearer to its renamed form than to its mutated one; 0.5 is chance."""
    rng = random.Random(seed)
    nearer = 0
    for start in range(0, len(programs), 64):
        vectors = []
        for form in three_forms(programs[start : start + 64], rng):
            tokens, mask = pad([writer.encode(program) for program in form], encoder.max_tokens)
            vectors.append(encoder.embed(tokens, mask))
        program, same, other = vectors
        near = functional.cosine_similarity(program, same, dim=-1)
        far = functional.cosine_similarity(program, other, dim=-1)
        nearer += int((near > far).sum())
    return nearer / len(programs)
