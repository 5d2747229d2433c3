"""Every key, from the bindings themselves, so that the list can not be wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

ABOUT = (
    "The model reasons first, then writes code, and the code is checked. Until its verdict is "
    "there it is marked UNCHECKED. Nothing that you type or that the model writes leaves this "
    "machine, unless you have configured an endpoint elsewhere."
)


class HelpScreen(ModalScreen[None]):
    """The keys of this application; Escape or F1 closes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,alt+escape,f1,q", "dismiss", "Close", priority=True),
    ]

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $primary; padding: 0 1; background: $surface;
    }
    """

    def __init__(self, bindings: Iterable[BindingType]) -> None:
        super().__init__()
        self._bindings_shown = [one for one in bindings if isinstance(one, Binding)]

    def compose(self) -> ComposeResult:
        """Two columns: keys, meaning."""
        with VerticalScroll():
            yield Static(help_content(self._bindings_shown))


def help_content(bindings: Iterable[Binding]) -> Content:
    """The text of the help screen."""
    rows = [(binding.key.replace(",", ", "), binding.description) for binding in bindings]
    width = min(34, max(len(keys) for keys, _ in rows))
    parts = [Content("Keys").stylize("bold"), Content("")]
    for keys, meaning in rows:
        parts.append(Content.assemble((keys.ljust(width), "bold $text-accent"), "  ", meaning))
    parts += [
        Content(""),
        Content("Hold shift while dragging if your terminal is to select text itself."),
        Content(ABOUT),
        Content.styled("esc closes this", "dim"),
    ]
    return Content("\n").join(parts)
