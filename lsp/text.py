"""An immutable text with the line model of the protocol.

A line ends at `\\r\\n`, `\\n` or `\\r` and nowhere else: `str.splitlines` also splits at form
feeds, NEL and U+2028, and a server that uses it drifts away from its editor at the first of them.

A position counts characters in units of the negotiated encoding: bytes (utf-8), 16-bit units
(utf-16: an emoji is two) or code points (utf-32). Inside, everything is an offset in code points.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import pairwise
from typing import Literal, NamedTuple

from lsp.lines import LineStarts

Encoding = Literal["utf-8", "utf-16", "utf-32"]
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")

LINE_END = re.compile(r"\r\n?|\n")
_BEYOND_16_BITS = re.compile("[\U00010000-\U0010ffff]")


class Place(NamedTuple):
    """A line and a character in it, both from 0, the character in units of some encoding."""

    line: int
    character: int


class Text:
    """A text and where its lines begin. Never changes; `replace` gives a new one."""

    def __init__(self, value: str = "") -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.value == other.value

    def __hash__(self) -> int:
        return hash(self.value)

    def __repr__(self) -> str:
        return f"Text({len(self.value)} characters, {len(self.line_starts)} lines)"

    @cached_property
    def line_starts(self) -> LineStarts:
        """Offset of each line's first character; an empty text has one line."""
        return LineStarts.of(_line_lengths(self.value, 0, len(self.value)))

    @cached_property
    def line_end(self) -> str:
        """The line ending of this text: that of its first line, `\\n` for a single line."""
        match = LINE_END.search(self.value)
        return match.group() if match else "\n"

    def line_of(self, offset: int) -> int:
        """Number, from 0, of the line that holds `offset`."""
        return self.line_starts.line_of(offset)

    def line_span(self, line: int) -> tuple[int, int]:
        """Offsets of the first character of a line and of its line ending (or the text's end)."""
        start, end = self.line_starts[line], self._end_of(line)
        if line + 1 < len(self.line_starts):
            end -= 2 if self.value.endswith("\r\n", start, end) else 1
        return start, end

    def line(self, line: int) -> str:
        """The content of a line, without its ending."""
        start, end = self.line_span(line)
        return self.value[start:end]

    def lines(self) -> list[str]:
        """The lines with their endings; together they are the text."""
        bounds = pairwise((*self.line_starts, len(self.value)))
        return [self.value[start:end] for start, end in bounds]

    def offset(self, place: Place, encoding: Encoding) -> int:
        """The offset of a position; one outside the text means the nearest inside it.

        A position between the halves of a character means the character's beginning.
        """
        if place.line < 0:
            return 0
        if place.line >= len(self.line_starts):
            return len(self.value)
        start, end = self.line_span(place.line)
        return start + _characters(self.value[start:end], place.character, encoding)

    def place(self, offset: int, encoding: Encoding) -> Place:
        """The position of an offset; between `\\r` and `\\n` it is that of the line's end."""
        line = self.line_of(offset)
        start, end = self.line_span(line)
        return Place(line, units(self.value[start : min(offset, end)], encoding))

    def replace(self, start: int, end: int, new: str) -> Text:
        """The text with `[start, end)` replaced."""
        # One copy: what is large here is large for the cache, too.
        text = Text("".join((self.value[:start], new, self.value[end:])))
        # From the line before, whose `\r` may get its `\n` now, to the end of the last one touched.
        first, last = self.line_of(max(0, start - 1)), self.line_of(end)
        stop = self._end_of(last) + len(new) - (end - start)
        lengths = _line_lengths(text.value, self.line_starts[first], stop)
        if last + 1 < len(self.line_starts):
            lengths.pop()  # nothing stands behind the ending of a line that is not the last
        text.line_starts = self.line_starts.spliced(first, last, lengths)
        return text

    def _end_of(self, line: int) -> int:
        """Where a line ends, its ending included."""
        is_last = line + 1 == len(self.line_starts)
        return len(self.value) if is_last else self.line_starts[line + 1]


def _line_lengths(value: str, start: int, stop: int) -> list[int]:
    """Lengths, with their endings, of the lines of `value[start:stop]`; the last has no ending."""
    part = value[start:stop]
    if part.count("\r") == part.count("\r\n"):
        lengths = [len(line) + 1 for line in part.split("\n")]
        lengths[-1] -= 1
        return lengths
    ends = (match.end() for match in LINE_END.finditer(part))
    return [end - begin for begin, end in pairwise((0, *ends, len(part)))]


def units(text: str, encoding: Encoding) -> int:
    """Length of `text` in the units of `encoding`; half surrogate pairs count as three bytes."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _characters(line: str, wanted: int, encoding: Encoding) -> int:
    """How many whole characters of `line` fit into `wanted` units."""
    wanted = max(0, wanted)
    if encoding == "utf-32" or line.isascii():
        return min(wanted, len(line))
    if encoding == "utf-8":
        data = line.encode("utf-8", "surrogatepass")
        while 0 < wanted < len(data) and data[wanted] & 0xC0 == 0x80:
            wanted -= 1  # back to where the character begins
        return len(data[:wanted].decode("utf-8", "surrogatepass"))
    line = line[:wanted]
    if units(line, encoding) <= wanted:
        return len(line)
    # Each character beyond 16 bits in front of the place takes one unit more than its index says.
    beyond = 0
    for match in _BEYOND_16_BITS.finditer(line):
        if match.start() + beyond + 2 > wanted:
            return min(match.start(), wanted - beyond)
        beyond += 1
    return wanted - beyond
