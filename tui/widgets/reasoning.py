"""The reasoning of one answer: a header that is always there, and a body that folds."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from assistant.events import Section
from tui.text import displayable
from tui.turn import Turn


class ReasoningPane(Vertical):
    """Shows the four sections as they stream; folded, it draws nothing but its header."""

    DEFAULT_CSS = """
    ReasoningPane { height: auto; display: none; }
    ReasoningPane.-some { display: block; }
    ReasoningPane .header { height: 1; color: $text-muted; text-style: bold; }
    ReasoningPane .body {
        padding: 0 1 0 2; margin: 0 0 1 0; border-left: vkey $foreground 20%;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._header = Static("", markup=False, classes="header")
        self._body = Static("", markup=False, classes="body")
        self._shown: tuple[tuple[Section, str], ...] = ()
        self._header_text = ""
        self._chosen: bool | None = None  # what the user's own key said last
        self._turn: Turn | None = None
        self.body_updates = 0
        """How often the body was drawn anew; stays still while folded."""

    def compose(self) -> ComposeResult:
        """Header and body."""
        yield self._header
        yield self._body

    @property
    def folded(self) -> bool:
        """True when only the header is shown."""
        return not self._body.display

    @property
    def header_text(self) -> str:
        """The header as shown."""
        return self._header_text

    @property
    def body_text(self) -> str:
        """The body as shown; what came while it was folded is not in it yet."""
        return str(self._body.content)

    def on_click(self, event: events.Click) -> None:
        """A click on the header does what the key does."""
        if event.screen_y == self._header.region.y:
            self.toggle()

    def toggle(self) -> None:
        """Fold or unfold at the user's wish, which the code's beginning then leaves alone."""
        if self._turn is not None:
            self._chosen = self.folded
            self.show(self._turn)

    def show(self, turn: Turn) -> None:
        """Bring header and body up to the turn."""
        self._turn = turn
        sections = tuple(turn.shown.sections)
        self.set_class(bool(sections) or turn.thinking, "-some")
        # An answer without code has nothing but its reasoning to show.
        wanted = not turn.shown.code if self._chosen is None else self._chosen
        if wanted is self.folded:
            self._body.display = wanted
        header = self._header_for(turn)
        if header != self._header_text:
            self._header_text = header
            self._header.update(header, layout=False)
        if wanted and sections != self._shown:
            self._shown = sections
            self.body_updates += 1
            self._body.update(reasoning_content(sections))

    def _header_for(self, turn: Turn) -> str:
        seconds = f"{turn.thinking_s:.0f} s"
        mark, verb = ("\u25b8", "show") if self.folded else ("\u25be", "hide")
        said = f"thinking {seconds}" if turn.thinking else f"thought for {seconds}"
        return f"{mark} {said}  (ctrl+t to {verb})"


def reasoning_content(sections: tuple[tuple[Section, str], ...]) -> Content:
    """The sections under their titles, dim, so that none of it looks like the answer.

    Args:
        sections: the section and its text, in the order of generation.
    """
    parts: list[Content] = []
    for section, text in sections:
        body = Content.styled(displayable(text).strip("\n"), "dim")
        if section is Section.OTHER:
            parts.append(body)
        else:
            parts.append(Content.assemble((section.value, "bold $text-secondary"), "\n", body))
    return Content("\n").join(parts)
