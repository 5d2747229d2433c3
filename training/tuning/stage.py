"""Stage `adapter`: LoRA with L = alpha * L_token + beta * scale * L_s.

L_token is taken over what the assistant writes, L_s over the code alone. The curriculum moves
the weight from the first to the second. The adapter is written in PEFT's format.

On one processor, one card, or several by `accelerate launch` (`configs/`): there every process
runs this file; each computes its share of a step's batches and the first one writes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from training import optimizers, student
from training.loop import Stateful, run_steps
from training.losses.build import build
from training.stages import Job
from training.tuning import batch as batches
from training.tuning import examples, lora, memory, picture, plan, records, validation
from training.tuning import tuned as models
from training.tuning.batch import Batch
from training.tuning.examples import Examples
from training.tuning.machine import Machine, find
from training.tuning.objective import Objective, Totals

METRICS = "adapter/metrics.jsonl"


def make(job: Job) -> None:
    """Write `adapter/`.

    Raises:
        UsageProblem: a setting names something that is not there.
        TrainingProblem: the model can not be tuned so, there is no example, or no memory.
    """
    records.named(job.settings.adapter.trackers)  # before anything is loaded
    machine = find(processor=job.settings.chain == "scratch")
    torch.set_num_threads(job.settings.threads)
    with memory.advised(job, machine), records.trackers(job, machine) as trackers:
        _tune(job, machine, trackers)
    machine.wait()


def _tune(job: Job, machine: Machine, trackers: records.Trackers) -> None:
    settings = job.settings.adapter
    writer = student.writer(job)
    longest = _longest(job)
    found = examples.training(job, writer, longest)
    _say(job, machine, found)
    lengths = [len(document.tokens) for document in found.documents]
    steps = plan.make(lengths, settings, job.settings.seed + 1)
    count = len(steps.steps)
    tuned = models.make(job, machine)
    with machine.main_first():
        structural, aligner = build(job, tuned, machine.device)
    trainable = [p for p in tuned.parameters() if p.requires_grad]
    if structural.projection is not None:
        trainable += structural.projection.parameters()
    optimizer = torch.optim.AdamW(trainable, lr=settings.lr, weight_decay=settings.weight_decay)
    rate_at = optimizers.schedule(settings.schedule)
    objective = Objective(tuned, structural, aligner, job.settings, count, machine)
    watched = validation.of(job, writer, longest, count)
    tokenizer = student.tokenizer(job)

    def step(number: int) -> dict[str, float]:
        rate = rate_at(number, count, settings.warmup_share)
        optimizers.set_rates([optimizer], rate)
        chosen = steps.steps[number]
        totals = Totals.of(
            (found.documents[i] for part in chosen for i in part), settings.prompt_weight
        )
        parts = _parts(job, machine, found, number, chosen)
        values = objective.backward(number, parts, totals)
        machine.sum_gradients(trainable)
        norm = nn.utils.clip_grad_norm_(trainable, settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        values |= {"rate": rate, "gradient": norm.item(), "tokens": steps.sizes[number]}
        values |= watched.loss(number, objective, tuned)
        if watched.samples(number):
            said = validation.answers(tuned, watched.requests, objective, longest)
            if machine.main:
                validation.write(job, number, watched.requests, said, tokenizer)
        trackers.log(values, number)
        return values

    state: dict[str, Stateful] = {
        "adapter": lora.AdapterState(tuned), "optimizer": optimizer, "scale": objective.scale,
    }  # fmt: skip
    if structural.projection is not None:
        state["projection"] = structural.projection
    if machine.main:
        records.write_versions(job, machine)
    run_steps(
        job,
        count,
        step,
        state,
        every=settings.checkpoint_every,
        units=steps.sizes.__getitem__,
        unit="tokens",
        team=machine,
        logs=[validation.SAMPLES] if settings.sample_every else [],
    )
    if machine.main:
        lora.save(job, tuned, *_origin(job))
        picture.write(job)


def _parts(
    job: Job, machine: Machine, found: Examples, number: int, chosen: list[list[int]]
) -> Iterator[tuple[Batch, bool]]:
    """This process's batches of a step, one after the other; False is one that does not count.

    Random numbers (dropout, drawn tokens) depend on the place in the run alone: not on what came
    before, nor on the process.
    """
    settings = job.settings.adapter
    for (place, part), counts in machine.share(list(enumerate(chosen))):
        torch.manual_seed(job.settings.seed + 1_000_003 * (number + 1) + place)
        made = batches.make(
            [found.documents[i] for i in part], settings.prompt_weight, settings.packed
        )
        yield made.to(machine.device), counts


def _say(job: Job, machine: Machine, found: Examples) -> None:
    if machine.main and found.too_long:
        job.progress(1, "examples").say(
            f"{found.too_long:,} examples are longer than adapter.max_length="
            f"{job.settings.adapter.max_length} or the model's context and are left out; "
            f"{len(found.documents):,} are used"
        )


def _longest(job: Job) -> int:
    """The longest text that the model was made for, in tokens."""
    if job.settings.chain == "scratch":
        return job.settings.model.context
    return student.describe(job).context


def _origin(job: Job) -> tuple[str, str]:
    """Where the base model comes from, and its commit, for the adapter's description."""
    if job.settings.chain == "scratch":
        return "../base", ""
    described = student.describe(job)
    return described.source, described.revision
