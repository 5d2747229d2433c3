"""Stage `adapter`: LoRA with L = alpha * L_token + beta * scale * L_s.

L_token is taken over what the assistant writes, L_s over the code alone. The curriculum moves
the weight from the first to the second. The adapter is written in PEFT's format.

On one processor, one card, or several by `accelerate launch` (`configs/`): there every process
runs this file; each computes its share of a step's batches and the first one writes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import peft
import tokenizers
import torch
from torch import nn

from assistant.errors import TrainingProblem
from training import optimizers, student
from training.loop import Stateful, run_steps
from training.losses.build import build
from training.losses.projection import Projection
from training.stages import Job
from training.tuning import batch as batches
from training.tuning import examples, lora, memory, picture, plan, records, validation
from training.tuning import tuned as models
from training.tuning.batch import Batch
from training.tuning.examples import Examples
from training.tuning.machine import Machine, find
from training.tuning.objective import Objective, Totals
from training.tuning.plan import Plan
from training.tuning.records import Trackers
from training.tuning.validation import Validation


def make(job: Job) -> None:
    """Write `adapter/`.

    Raises:
        UsageProblem: a setting names something that is not there.
        TrainingProblem: the model can not be tuned so, there is no example, or no memory.
    """
    records.named(job.settings.adapter.trackers)  # before anything is loaded
    machine = find(processor=job.settings.chain == "scratch")
    torch.set_num_threads(job.settings.threads)
    if machine.device.type == "cuda":
        # Attention's backward adds in any order otherwise, and a resumed run would end elsewhere.
        torch.use_deterministic_algorithms(True, warn_only=True)
    with memory.advised(job, machine), records.trackers(job, machine) as trackers:
        run = prepared(job, machine)
        if machine.main:
            records.write_versions(job, machine)
        _all_steps(run, trackers)
        if machine.main:
            lora.save(job, run.tuned, *_origin(job))
            picture.write(job)
    machine.wait()


@dataclass(frozen=True)
class Run:
    """Everything that a step needs.

    Attributes:
        job: the stage.
        machine: what this process computes on.
        found: the examples.
        plan: which of them make each step.
        tuned: the model with its adapter.
        head: of the arm `projection`; else None.
        trained: the adapter's weights, and those of the head.
        optimizer: of these.
        objective: both losses.
        validation: what is looked at on the way.
        tokenizer: the student's.
    """

    job: Job
    machine: Machine
    found: Examples
    plan: Plan
    tuned: peft.PeftModel
    head: Projection | None
    trained: list[nn.Parameter]
    optimizer: torch.optim.Optimizer
    objective: Objective
    validation: Validation
    tokenizer: tokenizers.Tokenizer

    @property
    def steps(self) -> int:
        """How many there are."""
        return len(self.plan.steps)


def prepared(job: Job, machine: Machine) -> Run:
    """Examples, plan, model and losses; the same for every process, and every time."""
    settings, seed = job.settings.adapter, job.settings.seed
    writer, longest = student.writer(job), _longest(job)
    found = examples.training(job, writer, longest)
    _say(job, machine, found)
    steps = plan.make([len(document.tokens) for document in found.documents], settings, seed + 1)
    count = len(steps.steps)
    tuned = models.make(job, machine)
    with machine.main_first():
        structural, aligner = build(job, tuned, machine.device)
    trained = [parameter for parameter in tuned.parameters() if parameter.requires_grad]
    if structural.projection is not None:
        trained += structural.projection.parameters()
    return Run(
        job, machine, found, steps, tuned, structural.projection, trained,
        torch.optim.AdamW(trained, lr=settings.lr, weight_decay=settings.weight_decay),
        Objective(tuned, structural, aligner, job.settings, count, machine),
        validation.of(job, writer, longest, count),
        student.tokenizer(job),
    )  # fmt: skip


def _all_steps(run: Run, trackers: Trackers) -> None:
    """Those that are left, with checkpoints on the way."""
    settings = run.job.settings.adapter
    rate_at = optimizers.schedule(settings.schedule)

    def step(number: int) -> dict[str, float]:
        rate = rate_at(number, run.steps, settings.warmup_share)
        optimizers.set_rates([run.optimizer], rate)
        values = one_step(run, number)
        values |= {"rate": rate, "gradient": values.pop("gradient")}
        values |= {"tokens": run.plan.sizes[number]} | _look(run, number)
        trackers.log(values, number)
        return values

    state: dict[str, Stateful] = {
        "adapter": lora.AdapterState(run.tuned), "optimizer": run.optimizer,
        "scale": run.objective.scale,
    }  # fmt: skip
    if run.head is not None:
        state["projection"] = run.head
    run_steps(
        run.job,
        run.steps,
        step,
        state,
        every=settings.checkpoint_every,
        units=run.plan.sizes.__getitem__,
        unit="tokens",
        team=run.machine,
        logs=[validation.SAMPLES] if settings.sample_every else [],
    )


def one_step(run: Run, number: int) -> dict[str, float]:
    """Gradients of all parts, added up over all processes, and one step of the optimizer."""
    settings = run.job.settings.adapter
    documents = [run.found.documents[i] for part in run.plan.steps[number] for i in part]
    totals = Totals.of(documents, settings.prompt_weight)
    values = run.objective.backward(number, _parts(run, number), totals)
    run.machine.sum_gradients(run.trained)
    norm = nn.utils.clip_grad_norm_(run.trained, settings.clip or math.inf)
    if not torch.isfinite(norm):  # the same number in every process
        raise TrainingProblem(
            f"step {number}: the gradient is {norm.item()}, the loss {values['loss']:.4g}; nothing "
            "was changed by it, and the last checkpoint is kept",
            hint=f"--set adapter.lr={settings.lr / 2:g}, or --set student.weights=float32",
        )
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    return values | {"gradient": norm.item()}


def _parts(run: Run, number: int) -> Iterator[tuple[Batch, bool]]:
    """This process's batches of a step, one after the other; False is one that does not count.

    Random numbers (dropout, drawn tokens) depend on the place in the run alone: not on what came
    before, nor on the process.
    """
    settings = run.job.settings.adapter
    for (place, part), counts in run.machine.share(list(enumerate(run.plan.steps[number]))):
        torch.manual_seed(run.job.settings.seed + 1_000_003 * (number + 1) + place)
        documents = [run.found.documents[i] for i in part]
        made = batches.make(documents, settings.prompt_weight, settings.packed)
        yield made.to(run.machine.device), counts


def _look(run: Run, number: int) -> dict[str, float]:
    """The validation loss where it is due; answers where they are due go to their file.

    Every process does it, though one would do: with cut weights (FSDP) all must.
    """
    values = run.validation.loss(number, run.objective, run.tuned)
    if run.validation.samples(number):
        requests = run.validation.requests
        said = validation.answers(run.tuned, requests, run.objective, _longest(run.job))
        if run.machine.main:
            validation.write(run.job, number, requests, said, run.tokenizer)
    return values


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
