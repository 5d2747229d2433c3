"""What every teacher does."""

from __future__ import annotations

from typing import Protocol

from assistant.format.completion import Rationale
from training.world.problem import Problem


class Teacher(Protocol):
    """Writes the bridging context between a request and its code."""

    name: str

    def context(self, problem: Problem) -> Rationale:
        """The reasoning for one problem."""
        ...
