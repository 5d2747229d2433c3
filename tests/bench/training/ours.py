"""Our side: a run of the stage `adapter` itself, on the bench's examples."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.bench.training import measure, models
from tests.bench.training.rows import Row
from tests.bench.training.work import Shape
from training.documents import Document
from training.losses import balance
from training.losses.alignment import Reference
from training.losses.structural import Arm
from training.losses.token import token_loss
from training.settings import Adapter, Settings
from training.stages import Job, Stage
from training.tuning import attention, batch, lora, stage
from training.tuning.batch import Batch
from training.tuning.examples import Examples
from training.tuning.machine import Machine
from training.tuning.objective import Objective, Totals
from training.tuning.plan import Plan

_STAGE = Stage("adapter", stage.make, (), (), ())
_STEPS = 10_000
"""More than any bench takes."""


class _References:
    """Stands where two tokenizers would: the references of the bench's own programs."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._known = {tuple(row.tokens[slice(*row.code)]): row for row in rows}

    def reference(self, tokens: Sequence[int]) -> Reference:
        """The pieces of a program."""
        return models.reference(self._known[tuple(tokens)])


@dataclass(frozen=True)
class Ours:
    """What a step needs.

    Attributes:
        run: of the stage, without L_s, as the peer has none.
        aligner: of an objective with it.
        shape: of the model.
        batch: the examples of the step, packed, on the device.
        totals: of the step.
    """

    run: stage.Run
    aligner: Any
    shape: Shape
    batch: Batch
    totals: Totals


def build(shape: Shape, rows: Sequence[Row], device: torch.device, rate: float) -> Ours:
    """The model with random weights, ready for the first step; every step has all rows."""
    base = models.llama(shape, device, attention.NAME)
    settings = replace(
        Settings(),
        adapter=replace(Adapter(), rank=shape.rank, alpha=2 * shape.rank, packed=True, lr=rate),
    )
    tuned = lora.with_adapter(base, settings.adapter, seed=0)
    tuned.to(device)
    models.set_adapter(tuned.named_parameters())
    # Its encoder is never called: the real one is made when L_s is measured, as it takes memory.
    unseen = models.structural(models.codebert(device, small=True), 1)
    machine = Machine(device)
    aligner: Any = _References(rows)
    plain = Objective(tuned, replace(unseen, arm=Arm.OFF), aligner, settings, _STEPS, machine)
    trained = [p for p in tuned.parameters() if p.requires_grad]
    documents = [Document(np.array(row.tokens, np.int32), row.given, row.code) for row in rows]
    size = sum(len(row.tokens) for row in rows)
    unused: Any = None
    run = stage.Run(
        job=Job(_STAGE, "bench", settings, Path(), None, ""), machine=machine,
        found=Examples(documents, [], 0),
        plan=Plan([[list(range(len(rows)))]] * _STEPS, [size] * _STEPS),
        tuned=tuned, head=None, trained=trained,
        optimizer=torch.optim.AdamW(trained, lr=rate, weight_decay=0.0), objective=plain,
        validation=unused, tokenizer=unused,
    )  # fmt: skip
    made = batch.make(documents, prompt_weight=0.0, packed=True).to(device)
    return Ours(run, aligner, shape, made, Totals.of(documents, 0.0))


def step(ours: Ours) -> float:
    """One step of the stage; its loss."""
    return stage.one_step(ours.run, 0)["loss"]


def parts(ours: Ours, device: torch.device) -> dict[str, float]:
    """Seconds of a step by part; the step is computed as `step` does, cut at the last state."""
    run = ours.run
    kept: dict[str, Any] = {}

    def forward() -> None:
        kept["hidden"] = run.objective.hidden(ours.batch)

    def loss() -> None:
        cut = kept["hidden"].detach().requires_grad_()
        kept["slope"] = torch.autograd.grad(_token_loss(ours, cut), cut)[0]

    def backward() -> None:
        torch.autograd.backward(kept.pop("hidden"), kept.pop("slope"))

    def update() -> None:
        nn.utils.clip_grad_norm_(run.trained, run.job.settings.adapter.clip)
        run.optimizer.step()
        run.optimizer.zero_grad(set_to_none=True)

    return {
        name: measure.seconds_of(work, device)
        for name, work in (
            ("layers, forward", forward), ("head and token loss", loss),
            ("layers, backward", backward), ("optimizer", update),
        )
    }  # fmt: skip


def structural_seconds(ours: Ours, device: torch.device, times: int) -> float:
    """What L_s adds to the losses of a step: with it less without it, medians of runs in turn."""
    run = ours.run
    loss = models.structural(
        models.codebert(device, small=ours.shape.width < 1024), ours.shape.vocabulary
    )
    objective = Objective(run.tuned, loss, ours.aligner, run.job.settings, _STEPS, run.machine)
    with torch.no_grad():
        hidden = objective.hidden(ours.batch)
    cut = hidden.clone().requires_grad_()

    def without() -> None:
        torch.autograd.grad(_token_loss(ours, cut), cut)

    def with_it() -> None:
        found, places = objective.losses(cut, ours.batch, ours.totals.weight)
        by_structure = loss(places).sum() / ours.totals.programs
        # The state below is a leaf: its gradient is all that goes on into the model.
        balance.backward(hidden, cut, (found, by_structure), (0.5, 0.5))

    both = [
        (measure.seconds_of(without, device), measure.seconds_of(with_it, device))
        for _ in range(times + 1)
    ][1:]
    before, after = (statistics.median(values) for values in zip(*both, strict=True))
    return after - before


def _token_loss(ours: Ours, cut: torch.Tensor) -> torch.Tensor:
    """L_token alone."""
    made = ours.batch
    return token_loss(
        cut.flatten(0, 1), ours.run.objective.base.lm_head.weight, made.targets.flatten(),
        made.weights.flatten(), total=ours.totals.weight,
    ).loss  # fmt: skip
