"""What comes of a request: a suggestion, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Replace what is from `start` to `end` by `text`; mostly nothing is, and both are the cursor.

    Offsets count characters of the file's text. White space in front of the cursor is replaced
    where the suggestion is indented less, or otherwise, than the cursor is.
    """

    start: int
    end: int
    text: str
    """With the file's own line endings."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Why nothing is suggested, as a sentence for a status line."""

    reason: str
    passing: bool = field(default=False, compare=False)
    """Asked once more the model may say something."""


def applied(text: str, suggestion: Suggestion) -> str:
    """The file with the suggestion in it."""
    return text[: suggestion.start] + suggestion.text + text[suggestion.end :]
