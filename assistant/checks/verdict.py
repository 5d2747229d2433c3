"""What a check says in the end."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.events import Outcome

NOTHING_RAN = "none"
"""The layer of a verdict for which no code ran."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a `Verdict` event says, without the candidate that it is about."""

    outcome: Outcome
    layer: str
    """The layer of isolation that the code ran in, or `NOTHING_RAN`."""
    detail: str
    kind: str = ""
    """The name of the exception's type where the outcome is an error."""
    seconds: float = 0.0
    """Wall-clock time of the check."""
