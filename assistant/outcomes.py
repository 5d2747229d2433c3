"""The words of the contract for what a check found."""

from __future__ import annotations

import enum


class Outcome(enum.Enum):
    """The verdicts of the contract."""

    PASS = "pass"
    PARSED = "parsed"
    WRONG = "wrong"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT_LIMIT = "output limit"
    CRASH = "crash"
    PROTOCOL_VIOLATION = "protocol violation"
    NOT_CHECKED = "not checked"
    SANDBOX_UNAVAILABLE = "sandbox unavailable"

    @property
    def failed(self) -> bool:
        """True when a check ran and the code did not stand it."""
        return self not in _NOT_FAILURES


_NOT_FAILURES = frozenset(
    {Outcome.PASS, Outcome.PARSED, Outcome.NOT_CHECKED, Outcome.SANDBOX_UNAVAILABLE}
)
