"""Does a GGUF file compute what the model computes that it was made from?

At each place of a text the two give a distribution of the next token. Compared are their
divergence (Kullback-Leibler, nats, model against file), the squared error of the logits against
their own square, and the likeliest token. The model computes in float32, layer by layer
(`reference`), the file in llama.cpp; of both, the logits of a few hundred places are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from assistant.engine.logits import Evaluator
from assistant.errors import ExportProblem
from training.export.gates import Gate
from training.export.merging import Merged
from training.export.reference import Reference, Row

_STEP = 32
"""Places that are compared at once, in float64: rounding in float32 would be all that is seen."""


@dataclass(frozen=True)
class Measured:
    """How far a file is from its model.

    Attributes:
        tokens: places that were compared.
        mean_kld: mean divergence, nats; 0 if both are the same.
        p99_kld: exceeded at one place of a hundred.
        max_kld: the largest.
        nmse: squared error of the logits, by their squares.
        same_top: share of places with the same likeliest token.
        loss: mean loss of the model on the text, nats a token; NaN for a single token.
        file_loss: that of the file.
    """

    tokens: int
    mean_kld: float
    p99_kld: float
    max_kld: float
    nmse: float
    same_top: float
    loss: float
    file_loss: float


class Tally:
    """Adds up differences, block by block."""

    def __init__(self) -> None:
        self._klds: list[torch.Tensor] = []
        self._losses: list[torch.Tensor] = []
        self._same = 0
        self._error, self._power = 0.0, 0.0

    def add(self, expected: torch.Tensor, found: torch.Tensor, following: Row) -> None:
        """Compare the logits of some places.

        Args:
            expected: of the model, ``(places, vocabulary)``.
            found: of the file, the same shape.
            following: the token behind each place; at the end of a text one fewer.

        Raises:
            ExportProblem: the vocabularies have different sizes.
        """
        if expected.shape != found.shape:
            raise ExportProblem(
                f"the file has {found.shape[1]} tokens, and the model {expected.shape[1]}",
                hint="the file was made from another model, or with another tokenizer",
            )
        for start in range(0, len(expected), _STEP):
            part = slice(start, start + _STEP)
            self._add(expected[part].double(), found[part].double(), following[part])

    def _add(self, expected: torch.Tensor, found: torch.Tensor, following: Row) -> None:
        self._error += ((expected - found) ** 2).sum().item()
        self._power += (expected**2).sum().item()
        self._same += int((expected.argmax(-1) == found.argmax(-1)).sum())
        p, q = torch.log_softmax(expected, -1), torch.log_softmax(found, -1)
        # What the model excludes (minus infinity) adds nothing.
        self._klds.append(torch.where(p.exp() > 0, p.exp() * (p - q), 0.0).sum(-1))
        places, tokens = torch.arange(len(following)), torch.tensor(list(following)).long()
        self._losses.append(-torch.stack([p[places, tokens], q[places, tokens]]))

    def result(self) -> Measured:
        """All of it."""
        kld = torch.cat(self._klds).numpy()
        loss, file_loss = torch.cat(self._losses, dim=1).mean(dim=1).tolist()
        return Measured(
            tokens=len(kld),
            mean_kld=float(kld.mean()),
            p99_kld=float(np.quantile(kld, 0.99)),
            max_kld=float(kld.max()),
            nmse=self._error / self._power,
            same_top=self._same / len(kld),
            loss=loss,
            file_loss=file_loss,
        )


Expected = Callable[[int, int], torch.Tensor]
"""The model's logits from one place on, before another, of a row, ``(places, vocabulary)``."""


def compare(
    model: Merged,
    file: Path,
    rows: Sequence[Row],
    *,
    threads: int | None = None,
    exact: bool = True,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> Measured:
    """How far the GGUF file `file` is from `model` on `rows` of tokens.

    Args:
        model: what it was made from.
        file: is loaded by llama.cpp.
        rows: sequences of tokens; each is computed by itself.
        threads: of llama.cpp; None: the cores that this process may use.
        exact: with keys and values in float32; False: in float16, as in serving.
        device: where the model computes.
        on_progress: told how many of how many steps are done: a layer, or a row of the file.

    Raises:
        ExportProblem: there is nothing to compare, or the two are of different sizes.
        ModelProblem: llama.cpp does not load the file.
    """
    rows = [row for row in rows if row]
    if not rows:
        raise ExportProblem("there is no text on which the file could be compared")
    reference = Reference(model, device)
    layers = int(model.described["num_hidden_layers"])

    def tell(done: int, _: int = 0) -> None:
        if on_progress is not None:
            on_progress(done, layers + len(rows))

    states = reference.states(rows, on_progress=tell)
    ready = [_logits_of(reference, state) for state in states]
    tally = Tally()
    with Evaluator(file, threads=threads, exact=exact) as evaluator:
        for number, (row, expected) in enumerate(zip(rows, ready, strict=True)):
            add_row(tally, row, expected, evaluator.blocks(row))
            tell(layers + number + 1)
    return tally.result()


def _logits_of(reference: Reference, state: torch.Tensor) -> Expected:
    """The model's logits of one row, from its last states, ``(places, width)``."""
    return lambda start, stop: reference.logits(state[start:stop])


def add_row(
    tally: Tally, row: Row, expected: Expected, blocks: Iterable[tuple[int, np.ndarray]]
) -> None:
    """Compare all places of one row.

    Args:
        tally: what the differences are added to.
        row: its tokens.
        expected: the model's logits.
        blocks: (first place, logits from there on) of the file.
    """
    for start, block in blocks:
        stop = start + len(block)
        mine = expected(start, stop).cpu()
        tally.add(mine, torch.from_numpy(block), row[start + 1 : stop + 1])


def problems(measured: Measured, gate: Gate) -> list[str]:
    """What is outside of the bounds, in words; what is no number is.

    Args:
        measured: of a file.
        gate: its bounds.
    """
    limits = (
        ("squared error of the logits", measured.nmse, gate.nmse),
        ("mean divergence (nats)", measured.mean_kld, gate.mean_kld),
        ("share of other likeliest tokens", 1 - measured.same_top, 1 - gate.same_top),
    )
    found = [
        f"{what} {value:.3g}, limit {limit:.3g}"
        for what, value, limit in limits
        # So that NaN is one; some slack for 1 - 0.9.
        if not value <= limit + 1e-12
    ]
    if not math.isfinite(measured.nmse) and not found:
        found.append("the logits are no numbers")
    return found
