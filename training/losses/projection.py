"""The arm `projection`: the state at the end of the reasoning is to foretell the code's vector.

A head turns the student's hidden state, where the code is about to begin, into the encoder's
space. It is trained with the adapter, and could absorb the loss by itself: compare with a run in
which it is frozen after the warm-up.
"""

from __future__ import annotations

import torch
from torch import nn


class Projection(nn.Module):
    """A linear head; nothing of it remains in the exported model.

    Args:
        student: width of the student's hidden state.
        encoder: width of the encoder's vectors.
    """

    def __init__(self, student: int, encoder: int) -> None:
        super().__init__()
        self.head = nn.Linear(student, encoder)

    def forward(self, ends: torch.Tensor) -> torch.Tensor:
        """Vectors, shape ``(programs, encoder)``, from states ``(programs, student)``."""
        with torch.autocast(ends.device.type, enabled=False):
            vectors: torch.Tensor = self.head(ends.to(self.head.weight.dtype))
        return vectors
