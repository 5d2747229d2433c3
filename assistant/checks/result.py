"""What a check says in the end, and what it says when nothing ran."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.events import Outcome

NOTHING_RAN = "none"
"""The layer of a verdict that needed no run."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a `Verdict` event says, without the candidate that it is about."""

    outcome: Outcome
    layer: str
    """The isolation that the code ran in (`Layer.value`), or `none` when nothing ran."""
    detail: str
    """One sentence for a person."""
    kind: str = ""
    """The type of what was raised when the outcome is `error`, such as `ValueError`."""
    seconds: float = 0.0
    """How long the check took, wall-clock."""
