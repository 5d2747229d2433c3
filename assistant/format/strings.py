"""Whether a Python source, read line by line, stands inside a triple-quoted string.

Just enough of Python's lexer for the splitter: comments, one-line strings with escapes, and both
kinds of triple quotes. A fence inside a docstring must not end the code.
"""

from __future__ import annotations

import re

# What can change the state outside of a triple-quoted string, longest first.
_TOKEN = re.compile(
    r"""(?P<triple>\"\"\"|''')|(?P<comment>\#.*)"""
    r"""|(?P<single>"(?:[^"\\\n]|\\.)*(?:"|$)|'(?:[^'\\\n]|\\.)*(?:'|$))"""
)


class TripleQuotes:
    """Feed whole lines; `open` tells whether the next line starts inside a string."""

    def __init__(self, *, enabled: bool = True) -> None:
        self._enabled = enabled
        self._quote = ""

    @property
    def open(self) -> bool:
        """True inside a triple-quoted string."""
        return bool(self._quote)

    def feed(self, line: str) -> None:
        """Read one line, its end included."""
        position = 0
        while self._enabled and position < len(line):
            if self._quote:
                position = self._leave(line, position)
            else:
                match = _TOKEN.search(line, position)
                if match is None:
                    return
                self._quote = match["triple"] or ""
                position = match.end()

    def _leave(self, line: str, position: int) -> int:
        """The position after the string's end, or the line's end when it goes on."""
        while position < len(line):
            if line[position] == "\\":
                position += 2
            elif line.startswith(self._quote, position):
                end = position + len(self._quote)
                self._quote = ""
                return end
            else:
                position += 1
        return position
