"""The keys that matter now, in one line at the bottom."""

from __future__ import annotations

from textual.widgets import Static

IDLE = "enter send  ctrl+j newline  ctrl+t thinking  ctrl+y copy  f1 help  ctrl+q quit"
BUSY = "esc esc stop  ctrl+t thinking  ctrl+y copy  f1 help  ctrl+q quit"
ARMED_STOP = "esc again to stop"
ARMED_QUIT = "ctrl+c again to quit"


class Hints(Static):
    """Says how to send, stop, copy and leave."""

    DEFAULT_CSS = """
    Hints { height: 1; padding: 0 1; text-wrap: nowrap; color: $text-muted; }
    Hints.-urgent { color: $text-warning; text-style: bold reverse; }
    """

    def __init__(self) -> None:
        super().__init__(IDLE, markup=False)

    @property
    def text(self) -> str:
        """The line as shown."""
        return str(self.content)

    def show(self, text: str) -> None:
        """Draw the line if it has changed."""
        if text != self.text:
            self.set_class(text not in (IDLE, BUSY), "-urgent")
            self.update(text, layout=False)
