"""Every key, from the bindings themselves, so that the list can not be wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

ABOUT = (
    "The model reasons first, then writes code, and the code is checked. Until its verdict is "
    "there it is marked UNCHECKED. Nothing that you type or that the model writes leaves this "
    "machine, unless you have configured an endpoint elsewhere."
)


MOUSE = 'A click on an earlier answer, or on "thought for", shows or hides the reasoning.'


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
    HelpScreen .title { text-style: bold; color: $text-primary; }
    """

    def __init__(self, bindings: Iterable[BindingType]) -> None:
        super().__init__()
        self._bindings_shown = [one for one in bindings if isinstance(one, Binding)]

    def compose(self) -> ComposeResult:
        """Keys and their meaning, then what the product does with what you type."""
        with VerticalScroll():
            yield Static("Keys", classes="title")
            yield Static(help_table(self._bindings_shown))
            yield Static(f"\n{MOUSE}\n\n{ABOUT}", markup=False)
            yield Static("\nescape closes this", classes="title")


def help_table(bindings: Iterable[Binding]) -> Table:
    """The rows of the help screen."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(min_width=12, max_width=26)
    table.add_column(ratio=1)
    for binding in bindings:
        table.add_row(Text(binding.key.replace(",", "  "), "bold"), Text(binding.description))
    return table
