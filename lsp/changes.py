"""The changes of one `didChange`: each is meant for the text that the one before it has left.

An editor that counts in UTF-16 may edit between the halves of a character, and may send half of
one at a time; its text is a row of 16-bit units, and ours has to come to the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from lsp.text import Encoding, Place, Text

FEW = 8
"""Replacements that are made one by one; each copies the text, more are made in one go."""
STRIDE = 4096
"""Characters that are compared at once."""


class Replacement(NamedTuple):
    """`[start, end)` of a text becomes `new`; offsets in characters."""

    start: int
    end: int
    new: str


@dataclass(frozen=True, slots=True)
class Edit:
    """A content change of the protocol with its encoding; no places mean the whole text."""

    new: str
    start: Place | None
    end: Place | None
    encoding: Encoding

    def within(self, text: Text) -> Replacement:
        """The edit in offsets of `text`; a whole text shrinks to the part that differs."""
        if self.start is None or self.end is None:
            return difference(text.value, whole(self.new, self.encoding))
        if self.encoding == "utf-16":
            return _in_units(text, self.start, self.end, self.new)
        offsets = text.offset(self.start, self.encoding), text.offset(self.end, self.encoding)
        return Replacement(min(offsets), max(offsets), self.new)


def whole(text: str, encoding: Encoding) -> str:
    """A text as an editor holds it that counts in `encoding`: halves that meet are one character.

    Only in UTF-16 do they meet: elsewhere each half is a character by itself.
    """
    if encoding != "utf-16":
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text


def _in_units(text: Text, first: Place, second: Place, new: str) -> Replacement:
    """A replacement between two places that may lie in the middle of a character."""
    value = text.value
    (start, cuts_first), (end, cuts_last) = sorted((_located(text, first), _located(text, second)))
    if cuts_first:
        new = _halves(value[start])[0] + new
    elif start and _is_high(value[start - 1]):
        start -= 1
        new = value[start] + new
    if cuts_last:
        new += _halves(value[end])[1]
        end += 1
    elif end < len(value) and _is_low(value[end]):
        new += value[end]
        end += 1
    return Replacement(start, end, whole(new, "utf-16"))


def _located(text: Text, place: Place) -> tuple[int, bool]:
    """The offset of a place, and whether the place is in the middle of the character there."""
    offset = text.offset(place, "utf-16")
    beyond_16_bits = text.value[offset : offset + 1] > "\uffff"
    begins = text.place(offset, "utf-16").character if beyond_16_bits else place.character
    return offset, place.character == begins + 1


def _halves(character: str) -> tuple[str, str]:
    data = character.encode("utf-16-le")
    high, low = (data[i : i + 2].decode("utf-16-le", "surrogatepass") for i in (0, 2))
    return high, low


def _is_high(character: str) -> bool:
    return "\ud800" <= character <= "\udbff"


def _is_low(character: str) -> bool:
    return "\udc00" <= character <= "\udfff"


def difference(old: str, new: str) -> Replacement:
    """The one replacement that turns `old` into `new`: what lies between their common ends."""
    shorter = min(len(old), len(new))
    head = 0
    while head < shorter and old[head : head + STRIDE] == new[head : head + STRIDE]:
        head = min(head + STRIDE, shorter)
    while head < shorter and old[head] == new[head]:
        head += 1
    tail, most = 0, shorter - head
    while tail + STRIDE <= most and _last(old, tail) == _last(new, tail):
        tail += STRIDE
    while tail < most and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return Replacement(head, len(old) - tail, new[head : len(new) - tail])


def _last(text: str, tail: int) -> str:
    """The piece of a text that ends `tail` characters before its end."""
    return text[len(text) - tail - STRIDE : len(text) - tail]


@dataclass
class _Run:
    """Replacements that follow one another towards the beginning, as editors send many of them.

    All of them have their offsets in `text`: none reaches the place where the one before begins.
    """

    text: Text
    found: list[Replacement] = field(default_factory=list)

    def take(self, edit: Edit) -> Replacement | None:
        """The edit in offsets, taken in; None when it needs the text as it is after the others."""
        if self.found and edit.start is None:
            return None
        one = edit.within(self.text)
        if self.found and one.end >= self.found[-1].start:
            return None
        self.found.append(one)
        return one

    def applied(self) -> Text:
        text = self.text
        if len(self.found) <= FEW:
            for one in self.found:
                text = text.replace(*one)
            return text
        pieces: list[str] = []
        rest = len(text.value)
        for one in self.found:
            pieces += (text.value[one.end : rest], one.new)
            rest = one.start
        return Text("".join((text.value[:rest], *reversed(pieces))))


def applied(text: Text, edits: Iterable[Edit]) -> tuple[Text, list[Replacement]]:
    """The text after all edits, and each of them in offsets of the text that it was applied to."""
    run, made = _Run(text), []
    for edit in edits:
        one = run.take(edit)
        if one is None:
            run = _Run(run.applied())
            one = run.take(edit)
            assert one is not None  # an empty run takes everything
        made.append(one)
    return run.applied(), made
