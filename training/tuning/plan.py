"""Which documents are computed together, and which of these batches make a step.

The whole plan is made from the seed before the first step, so the number of a step says its data.

    padded   rows of equal length together, one document a row (`training.batches`)
    packed   one row a batch, filled with documents end to end by best fit
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assistant.errors import UsageProblem
from training import batches
from training.settings import Adapter

_WINDOW = 1024
"""Rows' worth of documents that are packed together: the more the fuller, but the less mixed."""


@dataclass(frozen=True)
class Plan:
    """The steps of a run.

    Attributes:
        steps: for each step its batches, for each batch the numbers of its documents.
        sizes: tokens of each step, padding included.
    """

    steps: list[list[list[int]]]
    sizes: list[int]


def make(lengths: Sequence[int], settings: Adapter, seed: int) -> Plan:
    """The steps for documents of these lengths.

    Args:
        lengths: tokens of each document; at least one.
        settings: budget (`tokens`, `epochs`, whichever ends first), size of batches, packing.
        seed: of the order.

    Raises:
        UsageProblem: the settings have no budget, or no batch.
    """
    if settings.tokens <= 0 and settings.epochs <= 0:
        raise UsageProblem(
            "adapter.tokens=0 and adapter.epochs=0: nothing says how long to tune",
            hint="--set adapter.epochs=3",
        )
    for name in ("batch_tokens", "accumulate"):
        if getattr(settings, name) < 1:
            raise UsageProblem(f"adapter.{name}={getattr(settings, name)}: at least 1 is needed")
    chosen = list(_within_budget(lengths, settings, seed))
    steps = [
        chosen[start : start + settings.accumulate]
        for start in range(0, len(chosen), settings.accumulate)
    ]
    return Plan(steps, [sum(size(part, lengths, settings.packed) for part in s) for s in steps])


def size(batch: Sequence[int], lengths: Sequence[int], packed: bool) -> int:
    """Tokens of a batch, padding included."""
    return sum(lengths[i] for i in batch) if packed else batches.padded_size(batch, lengths)


def _within_budget(lengths: Sequence[int], settings: Adapter, seed: int) -> Iterator[list[int]]:
    make_epochs = packed_epochs if settings.packed else batches.in_epochs
    spent = 0
    left = settings.epochs if settings.epochs > 0 else math.inf
    for epoch in make_epochs(lengths, settings.batch_tokens, seed):
        share = len(epoch) if left >= 1 else math.ceil(left * len(epoch))
        for batch in epoch[:share]:
            if 0 < settings.tokens <= spent:
                return
            yield batch
            spent += size(batch, lengths, settings.packed)
        left -= 1
        if left <= 0:
            return


def packed_epochs(lengths: Sequence[int], room: int, seed: int) -> Iterator[list[list[int]]]:
    """The rows of the first epoch, of the second, and so on without end.

    Args:
        lengths: tokens of each document.
        room: largest number of tokens in a row; a longer document has a row of its own.
        seed: of the order.
    """
    rng = random.Random(seed)
    while True:
        order = list(range(len(lengths)))
        rng.shuffle(order)
        epoch: list[list[int]] = []
        for window in _windows(order, lengths, _WINDOW * room):
            rows = best_fit(window, lengths, room)
            rng.shuffle(rows)
            epoch += rows
        yield epoch


def _windows(order: Sequence[int], lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    window: list[int] = []
    used = 0
    for i in order:
        window.append(i)
        used += lengths[i]
        if used >= tokens:
            yield window
            window, used = [], 0
    if window:
        yield window


def best_fit(order: Sequence[int], lengths: Sequence[int], room: int) -> list[list[int]]:
    """Documents in rows: from the longest on, each where it leaves the least room.

    Documents of equal length keep their order.
    """
    rows: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (room that is left, row), rising
    for i in sorted(order, key=lambda i: -lengths[i]):
        at = bisect_left(free, (lengths[i], -1))
        if at < len(free):
            left, row = free.pop(at)
        else:
            left, row = room, len(rows)
            rows.append([])
        rows[row].append(i)
        if left > lengths[i]:
            insort(free, (left - lengths[i], row))
    return rows
