"""Documents as tensors: what the model reads, what it is to predict, where the code is.

A place is a token that is read; it predicts the token behind it. In a packed row each document
begins at position 0 and its last token is not read, so no place predicts another document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from training import batches
from training.documents import Document
from training.tuning.attention import Neighbours


@dataclass(frozen=True)
class Batch:
    """Rows of places.

    Attributes:
        inputs: tokens that are read, int64, shape ``(rows, length)``.
        targets: the token behind each, int64, same shape.
        weights: of each target in L_token, float32, same shape; 0 for padding.
        emit: bool, same shape: places that predict code.
        code: the places that predict each program, as (row, start, end).
        programs: the tokens of each of these programs.
        positions: int64, same shape, where documents are packed; else None.
        neighbours: the documents of a packed row; else None.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    emit: torch.Tensor
    code: list[tuple[int, int, int]]
    programs: list[list[int]]
    positions: torch.Tensor | None = None
    neighbours: Neighbours | None = None

    def to(self, device: torch.device) -> Batch:
        """The same on `device`."""
        return replace(
            self,
            inputs=self.inputs.to(device), targets=self.targets.to(device),
            weights=self.weights.to(device), emit=self.emit.to(device),
            positions=None if self.positions is None else self.positions.to(device),
            neighbours=None if self.neighbours is None else self.neighbours.to(device),
        )  # fmt: skip


def make(documents: Sequence[Document], prompt_weight: float, packed: bool) -> Batch:
    """The batch of some documents, on the processor.

    Args:
        documents: at least one, each of two tokens or more.
        prompt_weight: weight of the tokens that are given; the others have 1.
        packed: end to end in one row, instead of a row each with padding on the right.
    """
    return _packed(documents, prompt_weight) if packed else _padded(documents, prompt_weight)


def weight(document: Document, prompt_weight: float) -> float:
    """What a document adds to a batch's weights; its first token is never predicted."""
    given = document.given
    return prompt_weight * max(given - 1, 0) + len(document.tokens) - max(given, 1)


def _padded(documents: Sequence[Document], prompt_weight: float) -> Batch:
    made = batches.collate(documents, prompt_weight)
    starts = [(row, 0) for row in range(len(documents))]
    inputs, targets = made.tokens[:, :-1], made.tokens[:, 1:]
    return _with_code(inputs, targets, made.weights[:, 1:], documents, starts)


def _packed(documents: Sequence[Document], prompt_weight: float) -> Batch:
    rows = [batches.collate([document], prompt_weight) for document in documents]
    lengths = [len(document.tokens) - 1 for document in documents]
    starts = [(0, sum(lengths[:i])) for i in range(len(lengths))]
    made = _with_code(
        torch.cat([row.tokens[:, :-1] for row in rows], 1),
        torch.cat([row.tokens[:, 1:] for row in rows], 1),
        torch.cat([row.weights[:, 1:] for row in rows], 1),
        documents,
        starts,
    )
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    return replace(made, positions=positions, neighbours=Neighbours.of(lengths))


def _with_code(
    inputs: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    documents: Sequence[Document],
    starts: Sequence[tuple[int, int]],
) -> Batch:
    """A batch from its rows, and the (row, place) at which each document begins."""
    emit = torch.zeros_like(targets, dtype=torch.bool)
    code: list[tuple[int, int, int]] = []
    programs: list[list[int]] = []
    for document, (row, before) in zip(documents, starts, strict=True):
        if document.code is None:
            continue
        start, end = document.code
        # One place before each of the code's tokens.
        code.append((row, before + start - 1, before + end - 1))
        emit[row, before + start - 1 : before + end - 1] = True
        programs.append(document.tokens[start:end].tolist())
    return Batch(inputs, targets, weights, emit, code, programs)
