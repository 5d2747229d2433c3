"""What a check says in the end, and what it says when nothing ran."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.outcomes import Outcome

NOTHING_RAN = "none"
"""The layer of a verdict that needed no run."""
MOST_DETAIL, MOST_KIND = 2000, 100
"""Characters of a verdict's text, and of the name of what was raised."""


def shown(text: str, most: int = MOST_DETAIL) -> str:
    """A stranger's text on one line that can only be read: what is not printable is escaped.

    A terminal obeys some characters and an editor reorders others; here they become text such as
    `\\x1b`, `\\n` or `\\u202e`. What is longer than `most` characters ends in three points. Text
    that has been through here comes out as it is.
    """
    told = text[:most]
    if not told.isprintable():
        told = "".join(char if char.isprintable() else _escaped(char) for char in told)
    return told if len(text) <= most and len(told) <= most else told[: most - 3] + "..."


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a `Verdict` event says, without the candidate that it is about.

    Its texts may hold what the code said, so `shown` has made them fit to be shown anywhere.
    """

    outcome: Outcome
    layer: str
    """The isolation that the code ran in (`Layer.value`), or `none` when nothing ran."""
    detail: str
    """One sentence for a person."""
    kind: str = ""
    """The type of what was raised when the outcome is `error`, such as `ValueError`."""
    seconds: float = 0.0
    """How long the check took, wall-clock."""
    at: str = ""
    """What was reached when it ended: `answer` while the code was loaded, `tests` while the tests
    were, or the name of a test; empty where it can not be told."""
    line: int = 0
    """The deepest line of the code that an exception came through, from 1; 0 when there is none."""

    def __post_init__(self) -> None:
        """Let no text of a stranger through as it is."""
        object.__setattr__(self, "detail", shown(self.detail))
        object.__setattr__(self, "kind", shown(self.kind, MOST_KIND))
