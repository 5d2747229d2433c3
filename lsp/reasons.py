"""Why nothing was shown: the last reasons, for whoever asks "why not?"."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

KEPT = 50


@dataclass(frozen=True, slots=True)
class Reason:
    """Why there was no suggestion at a place."""

    when: float
    """Seconds since the epoch."""
    uri: str
    line: int
    """From 0."""
    reason: str
    """A sentence without a full stop."""


@dataclass
class Reasons:
    """The newest ones, the oldest first."""

    kept: deque[Reason] = field(default_factory=lambda: deque(maxlen=KEPT))

    def note(self, uri: str, line: int, reason: str) -> None:
        """Remember why nothing was shown at a line; the same as the last time counts once."""
        if self.kept and _same(self.kept[-1], uri, line, reason):
            self.kept.pop()
        self.kept.append(Reason(time.time(), uri, line, reason))

    def newest(self, uri: str | None = None) -> list[Reason]:
        """The newest first, of one document or of all."""
        return [one for one in reversed(self.kept) if uri is None or one.uri == uri]


def _same(one: Reason, uri: str, line: int, reason: str) -> bool:
    return (one.uri, one.line, one.reason) == (uri, line, reason)
