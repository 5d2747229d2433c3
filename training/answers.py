"""One answer of the model to one question of an evaluation, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One question, what the model wrote, and what came of it."""

    id: str
    request: str
    answer: str
    complete: bool
    """The format was followed to its end."""
    outcome: str
    detail: str
