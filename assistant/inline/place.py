"""A cursor in a file.

A line ends at `\\r\\n`, `\\n` or `\\r` and nowhere else, as editors have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from assistant.errors import UsageProblem

LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Place:
    """A cursor in a file, and what is known of the file."""

    text: str = field(repr=False)
    offset: int
    """Of the cursor, in characters; one outside of the text means the nearest inside."""
    language: str = "python"
    """In lower case."""
    file_name: str = ""
    """Its path in its repository."""
    repository: str = ""

    def __post_init__(self) -> None:
        offset = max(0, min(self.offset, len(self.text)))
        # Nothing can be written between the two characters that end a line.
        inside = offset and self.text[offset - 1 : offset + 1] == "\r\n"
        object.__setattr__(self, "offset", offset - 1 if inside else offset)

    @cached_property
    def line_start(self) -> int:
        """The offset of the first character of the cursor's line."""
        ends = (self.text.rfind("\n", 0, self.offset), self.text.rfind("\r", 0, self.offset))
        return max(ends) + 1

    @cached_property
    def line_end(self) -> int:
        """The offset behind the last character of the cursor's line."""
        found = LINE_END.search(self.text, self.offset)
        return found.start() if found else len(self.text)

    @property
    def before(self) -> str:
        """The cursor's line up to the cursor."""
        return self.text[self.line_start : self.offset]

    @property
    def after(self) -> str:
        """The cursor's line from the cursor on."""
        return self.text[self.offset : self.line_end]

    @property
    def blank(self) -> bool:
        """Whether the line has nothing but white space."""
        return not self.before.strip() and not self.after.strip()

    @cached_property
    def ending(self) -> str:
        """The file's line ending: that of its first line, `\\n` for a single line."""
        found = LINE_END.search(self.text)
        return found.group() if found else "\n"

    def lines_above(self, most: int = 400) -> Iterator[str]:
        """The lines above that have something in them, the nearest first."""
        begin = max(0, self.line_start - 100 * most)
        lines = LINE_END.split(self.text[begin : self.line_start])[:-1]
        return (line for line in reversed(lines[-most:]) if line.strip())

    def line_above(self, most: int = 100) -> str:
        """The nearest line above that has something in it, or an empty text."""
        return next(self.lines_above(most), "")

    def lines_below(self, most: int = 20) -> list[str]:
        """Of the next lines those that have something in them."""
        lines = LINE_END.split(self.text[self.line_end : self.line_end + 200 * most])
        return [line for line in lines[1 : most + 1] if line.strip()]


def place_at(text: str, line: int, column: int) -> int:
    """The offset of a line and a column, both from 1, the column in characters.

    Raises:
        UsageProblem: the file has no such place.
    """
    start = 0
    for number in range(1, line):
        found = LINE_END.search(text, start)
        if found is None:
            raise UsageProblem(
                f"There is no line {line}: the file has {number}.",
                hint="Lines and columns count from 1.",
            )
        start = found.end()
    found = LINE_END.search(text, start)
    length = (found.start() if found else len(text)) - start
    if line < 1 or not 1 <= column <= length + 1:
        raise UsageProblem(
            f"There is no column {column} in line {line}: the last place in it is {length + 1}.",
            hint="Lines and columns count from 1, columns in characters.",
        )
    return start + column - 1
