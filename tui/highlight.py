"""Source text to coloured lines, without redoing finished work for every token.

Pygments starts at the top each time, about 35 ms for 200 lines, so a growing block is coloured
at intervals of ten times what the last colouring took: a tenth of one core at most, whatever the
length. Lines that came since are plain until then.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from pygments.token import Token  # type: ignore[import-untyped]  # no stubs are installed
from textual.content import Content
from textual.highlight import HighlightTheme, TokenType, highlight

from tui.text import displayable

TAB_WIDTH = 4
MAX_CHARACTERS = 50_000
"""Longer code stays plain: colouring 1500 lines holds up the keyboard for 0.2 s."""

COST_FACTOR = 10


class CodeTheme(HighlightTheme):
    """Textual's colours, less those that flicker while code is incomplete."""

    STYLES: dict[TokenType, str] = {
        **HighlightTheme.STYLES,
        Token.Error: "",  # an open string is an error on every flush until it is closed
        Token.Name.Function: "$text-warning",
        Token.Name.Function.Magic: "$text-warning",
    }


def code_lines(source: str) -> list[str]:
    """The lines of `source` as they are shown: safe, tabs as spaces, no last empty line."""
    text = displayable(source).expandtabs(TAB_WIDTH)
    lines = text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return lines


def coloured(lines: list[str], language: str) -> list[Content]:
    """The lines with the colours of their language; plain where it is unknown or too long."""
    text = "\n".join(lines)
    if len(text) > MAX_CHARACTERS:
        return [Content(line) for line in lines]
    content = highlight(text, language=language or "text", theme=CodeTheme)
    result = content.split("\n", allow_blank=True)
    # Pygments may drop or add blank lines at the ends; the text to show is ours.
    if [line.plain for line in result] != lines:
        return [Content(line) for line in lines]
    return result


class Highlighter:
    """Colours a growing block of code, spending a bounded share of time on it."""

    def __init__(self, language: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.language = language
        self.runs = 0
        """How often Pygments ran; the tests hold it to its budget."""
        self._clock = clock
        self._next = 0.0
        self._source: str | None = None
        self._lines: list[str] = []
        self._coloured: list[Content] = []
        self._complete = True  # no line was left plain for want of time

    def update(self, source: str, *, final: bool = False) -> list[Content]:
        """The lines of `source`, coloured where the budget allows it and always when `final`.

        Args:
            source: the whole code so far; an extension of the last one, or another text.
            final: the code will not change again, so nothing may stay plain.

        Returns:
            One content for each line; unchanged lines are the same objects as before.
        """
        lines = self._lines if source == self._source else code_lines(source)
        self._source = source
        if lines != self._lines:
            self._complete = False
            kept = _common_prefix(lines, self._lines)
            self._coloured[kept:] = [Content(line) for line in lines[kept:]]
            self._lines = lines
        if not self._complete and (final or self._clock() >= self._next):
            self._colour(lines)
        return list(self._coloured)

    def _colour(self, lines: list[str]) -> None:
        began = self._clock()
        fresh = coloured(lines, self.language)
        self.runs += 1
        self._complete = True
        # Keep the old object of an equal line: the widget then keeps what it drew of it.
        for index, (old, new) in enumerate(zip(self._coloured, fresh, strict=False)):
            if old.is_same(new):
                fresh[index] = old
        self._coloured = fresh
        now = self._clock()
        self._next = now + COST_FACTOR * (now - began)


def _common_prefix(one: list[str], other: list[str]) -> int:
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return index
    return min(len(one), len(other))
