"""An earlier question with its answer, flattened into one widget.

Every widget on the screen costs at each layout, so a long conversation stays quick only when a
finished answer is one `Static`: 60 of them cost what 15 answers of several widgets do.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.highlight import code_lines, coloured
from tui.turn import Turn
from tui.widgets.code_pane import verdict_text
from tui.widgets.turn_view import note_text, question_content


class PastTurn(Static):
    """Question, length of the reasoning, code, verdict: in one piece."""

    DEFAULT_CSS = """
    PastTurn { height: auto; margin: 0 0 1 0; }
    """

    def __init__(self, turn: Turn) -> None:
        super().__init__(past_content(turn))
        self.turn = turn


def past_content(turn: Turn) -> Content:
    """The whole turn as one content; the code without numbers, so that a selection is clean."""
    candidate = turn.shown
    parts = [question_content(turn.question)]
    if candidate.sections:
        parts.append(Content.styled(f"thought for {turn.thinking_s:.0f} s", "dim"))
    if candidate.code:
        parts.append(Content.styled(f"{turn.language} \u00b7 {verdict_text(turn)}", "bold"))
        parts += coloured(code_lines(candidate.code), turn.language)
    if note := note_text(turn):
        parts.append(Content.styled(note, "dim"))
    return Content("\n").join(parts)
