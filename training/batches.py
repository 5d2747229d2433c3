"""Documents in batches: equal lengths together, one document a row, a fixed order.

Rows are padded on the right and attention is causal, so no token sees padding or another
document. The whole plan is made from the seed before the first step; the place in it is the
number of the step, which makes resuming exact.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from training.documents import Document, Special

_WINDOW = 64
"""Batches' worth of documents that are sorted by length together."""


@dataclass(frozen=True)
class Batch:
    """Right-padded rows.

    Attributes:
        tokens: int64, shape ``(rows, length)``.
        weights: float32, shape ``(rows, length)``: of each token as the one to predict; 0 for
            padding.
        code: where each row's code is, as (start, end).
    """

    tokens: torch.Tensor
    weights: torch.Tensor
    code: list[tuple[int, int] | None]


def plan(lengths: Sequence[int], batch_tokens: int, budget: int, seed: int) -> list[list[int]]:
    """Which documents go into which step.

    Args:
        lengths: tokens of each document.
        batch_tokens: largest rows x length of a batch.
        budget: tokens in all, padding included; documents come again when they do not suffice.
        seed: of the order.

    Returns:
        For each step the numbers of its documents.
    """
    batches: list[list[int]] = []
    spent = 0
    for epoch in in_epochs(lengths, batch_tokens, seed):
        for batch in epoch:
            if spent >= budget:
                return batches
            batches.append(batch)
            spent += padded_size(batch, lengths)
    return batches


def padded_size(batch: Sequence[int], lengths: Sequence[int]) -> int:
    """Tokens of a batch, padding included."""
    return len(batch) * max(lengths[i] for i in batch)


def in_epochs(lengths: Sequence[int], batch_tokens: int, seed: int) -> Iterator[list[list[int]]]:
    """The batches of the first epoch, of the second, and so on without end.

    Args:
        lengths: tokens of each document.
        batch_tokens: largest rows x length of a batch.
        seed: of the order.
    """
    rng = random.Random(seed)
    while True:
        order = list(range(len(lengths)))
        rng.shuffle(order)
        yield _epoch(order, lengths, batch_tokens, rng)


def _epoch(
    order: list[int], lengths: Sequence[int], batch_tokens: int, rng: random.Random
) -> list[list[int]]:
    batches: list[list[int]] = []
    position = 0
    while position < len(order):
        end, tokens = position, 0
        while end < len(order) and tokens < _WINDOW * batch_tokens:
            tokens += lengths[order[end]]
            end += 1
        window = sorted(order[position:end], key=lambda i: lengths[i])
        position = end
        ready: list[list[int]] = [[]]
        for i in window:  # from short to long: the newest is the longest
            if ready[-1] and (len(ready[-1]) + 1) * lengths[i] > batch_tokens:
                ready.append([])
            ready[-1].append(i)
        rng.shuffle(ready)
        batches += ready
    return batches


def collate(documents: Sequence[Document], prompt_weight: float) -> Batch:
    """One batch from its documents; what is given counts `prompt_weight`, the rest 1."""
    length = max(len(document.tokens) for document in documents)
    tokens = torch.full((len(documents), length), Special.END.id, dtype=torch.int64)
    weights = torch.zeros((len(documents), length))
    for row, document in enumerate(documents):
        end = len(document.tokens)
        tokens[row, :end] = torch.from_numpy(document.tokens)
        weights[row, :end] = 1.0
        weights[row, : document.given] = prompt_weight
    return Batch(tokens, weights, [document.code for document in documents])
