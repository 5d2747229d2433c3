"""What the widgets tell the app."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message


@dataclass
class PromptSubmitted(Message):
    """The user has sent a prompt that is not blank; the prompt is cleared already."""

    text: str


class PromptHeld(Message):
    """The user has pressed Enter while an answer is being written; the prompt stays."""
