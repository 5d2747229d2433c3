"""The conversation: earlier turns, and the newest one that streams."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.widgets import Static

from tui.turn import Turn
from tui.widgets.past_turn import PastTurn
from tui.widgets.turn_view import TurnView

WELCOME = "Ask for code: the model thinks first, then writes, and what it wrote is checked."


class Transcript(VerticalScroll, can_focus=False):
    """Follows the end while text streams, stays put once the user has scrolled up.

    It never takes the focus: what is typed always goes to the prompt.
    """

    DEFAULT_CSS = """
    Transcript {
        height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; align-vertical: bottom;
    }
    Transcript .notice { color: $text-muted; margin: 0 0 1 0; }
    Transcript .notice.-failed { color: $text-error; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.current: TurnView | None = None
        self._notice = Static(WELCOME, markup=False, classes="notice")

    def on_mount(self) -> None:
        """Show what this is for, and follow the end from now on."""
        self.mount(self._notice)
        self.anchor()

    @property
    def notice_text(self) -> str:
        """What stands at the top of the conversation."""
        return str(self._notice.content)

    def notify_failure(self, text: str) -> None:
        """Put a trouble that belongs to no turn where it can be read as long as it matters."""
        self._notice.update(text or WELCOME)
        self._notice.set_class(bool(text), "-failed")

    async def begin(self, turn: Turn) -> TurnView:
        """Flatten the newest turn and open another below it."""
        with self.app.batch_update():
            await self.flatten()
            self.current = TurnView(turn)
            await self.mount(self.current)
        self.anchor()
        return self.current

    def newest_with_code(self) -> Turn | None:
        """The newest turn that has code, earlier ones included."""
        turns = [past.turn for past in self.query(PastTurn)]
        if self.current is not None:
            turns.append(self.current.turn)
        return next((turn for turn in reversed(turns) if turn.shown.code), None)

    async def flatten(self) -> None:
        """Turn the newest turn into a single widget."""
        if self.current is not None:
            await self.mount(PastTurn(self.current.turn), before=self.current)
            await self.drop()

    async def drop(self) -> None:
        """Take the newest turn off the screen."""
        if self.current is not None:
            view, self.current = self.current, None
            await view.remove()
