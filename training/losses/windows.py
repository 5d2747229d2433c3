"""Programs that are longer than the encoder: windows of nearly equal size, every piece in one.

A program's vector is the mean of its windows' vectors, weighted by their pieces.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.losses.alignment import Reference


def spans(pieces: int, limit: int) -> list[tuple[int, int]]:
    """The windows of a program, as (start, end): as few as possible, sizes one apart at most."""
    count = max(1, -(-pieces // limit))
    edges = [pieces * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


@dataclass(frozen=True)
class Windows:
    """The windows of several programs, right-padded.

    Attributes:
        pieces: int64, shape ``(windows, length)``.
        own: for each piece its student token, counted over all programs; same shape.
        mask: bool, same shape; False is padding.
        shares: what each window counts for in each program, shape ``(programs, windows)``.
    """

    pieces: torch.Tensor
    own: torch.Tensor
    mask: torch.Tensor
    shares: torch.Tensor


def windows(
    references: Sequence[Reference], limit: int, like: torch.Tensor, *, literal: bool = False
) -> Windows:
    """All windows of some programs.

    Args:
        references: the programs.
        limit: largest number of pieces in a window.
        like: has the device and the type of `shares`.
        literal: windows over student tokens instead of pieces; `pieces` is then meaningless.
    """
    rows: list[tuple[torch.Tensor, torch.Tensor]] = []
    places: list[tuple[int, int, float]] = []
    before = 0
    for number, reference in enumerate(references):
        size = reference.tokens if literal else len(reference.pieces)
        own = torch.arange(size) if literal else reference.own
        pieces = torch.zeros(size, dtype=torch.int64) if literal else reference.pieces
        for start, end in spans(size, limit):
            places.append((number, len(rows), (end - start) / max(size, 1)))
            rows.append((pieces[start:end], own[start:end] + before))
        before += reference.tokens
    length = max(len(pieces) for pieces, _ in rows)
    made = torch.zeros((3, len(rows), length), dtype=torch.int64)
    for row, (pieces, own) in enumerate(rows):
        made[0, row, : len(pieces)], made[1, row, : len(own)] = pieces, own
        made[2, row, : len(pieces)] = 1
    shares = torch.zeros((len(references), len(rows)), dtype=torch.float64)
    for number, row, share in places:
        shares[number, row] = share
    moved = made.to(like.device)
    return Windows(moved[0], moved[1], moved[2].bool(), shares.to(like))
