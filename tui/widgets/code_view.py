"""Source code with line numbers, drawn line by line.

Only rows that are on the screen are drawn, and a line that has not changed is not drawn again:
with one `Static` for the whole block every flush would lay out all of it.
"""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from tui.text import fold

MIN_NUMBER_DIGITS = 3


class CodeView(Widget):
    """Lines of code behind their numbers; a long line is folded, never cut off."""

    COMPONENT_CLASSES = {"code-view--number"}

    DEFAULT_CSS = """
    CodeView {
        height: auto;
        pointer: text;
        .code-view--number { color: $foreground 40%; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[Content] = []
        self._rows: list[tuple[int, int, int]] = []  # (line, start, end) of each screen row
        self._folds: dict[int, tuple[Content, list[tuple[int, int]]]] = {}
        self._strips: dict[int, tuple[Content, int, Strip]] = {}  # row: line, its offset, drawing
        self._folded_for = (0, 0)
        self._drawn_for: tuple[object, ...] = ()

    @property
    def plain(self) -> str:
        """The text as shown, without the numbers."""
        return "\n".join(line.plain for line in self._lines)

    @property
    def lines(self) -> list[Content]:
        """The lines as given, without the numbers."""
        return self._lines

    def show(self, lines: list[Content]) -> None:
        """Replace the lines; equal objects at equal places are not drawn again."""
        if len(lines) == len(self._lines) and all(
            new is old for new, old in zip(lines, self._lines, strict=True)
        ):
            return
        rows = len(self._rows)
        self._lines = lines
        if self.size.width:
            self._fold(self.size.width)
        # A layout pass costs more than drawing, and is due only when the height changes.
        self.refresh(layout=len(self._rows) != rows or not rows)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Rows at this width, without rendering any."""
        self._fold(width)
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        """One row of the widget: a number (on the first row of its line) and a piece of code."""
        width = self.size.width
        style = self.visual_style
        if self._folded_for != (width, self._gutter):
            self._fold(width)
        if y >= len(self._rows):
            return Strip.blank(width, style.rich_style)
        drawn_for = (width, self._gutter, style, self.app.theme)
        if drawn_for != self._drawn_for:
            self._strips.clear()
            self._drawn_for = drawn_for
        line, start, end = self._rows[y]
        content = self._lines[line]
        selected = self.text_selection is not None
        cached = self._strips.get(y)
        if not selected and cached is not None and cached[0] is content and cached[1] == start:
            return cached[2]
        strip = self._draw(line, start, end, style).crop_extend(0, width, style.rich_style)
        if not selected:
            self._strips[y] = (content, start, strip)
        return strip

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The selected text, without the line numbers."""
        return selection.extract(self.plain), "\n"

    @property
    def _gutter(self) -> int:
        return max(MIN_NUMBER_DIGITS, len(str(len(self._lines)))) + 1

    def _fold(self, width: int) -> None:
        gutter = self._gutter
        if self._folded_for != (width, gutter):
            self._folds.clear()
            self._folded_for = (width, gutter)
        rows = []
        for index, content in enumerate(self._lines):
            known = self._folds.get(index)
            if known is None or known[0] is not content:
                known = (content, list(fold(content.plain, max(width - gutter, 2))))
                self._folds[index] = known
            rows += [(index, start, end) for start, end in known[1]]
        self._rows = rows

    def _draw(self, line: int, start: int, end: int, style: Style) -> Strip:
        content = self._lines[line]
        selection = self.text_selection
        if selection is not None and (span := selection.get_span(line)) is not None:
            first, last = span
            chosen = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            content = content.stylize(chosen, first, len(content.plain) if last == -1 else last)
        room = max(self.size.width - self._gutter, 2)
        code = Visual.to_strips(
            self, content[start:end], room, 1, style, apply_selection=False, pad=True
        )[0].apply_offsets(start, line)
        number = str(line + 1) if start == 0 else ""
        gutter = Content.styled(
            number.rjust(self._gutter - 1) + " ", self.get_visual_style("code-view--number")
        )
        numbers = Visual.to_strips(self, gutter, self._gutter, 1, style, apply_selection=False)[0]
        return Strip.join([numbers, code])
