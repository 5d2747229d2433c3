"""alpha * L_token + beta * scale * L_s of a step, their gradients, and what there is to log.

A step may be computed in parts (`adapter.accumulate`), and the parts on several processes. The
token loss is divided by the weight of all tokens of the step, L_s by the number of all its
programs: so parts of any size add up to what the step would be as one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import peft
import torch

from training.curriculum import Curriculum
from training.documents import Document
from training.loop import Values
from training.losses import balance
from training.losses.alignment import Aligner
from training.losses.structural import Arm, Places, StructuralLoss
from training.losses.token import token_loss
from training.settings import Settings
from training.tuning import batch as batches
from training.tuning.batch import Batch
from training.tuning.machine import Machine

_LIKELIEST = (Arm.OFF, Arm.PLACEBO, Arm.PROJECTION)


@dataclass(frozen=True)
class Totals:
    """What the losses of a whole step are divided by.

    Attributes:
        weight: of all tokens.
        programs: that have code.
    """

    weight: float
    programs: int

    @staticmethod
    def of(documents: Iterable[Document], prompt_weight: float) -> Totals:
        """Of a step's documents, in all processes."""
        chosen = list(documents)
        weight = sum(batches.weight(document, prompt_weight) for document in chosen)
        return Totals(weight, sum(document.code is not None for document in chosen))


@dataclass(frozen=True)
class Part:
    """What one batch of a step adds to it.

    Attributes:
        token: its share of L_token.
        structural: its share of L_s.
        norms: of both gradients at its last hidden state.
        wrong: programs in which the likeliest token is wrong somewhere.
    """

    token: float
    structural: float
    norms: balance.Norms
    wrong: int


class Objective:
    """Both losses of a model that is tuned.

    Args:
        tuned: the model with its adapter.
        structural: L_s.
        aligner: student tokens to encoder pieces.
        settings: of the run.
        steps: of the stage, for the curriculum.
        machine: what this process computes on.
    """

    def __init__(
        self,
        tuned: peft.PeftModel,
        structural: StructuralLoss,
        aligner: Aligner,
        settings: Settings,
        steps: int,
        machine: Machine,
    ) -> None:
        self.base: Any = tuned.get_base_model()
        self.machine = machine
        self.scale = Values(scale=1.0)
        self._structural, self._aligner = structural, aligner
        # Some arms look at the likeliest token only; sorting 64 out of 128,256 is for the others.
        self._top_k = 1 if structural.arm in _LIKELIEST else settings.structural.top_k
        self._curriculum = settings.curriculum
        plan = settings.curriculum
        self._weights = Curriculum(steps, plan.warmup, plan.alpha_end, plan.schedule).weights

    def hidden(self, batch: Batch) -> torch.Tensor:
        """What the head is applied to, shape ``(rows, length, width)``."""
        packed = (
            {}
            if batch.neighbours is None
            else {"position_ids": batch.positions, "neighbours": batch.neighbours}
        )
        with self.machine.autocast():
            found = self.base.model(input_ids=batch.inputs, use_cache=False, **packed)
        state: torch.Tensor = found.last_hidden_state
        return state

    def backward(
        self, number: int, parts: Iterable[tuple[Batch, bool]], totals: Totals
    ) -> dict[str, float]:
        """Add the gradients of step `number`, this process's share; its numbers are the step's.

        Args:
            number: of the step.
            parts: this process's batches; False is one that does not count (`Machine.share`).
            totals: of all parts in all processes.
        """
        alpha, beta = self._weights(number)
        if self._structural.arm is Arm.OFF:
            alpha, beta = 1.0, 0.0
        scale = self.scale.now["scale"]
        found = [
            self._part(batch, totals, (alpha, beta * scale) if counts else (0.0, 0.0))
            for batch, counts in parts
        ]
        counted = self._added_up(found)
        if number % self._curriculum.measure_every == 0:
            plan = self._curriculum
            self.scale.now["scale"] = balance.scale(
                counted.norms, plan.beta_scale, plan.beta_ratio, scale
            )
        return {
            "loss": alpha * counted.token + beta * scale * counted.structural,
            "token_loss": counted.token, "structural_loss": counted.structural,
            "alpha": alpha, "beta": beta, "scale": scale,
            "gradient_token": counted.norms.token,
            "gradient_structural": counted.norms.structural,
            "gradient_ratio": counted.norms.ratio,
            "programs_with_gradient": counted.wrong / max(totals.programs, 1),
        }  # fmt: skip

    def _part(self, batch: Batch, totals: Totals, weights: tuple[float, float]) -> Part | None:
        hidden = self.hidden(batch)
        if weights == (0.0, 0.0):
            # Only for the processes that wait at each layer.
            torch.autograd.backward(hidden, torch.zeros_like(hidden))
            return None
        # Both losses end here: their gradients are told apart at this state.
        cut = hidden.detach().requires_grad_()
        by_token, places = self.losses(cut, batch, totals.weight)
        by_structure = self._structural(places).sum() / totals.programs
        head = self._structural.projection
        norms = balance.backward(
            hidden, cut, (by_token, by_structure), weights,
            list(head.parameters()) if head is not None else (),
        )  # fmt: skip
        wrong = round(places.share_wrong() * len(places.references))
        return Part(by_token.item(), by_structure.item(), norms, wrong)

    def losses(
        self, hidden: torch.Tensor, batch: Batch, weight: float
    ) -> tuple[torch.Tensor, Places]:
        """L_token of a batch, and what L_s is made from.

        Args:
            hidden: states of its places, shape ``(rows, length, width)``.
            batch: with one program at least.
            weight: what the sum over the tokens is divided by.
        """
        # Made while a card still computes the states: this is the processor's work.
        references = [self._aligner.reference(program) for program in batch.programs]
        found = token_loss(
            hidden.flatten(0, 1), self.base.lm_head.weight, batch.targets.flatten(),
            batch.weights.flatten(), total=weight, emit=batch.emit.flatten(), top_k=self._top_k,
        )  # fmt: skip
        # The state that predicts the code's first token has seen all of the reasoning.
        ends = hidden[[row for row, _, _ in batch.code], [start for _, start, _ in batch.code]]
        targets = batch.targets[batch.emit]
        return found.loss, Places(found.values, found.tokens, targets, references, ends)

    @torch.no_grad()
    def token_sum(self, batch: Batch) -> float:
        """The token loss of a batch, not divided; without a gradient and without full logits."""
        found = token_loss(
            self.hidden(batch).flatten(0, 1), self.base.lm_head.weight, batch.targets.flatten(),
            batch.weights.flatten(), total=1.0,
        )  # fmt: skip
        return found.loss.item()

    def _added_up(self, found: Sequence[Part | None]) -> Part:
        """The parts of this process and of all others as one."""
        parts = [part for part in found if part is not None]
        norms = [part.norms for part in parts]
        own = Part(
            sum(part.token for part in parts), sum(part.structural for part in parts),
            norms[0] if len(norms) == 1 else balance.combined(norms),
            sum(part.wrong for part in parts),
        )  # fmt: skip
        if self.machine.processes == 1:
            return own
        sent = [
            own.token, own.structural, own.norms.token**2, own.norms.structural**2, own.wrong
        ]  # fmt: skip
        token, structural, by_token, by_structure, wrong = self.machine.sum(
            torch.tensor(sent, dtype=torch.float64)
        ).tolist()
        together = balance.Norms(by_token**0.5, by_structure**0.5)
        return Part(token, structural, together, round(wrong))
