"""Our side: the stage `adapter`'s own objective, batches and optimizer on the bench's examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import peft
import torch
from torch import nn

from tests.bench.training import measure, models
from tests.bench.training.rows import Row
from tests.bench.training.work import Shape
from training.documents import Document
from training.losses import balance
from training.losses.alignment import Reference
from training.losses.structural import Arm, Places, StructuralLoss
from training.losses.token import token_loss
from training.settings import Adapter, Settings
from training.tuning import attention, batch, lora
from training.tuning.batch import Batch
from training.tuning.machine import Machine
from training.tuning.objective import Objective, Totals

_STEPS = 1_000_000
"""Of a curriculum that hardly moves."""


class _References:
    """Stands where two tokenizers would: the references of the bench's own programs."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._known = {self._key(row.tokens[slice(*row.code)]): row for row in rows}

    def reference(self, tokens: Sequence[int]) -> Reference:
        """The pieces of a program."""
        return models.reference(self._known[self._key(tokens)])

    @staticmethod
    def _key(tokens: Sequence[int]) -> tuple[int, ...]:
        return tuple(tokens)


@dataclass(frozen=True)
class Ours:
    """All that a step needs.

    Attributes:
        tuned: the model with its adapter.
        objective: without L_s, as the peer has none.
        structural: with it.
        loss: L_s.
        optimizer: of the adapter.
        batch: the examples, packed, on the device.
        totals: of the step.
    """

    tuned: peft.PeftModel
    objective: Objective
    structural: Objective
    loss: StructuralLoss
    optimizer: torch.optim.Optimizer
    batch: Batch
    totals: Totals

    @property
    def trained(self) -> list[nn.Parameter]:
        """The adapter's weights."""
        return [p for p in self.tuned.parameters() if p.requires_grad]


def build(shape: Shape, rows: Sequence[Row], device: torch.device, rate: float) -> Ours:
    """The model with random weights, ready for the first step."""
    base = models.llama(shape, device, attention.NAME)
    settings = replace(
        Settings(),
        adapter=replace(Adapter(), rank=shape.rank, alpha=2 * shape.rank, packed=True, lr=rate),
    )
    tuned = lora.with_adapter(base, settings.adapter, seed=0)
    tuned.to(device)
    models.set_adapter(tuned.named_parameters())
    loss = models.structural(models.codebert(device, small=shape.width < 1024), shape.vocabulary)
    machine = Machine(device)
    aligner: Any = _References(rows)
    plain, whole = (
        Objective(tuned, replace(loss, arm=arm), aligner, settings, _STEPS, machine)
        for arm in (Arm.OFF, loss.arm)
    )
    trained = [p for p in tuned.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.0)
    documents = [Document(np.array(row.tokens, np.int32), row.given, row.code) for row in rows]
    made = batch.make(documents, prompt_weight=0.0, packed=True).to(device)
    return Ours(tuned, plain, whole, loss, optimizer, made, Totals.of(documents, 0.0))


def step(ours: Ours) -> float:
    """One step of the stage; its loss."""
    values = ours.objective.backward(0, [(ours.batch, True)], ours.totals)
    nn.utils.clip_grad_norm_(ours.trained, 1.0)
    ours.optimizer.step()
    ours.optimizer.zero_grad(set_to_none=True)
    return values["loss"]


def parts(ours: Ours, device: torch.device) -> dict[str, float]:
    """Seconds of a step by part; the step is computed as `step` does, cut at the last state."""
    kept: dict[str, Any] = {}

    def forward() -> None:
        kept["hidden"] = ours.objective.hidden(ours.batch)

    def loss() -> None:
        cut = kept["hidden"].detach().requires_grad_()
        found = _token_loss(ours, cut, structural=False)[0]
        kept["slope"] = torch.autograd.grad(found, cut)[0]

    def backward() -> None:
        torch.autograd.backward(kept.pop("hidden"), kept.pop("slope"))

    def update() -> None:
        nn.utils.clip_grad_norm_(ours.trained, 1.0)
        ours.optimizer.step()
        ours.optimizer.zero_grad(set_to_none=True)

    return {
        name: measure.seconds_of(work, device)
        for name, work in (
            ("layers, forward", forward), ("head and token loss", loss),
            ("layers, backward", backward), ("optimizer", update),
        )
    }  # fmt: skip


def structural_seconds(ours: Ours, device: torch.device, times: int) -> float:
    """What L_s adds to the losses of a step: with it less without it, medians of runs in turn."""
    hidden = ours.objective.hidden(ours.batch).detach()
    cut = hidden.clone().requires_grad_()

    def without() -> None:
        torch.autograd.grad(_token_loss(ours, cut, structural=False)[0], cut)

    def with_it() -> None:
        found, places = _token_loss(ours, cut, structural=True)
        by_structure = ours.loss(places).sum() / ours.totals.programs
        # The state below is a leaf: its gradient is all that goes on into the model.
        balance.backward(cut.detach(), cut, (found, by_structure), (0.5, 0.5))

    both = [
        (measure.seconds_of(without, device), measure.seconds_of(with_it, device))
        for _ in range(times + 1)
    ][1:]
    before, after = (sorted(values)[len(values) // 2] for values in zip(*both, strict=True))
    return after - before


def _token_loss(
    ours: Ours, cut: torch.Tensor, *, structural: bool
) -> tuple[torch.Tensor, Places]:
    """L_token, and what L_s sees: by the stage's own way where there is an L_s."""
    if structural:
        return ours.structural.losses(cut, ours.batch, ours.totals.weight)
    made = ours.batch
    found = token_loss(
        cut.flatten(0, 1), ours.objective.base.lm_head.weight, made.targets.flatten(),
        made.weights.flatten(), total=ours.totals.weight,
    )  # fmt: skip
    nothing: list[Reference] = []
    return found.loss, Places(found.values, found.tokens, made.targets[:0], nothing)
