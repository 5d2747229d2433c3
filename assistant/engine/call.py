"""A planned decode call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.engine.running import Running
from assistant.engine.types import Priority

if TYPE_CHECKING:
    from assistant.engine.lane import Lane


@dataclass(slots=True)
class Part:
    """The rows of one request in a call."""

    running: Running
    first: int
    """Its first row."""
    tokens: list[int]
    guesses: int = 0
    """How many of the tokens, at the end, are guesses."""
    wants: bool = False
    """The next token is to be sampled from its last row."""


@dataclass(slots=True)
class Call:
    """A planned decode call."""

    lane: Lane
    priority: Priority
    parts: list[Part]
    rows: int
    expected: float
    """Seconds that it will take, as far as is known."""
    started: float = 0.0

    @property
    def abortable(self) -> bool:
        """Whether a more urgent request may stop it."""
        lane = self.lane
        return lane.abortable and not any(part.running.protected for part in self.parts)
