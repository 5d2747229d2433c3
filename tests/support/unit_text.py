"""An editor's text as a row of encoded units: the judge of the language server's document model.

It shares nothing with `lsp`: no strings and no offsets in characters. A text is a list of bytes
(utf-8), of 16-bit units (utf-16) or of code points (utf-32), and an edit replaces a slice of it.
"""

from __future__ import annotations

import array
from dataclasses import dataclass, field

CR, LF = 13, 10
TYPES = {"utf-8": ("utf-8", "B"), "utf-16": ("utf-16-le", "H"), "utf-32": ("utf-32-le", "I")}


@dataclass
class UnitText:
    """A text that is edited in place."""

    encoding: str
    units: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, encoding: str) -> UnitText:
        """The text as an editor of this encoding holds it."""
        made = cls(encoding)
        made.units = made.encoded(text)
        return made

    def encoded(self, text: str) -> list[int]:
        """A text in units; halves of surrogate pairs are let through."""
        codec, kind = TYPES[self.encoding]
        return array.array(kind, text.encode(codec, "surrogatepass")).tolist()

    def text(self) -> str:
        """The text as a string of characters."""
        codec, kind = TYPES[self.encoding]
        return array.array(kind, self.units).tobytes().decode(codec, "surrogatepass")

    def lines(self) -> list[tuple[int, int]]:
        """Where each line begins and where its content ends, in units."""
        found, start, at = [], 0, 0
        while at < len(self.units):
            unit = self.units[at]
            after = at + 1
            if unit == CR and after < len(self.units) and self.units[after] == LF:
                after += 1
            if unit in (CR, LF):
                found.append((start, at))
                start = after
            at = after
        return [*found, (start, len(self.units))]

    def line_of(self, index: int) -> int:
        """The number of the line that holds a unit."""
        return sum(start <= index for start, _ in self.lines()) - 1

    def index(self, line: int, character: int) -> int:
        """The unit that a position stands in front of; outside of the text the nearest inside."""
        lines = self.lines()
        if line >= len(lines):
            return len(self.units)
        start, end = lines[line]
        index = min(start + character, end)
        while self.encoding == "utf-8" and start < index < end and self._continues(index):
            index -= 1
        return index

    def _continues(self, index: int) -> bool:
        return 0x80 <= self.units[index] < 0xC0

    def replace(self, start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        """Replace what is between two positions, whichever comes first."""
        first, last = sorted((self.index(*start), self.index(*end)))
        self.units[first:last] = self.encoded(new)

    def begins(self) -> list[tuple[int, int]]:
        """The positions of the beginnings of all characters, and of the ends of lines."""
        found = []
        for number, (start, end) in enumerate(self.lines()):
            for index in range(start, end):
                low_half = self.encoding == "utf-16" and self.units[index] & 0xFC00 == 0xDC00
                if not low_half and not (self.encoding == "utf-8" and self._continues(index)):
                    found.append((number, index - start))
            found.append((number, end - start))
        return found
