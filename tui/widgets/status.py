"""One line about the engine and the answer, in columns that do not move."""

from __future__ import annotations

from textual.widgets import Static

from tui.text import displayable, shorten
from tui.turn import Phase, Turn

MODEL_WIDTH = 16
PHASE_WIDTH = 22  # "evaluating prompt 100%"


class StatusLine(Static):
    """Model, phase, tokens per second, time to the first token, tokens."""

    DEFAULT_CSS = """
    StatusLine { height: 1; padding: 0 1; text-wrap: nowrap; color: $text-muted;
                 background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._text = ""

    @property
    def text(self) -> str:
        """The line as shown."""
        return self._text

    def show(self, model: str, phase: Phase, turn: Turn | None) -> None:
        """Draw the line if it has changed.

        Args:
            model: what the engine calls its model; empty while it is not known.
            phase: what goes on, also between turns.
            turn: the newest turn, if there is one.
        """
        text = status_text(model, phase, turn)
        if text != self._text:
            self._text = text
            self.update(text, layout=False)


def status_text(model: str, phase: Phase, turn: Turn | None) -> str:
    """The status line, 77 cells; a value that is not known yet is a dash, so that nothing moves."""
    percent = None if turn is None else turn.prompt_percent
    doing = phase.value
    if phase is Phase.EVALUATING and percent is not None:
        doing = f"{doing} {percent}%"
    rate = first = tokens = "-"
    if turn is not None:
        speed = turn.stats.tokens_per_second if turn.stats else turn.speed.rate
        rate = f"{speed:.1f}" if speed else "-"
        first = "-" if turn.first_token_s is None else f"{turn.first_token_s:.2f}"
        count = turn.stats.completion_tokens if turn.stats else turn.speed.tokens
        tokens = str(count) if count else "-"
    name = shorten(displayable(short_name(model)) or "no model yet", MODEL_WIDTH)
    return (
        f"{name:<{MODEL_WIDTH}} {doing:<{PHASE_WIDTH}} {rate:>6} tok/s  "
        f"first {first:>5} s {tokens:>5} tok"
    )


def short_name(model: str) -> str:
    """What tells a model from others: of a path, the file's name."""
    return model.replace("\\", "/").rpartition("/")[2].removesuffix(".gguf")
