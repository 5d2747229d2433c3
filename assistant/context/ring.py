"""Chunks of files that were open or edited lately, as llama.vim keeps them.

A chunk is some lines around a place where something happened. One that is nearly the same as a new
one gives way to it, and what resembles the text at the cursor is not offered: a model would repeat
it.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from assistant.context.outline import words

CHUNKS = 16
LINES = 64
FEWEST_LINES = 3
SAME = 0.9
"""A kept chunk that resembles a new one more than this goes."""
ALIKE = 0.5
"""A chunk that resembles the cursor's text more than this is not offered."""
_MOST_CHARACTERS = 8_000
"""Of a chunk: a file on one line is data."""
_LINE_END = re.compile(r"\r\n|\r")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file."""

    path: Path
    text: str = field(repr=False)
    words: frozenset[str] = field(repr=False)


class Ring:
    """The latest chunks, the oldest first."""

    def __init__(self) -> None:
        self.chunks: deque[Chunk] = deque(maxlen=CHUNKS)

    def add(self, path: Path, text: str) -> bool:
        """Take a chunk up; False when it has too little in it or is there already."""
        text = _LINE_END.sub("\n", text).strip("\n")[:_MOST_CHARACTERS]
        if text.count("\n") + 1 < FEWEST_LINES or any(text == one.text for one in self.chunks):
            return False
        new = Chunk(path, text, words(text))
        kept = [one for one in self.chunks if resemblance(one.words, new.words) <= SAME]
        self.chunks = deque([*kept, new], CHUNKS)
        return True

    def beside(self, text: str) -> tuple[Chunk, ...]:
        """The chunks that do not resemble a text, the newest last."""
        mine = words(text)
        return tuple(one for one in self.chunks if resemblance(one.words, mine) <= ALIKE)


def resemblance(one: frozenset[str], other: frozenset[str]) -> float:
    """Dice's coefficient: 1 for the same words, 0 for none in common."""
    both = len(one) + len(other)
    return 2 * len(one & other) / both if both else 0.0


def lines_around(text: str, offset: int, most: int = LINES) -> str:
    """Up to so many lines around an offset."""
    lines = text.split("\n")
    first = max(0, min(text.count("\n", 0, offset) - most // 2, len(lines) - most))
    return "\n".join(lines[first : first + most])
