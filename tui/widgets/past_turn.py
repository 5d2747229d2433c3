"""An earlier question with its answer, flattened into one widget.

Every widget on the screen costs at each layout, so a long conversation stays quick only when a
finished answer is one `Static`: 60 of them cost what 15 answers of several widgets do.
"""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static

from tui.highlight import code_lines, coloured
from tui.text import displayable
from tui.turn import Turn
from tui.widgets.code_pane import verdict_text
from tui.widgets.reasoning import reasoning_content
from tui.widgets.turn_view import note_text, question_content


class PastTurn(Static):
    """Question, length of the reasoning, code, verdict: in one piece; a click unfolds reasoning."""

    DEFAULT_CSS = """
    PastTurn { height: auto; margin: 0 0 1 0; }
    """

    def __init__(self, turn: Turn) -> None:
        super().__init__(past_content(turn, unfolded=False))
        self.turn = turn
        self._unfolded = False

    def on_click(self) -> None:
        """Show or hide the reasoning."""
        self._unfolded = not self._unfolded
        self.update(past_content(self.turn, unfolded=self._unfolded))


def past_content(turn: Turn, *, unfolded: bool) -> Content:
    """The whole turn as one content; the code without numbers, so that a selection is clean."""
    candidate = turn.shown
    parts = [question_content(turn.question)]
    if candidate.sections:
        mark = "\u25be" if unfolded else "\u25b8"
        parts.append(Content.styled(f"{mark} thought for {turn.thinking_s:.0f} s", "dim"))
    if candidate.sections and unfolded:
        parts.append(reasoning_content(tuple(candidate.sections)))
    if candidate.code:
        parts.append(Content.styled(f"{turn.language} \u00b7 {verdict_text(turn)}", "bold"))
        parts += coloured(code_lines(candidate.code), turn.language)
    if candidate.verdict is not None and candidate.verdict.outcome.failed:
        parts.append(Content.styled(displayable(candidate.verdict.detail), "dim"))
    if note := note_text(turn):
        parts.append(Content.styled(note, "dim"))
    return Content("\n").join(parts)
