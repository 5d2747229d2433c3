"""Where the problems come from, and which of them are used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problems:
    """The problem set with its tests."""

    count: int = 2000
    """How many problems are made, evaluation included."""
