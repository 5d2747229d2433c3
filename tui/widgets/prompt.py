"""The place where the user writes."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.messages import PromptHeld, PromptSubmitted

PLACEHOLDER = "What should the code do?   Enter sends, ctrl+j starts a new line"


class Prompt(TextArea):
    """A text area in which Enter sends, and that recalls what was sent before."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send the prompt"),
        Binding(
            "ctrl+j,alt+enter,shift+enter",
            "newline",
            "New line (many terminals send shift+enter as enter)",
        ),
        Binding("up", "recall(-1)", "In the first line: the prompt before"),
        Binding("down", "recall(1)", "In the last line: the prompt after"),
        Binding("ctrl+z,super+z", "undo", "Undo typing"),
        Binding("ctrl+shift+z,super+y", "redo", "Redo typing (ctrl+y copies code)"),
        # These would be TextArea's if they were bound on the app alone.
        Binding(
            "ctrl+c",
            "app.interrupt",
            "Copy the selection; else clear the prompt; else stop; else, twice, quit",
        ),
        Binding("ctrl+y", "app.copy_code", "Copy the newest code, exactly as written"),
        Binding("pageup", "app.scroll(-1)", "Scroll back"),
        Binding("pagedown", "app.scroll(1)", "Scroll on"),
    ]

    _ACTIONS: ClassVar[dict[str, str]] = {
        binding.key: binding.action
        for binding in Binding.make_bindings([*TextArea.BINDINGS, *BINDINGS])
    }

    DEFAULT_CSS = """
    Prompt { height: auto; max-height: 12; min-height: 3; border: round $primary 60%; }
    Prompt:focus { border: round $primary; }
    """

    def __init__(self) -> None:
        super().__init__(placeholder=PLACEHOLDER, highlight_cursor_line=False)
        self._sent: list[str] = []
        self._position = 0  # in _sent; its length is the draft
        self._draft = ""
        self.held = False
        """True while an answer is being written: a prompt then stays where it is."""

    async def on_key(self, event: events.Key) -> None:
        """Handle bound keys here and now, between the characters around them.

        Textual runs a binding only after the key has travelled to the app and back; characters
        typed behind it overtake it when the screen is busy, so that "a, newline, b" became "ab".
        """
        action = self._ACTIONS.get(event.key)
        if action is not None and await self.app.run_action(action, self):
            event.stop()
            event.prevent_default()

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
        """Send a prompt that is not blank, unless the last one is still being answered."""
        text = self.text
        if not text.strip():
            return
        if self.held:
            self.post_message(PromptHeld())
            return
        self.held = True
        self.clear_draft()
        self.post_message(PromptSubmitted(text))

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
        if self._position == len(self._sent) or self.text != self._sent[self._position]:
            self._draft = self.text  # a recalled prompt that was edited is a draft, too
        self._position = target
        self._set(self._draft if target == len(self._sent) else self._sent[target])

    def _set(self, text: str) -> None:
        self.text = text
        self.move_cursor(self.document.end)
