"""The teacher and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contexts:
    """The reasoning that a teacher writes for each problem."""

    teacher: str = "program"
    """`program` writes from a problem's own construction; a URL is an OpenAI-compatible endpoint
    behind which a large model answers."""
    teacher_model: str = ""
    """The model to ask for at the endpoint."""
