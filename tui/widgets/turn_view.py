"""The newest question with its answer, as separate panes that stream."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui.text import displayable
from tui.turn import Phase, Turn
from tui.widgets.code_pane import CodePane
from tui.widgets.reasoning import ReasoningPane

MAX_QUESTION_LINES = 20
MAX_QUESTION_CHARACTERS = 4000
"""A pasted file is sent whole and shown by its beginning."""


class TurnView(Vertical):
    """Question, reasoning, code, and what is to be said about the end."""

    DEFAULT_CSS = """
    TurnView { height: auto; }
    TurnView .note { display: none; }
    TurnView .note.-some { display: block; }
    TurnView .note.-failed { color: $text-error; border-left: outer $error; padding: 0 0 0 1; }
    """

    def __init__(self, turn: Turn) -> None:
        super().__init__()
        self.turn = turn
        self.question = Static(question_content(turn.question))
        self.reasoning = ReasoningPane()
        self.code = CodePane(turn.language)
        self._note = Static("", markup=False, classes="note")
        self._note_text = ""

    def compose(self) -> ComposeResult:
        """From the question down."""
        yield self.question
        yield self.reasoning
        yield self.code
        yield self._note

    @property
    def note_text(self) -> str:
        """The line below the answer: stopped, failed and why, or nothing."""
        return self._note_text

    def show(self) -> None:
        """Bring every pane up to the turn."""
        self.reasoning.show(self.turn)
        self.code.show(self.turn)
        note = note_text(self.turn)
        if note != self._note_text:
            self._note_text = note
            self._note.set_class(bool(note), "-some")
            self._note.set_class(self.turn.phase is Phase.FAILED, "-failed")
            self._note.update(note)


def question_content(question: str) -> Content:
    """A question as it stands above its answer."""
    lines = displayable(question[:MAX_QUESTION_CHARACTERS]).strip().split("\n")
    if len(lines) > MAX_QUESTION_LINES or len(question) > MAX_QUESTION_CHARACTERS:
        lines = [*lines[:MAX_QUESTION_LINES], f"\u2026 ({len(question)} characters in all)"]
    text = "\n  ".join(lines)
    return Content.assemble(("\u276f ", "bold $text-accent"), (text, "bold"))


def note_text(turn: Turn) -> str:
    """What is to be said below an answer that ended otherwise than with code."""
    if turn.phase is Phase.FAILED:
        return f"failed: {displayable(turn.note)}"
    if turn.phase is Phase.STOPPED:
        return "stopped by you; what had come is above"
    if turn.phase is Phase.DONE and not turn.shown.code:
        return "the model gave no code"
    return ""
