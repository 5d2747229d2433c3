"""The place where the user writes."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.messages import PromptSubmitted

PLACEHOLDER = "What should the code do?   Enter sends, ctrl+j starts a new line"


class Prompt(TextArea):
    """A text area in which Enter sends, and that recalls what was sent before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send the prompt", priority=True),
        Binding(
            "ctrl+j,alt+enter,shift+enter",
            "newline",
            "New line (many terminals send shift+enter as enter)",
            priority=True,
        ),
        Binding("up", "recall(-1)", "In the first line: the prompt before"),
        Binding("down", "recall(1)", "In the last line: the prompt after"),
        Binding("ctrl+z,super+z", "undo", "Undo typing"),
        Binding("ctrl+shift+z,super+y", "redo", "Redo typing (ctrl+y copies code)"),
    ]

    DEFAULT_CSS = """
    Prompt { height: auto; max-height: 12; min-height: 3; border: round $primary 60%; }
    Prompt:focus { border: round $primary; }
    """

    def __init__(self) -> None:
        super().__init__(placeholder=PLACEHOLDER, highlight_cursor_line=False)
        self._sent: list[str] = []
        self._position = 0  # in _sent; its length is the draft
        self._draft = ""

    def remember(self, text: str) -> None:
        """Make `text` the newest one that the up key brings back."""
        if text.strip() and self._sent[-1:] != [text]:
            self._sent.append(text)
        self._position = len(self._sent)

    def put_back(self, text: str) -> None:
        """Return a prompt that led to nothing, unless the user is writing another already."""
        if not self.text.strip():
            self._set(text)

    def clear_draft(self) -> None:
        """Empty the prompt; the up key brings it back."""
        self.remember(self.text)
        self._set("")

    def action_submit(self) -> None:
        """Hand a prompt that is not blank to the app, which clears it once it is accepted."""
        if self.text.strip():
            self.post_message(PromptSubmitted(self.text))

    def action_newline(self) -> None:
        """Start a new line, in place of the selection if there is one."""
        self.insert("\n")
        self.scroll_cursor_visible()

    def action_recall(self, step: int) -> None:
        """Move within the text, and beyond its edge to an earlier or later prompt."""
        at_edge = self.cursor_at_first_line if step < 0 else self.cursor_at_last_line
        target = self._position + step
        if not at_edge or not 0 <= target <= len(self._sent):
            if step < 0:
                self.action_cursor_up()
            else:
                self.action_cursor_down()
            return
        if self._position == len(self._sent):
            self._draft = self.text
        self._position = target
        self._set(self._draft if target == len(self._sent) else self._sent[target])

    def _set(self, text: str) -> None:
        self.text = text
        self.move_cursor(self.document.end)
