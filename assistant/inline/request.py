"""What a model is asked for a place, and when it is not asked at all.

The text in front of the cursor is parted in two: a prefix that ends at an anchor, and what was
typed since. The anchor stays where it is for some hundred characters, so that what a cache holds
of the prefix and of the suffix behind it stays good from one letter to the next.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.client.types import FileText
from assistant.engine.window import mark, stable_start
from assistant.inline.lines import opens_block
from assistant.inline.place import LINE_END, Place
from assistant.inline.suggestion import Nothing

PREFIX_CHARACTERS = 24_000
SUFFIX_CHARACTERS = 8_000
"""What is sent; the engine takes of it what fits."""
ANCHOR_CHARACTERS = 512
"""From one place where the anchor may be to the next."""
MAX_TOKENS = 128
"""The same for every shape: another number would be another window into the file."""
LINE_MS = 1000
"""No line is begun later than this after the first token."""


class Shape(enum.Enum):
    """How much is asked for."""

    LINE = "line"
    """The rest of the line: there is text behind the cursor."""
    STATEMENT = "statement"
    """The rest of the line, and what it leaves open: brackets, or the block that it begins."""
    BLOCK = "block"
    """Lines as long as they are indented more than the line that begins the block."""
    GAP = "gap"
    """All up to what stands below, or to the end of the function around it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a model is asked. Every line ends in `\\n` here."""

    prefix: str = field(repr=False)
    typed: str
    suffix: str = field(repr=False)
    shape: Shape
    dropped: str = ""
    """White space in front of the cursor that the model writes itself: it may want less."""
    extra: tuple[FileText, ...] = ()

    @property
    def stop(self) -> tuple[str, ...]:
        """Texts at which the server can end."""
        return ("\n",) if self.shape is Shape.LINE else ()


def request_for(
    place: Place, *, block: bool = False, extra: Sequence[FileText] = ()
) -> Request | Nothing:
    """What to ask for a place.

    Args:
        place: the cursor.
        block: all that is missing here, because somebody asked for it by a key.
        extra: of other files, the most important last.
    """
    if _in_word(place.before[-1:]) and _in_word(place.after[:1]):
        return Nothing("the cursor is inside of a word")
    dropped = place.before if place.blank else ""
    end = place.line_start if place.blank else place.offset
    anchor = _anchor(place.text, place.line_start)
    start = stable_start(place.text[:anchor], PREFIX_CHARACTERS)
    rest = place.line_end if place.blank else place.offset
    return Request(
        prefix=_plain(place.text[start:anchor]),
        typed=_plain(place.text[anchor:end]),
        suffix=_plain(place.text[rest : rest + SUFFIX_CHARACTERS]),
        shape=_shape(place, block),
        dropped=dropped,
        extra=tuple(extra),
    )


def _anchor(text: str, line_start: int) -> int:
    """The last mark at the beginning of a line, in front of the cursor's line."""
    number = line_start // ANCHOR_CHARACTERS
    while number and mark(text[: line_start + 1], number, ANCHOR_CHARACTERS) > line_start:
        number -= 1
    return mark(text, number, ANCHOR_CHARACTERS)


def _shape(place: Place, block: bool) -> Shape:
    if place.after.strip():
        return Shape.LINE
    if block:
        return Shape.GAP
    line = place.line_above() if place.blank else place.before
    return Shape.BLOCK if opens_block(line, place.language) else Shape.STATEMENT


def _plain(text: str) -> str:
    """Models know `\\n`; a lone `\\r` is a line end as well."""
    return LINE_END.sub("\n", text) if "\r" in text else text


def _in_word(one: str) -> bool:
    return one.isalnum() or one == "_"
