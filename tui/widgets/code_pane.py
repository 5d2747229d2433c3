"""The code of one answer under a header that says, in words, whether it was checked."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from assistant.events import Outcome, Verdict
from tui.highlight import Highlighter
from tui.text import displayable
from tui.turn import Phase, Turn
from tui.widgets.code_view import CodeView


class CodePane(Vertical):
    """Code that says "unchecked" until its verdict is there, and the verdict afterwards."""

    DEFAULT_CSS = """
    CodePane { height: auto; display: none; border-left: outer $warning; padding: 0 0 0 1; }
    CodePane.-some { display: block; }
    CodePane.-checked { border-left: outer $primary; }
    CodePane.-good { border-left: outer $success; }
    CodePane.-bad { border-left: outer $error; }
    CodePane .header { height: 1; text-style: bold; color: $text-warning; }
    CodePane.-checked .header { color: $text-primary; }
    CodePane.-good .header { color: $text-success; }
    CodePane.-bad .header { color: $text-error; }
    CodePane .detail { display: none; color: $text-muted; }
    CodePane .detail.-some { display: block; }
    """

    def __init__(self, language: str) -> None:
        super().__init__()
        self._header = Static("", markup=False, classes="header")
        self.view = CodeView()
        self._detail = Static("", markup=False, classes="detail")
        self._highlighter = Highlighter(language)
        self._header_text = ""
        self._detail_text = ""

    def compose(self) -> ComposeResult:
        """Header, code, detail of the verdict."""
        yield self._header
        yield self.view
        yield self._detail

    @property
    def header_text(self) -> str:
        """The header as shown."""
        return self._header_text

    @property
    def detail_text(self) -> str:
        """What the verdict says beyond its name."""
        return self._detail_text

    def show(self, turn: Turn) -> None:
        """Bring the pane up to the turn."""
        candidate = turn.shown
        self.set_class(bool(candidate.code), "-some")
        if not candidate.code:
            return
        settled = turn.phase is Phase.CHECKING or turn.phase.over
        lines = self._highlighter.update(candidate.code, final=settled)
        self.view.show(lines)
        verdict = candidate.verdict
        self.set_class(verdict is not None, "-checked")
        self.set_class(verdict is not None and verdict.outcome is Outcome.PASS, "-good")
        self.set_class(verdict is not None and verdict.outcome.failed, "-bad")
        header = f"{turn.language} \u00b7 {count_lines(len(lines))} \u00b7 {verdict_text(turn)}"
        if header != self._header_text:
            self._header_text = header
            self._header.update(header, layout=False)
        detail = displayable(verdict.detail).strip() if verdict is not None else ""
        if detail != self._detail_text:
            self._detail_text = detail
            self._detail.set_class(bool(detail), "-some")
            self._detail.update(detail)


def verdict_text(turn: Turn) -> str:
    """What is known about the code of a turn, in words: colour alone would say nothing."""
    verdict = turn.shown.verdict
    if verdict is None:
        state = {
            Phase.CHECKING: "being checked",
            Phase.STOPPED: "stopped, maybe incomplete",
            Phase.FAILED: "incomplete",
            Phase.DONE: "no verdict came",
        }
        return f"UNCHECKED ({state.get(turn.phase, 'still being written')})"
    return outcome_text(verdict)


def outcome_text(verdict: Verdict) -> str:
    """The outcome with a mark, and where the code ran if it ran."""
    mark = "\u2717 " if verdict.outcome.failed else ""
    if verdict.outcome is Outcome.PASS:
        mark = "\u2713 "
    layer = "" if verdict.layer in ("", "none") else f" [{verdict.layer}]"
    words = {Outcome.PARSED: "parsed (nothing more could be checked)"}
    return f"{mark}{words.get(verdict.outcome, verdict.outcome.value)}{layer}"


def count_lines(number: int) -> str:
    """ "1 line", "2 lines"."""
    return f"{number} line" if number == 1 else f"{number} lines"
