"""Where the lines of a text begin, kept up to date edit by edit.

A list of all beginnings would have to be shifted as a whole for each letter that somebody types.
Here they stand in blocks, counted from the beginning of their block, and an edit makes only the
blocks anew that it lies in; the others are shared with the text before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

BLOCK = 256
"""Lines of a new block; one may grow to twice as many."""

Block = tuple[int, ...]
"""The beginnings of its lines from 0, and at last the length of all of them."""


class LineStarts:
    """The offset of each line's first character. Never changes; `spliced` gives another."""

    __slots__ = ("_blocks", "_first_lines", "_offsets")

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self._first_lines = list(accumulate((len(one) - 1 for one in blocks), initial=0))
        self._offsets = list(accumulate((one[-1] for one in blocks), initial=0))

    @classmethod
    def of(cls, lengths: Sequence[int]) -> LineStarts:
        """The beginnings of lines that are so long, their endings included; at least one line."""
        return cls(_blocks(lengths))

    def __len__(self) -> int:
        return self._first_lines[-1]

    def __iter__(self) -> Iterator[int]:
        for offset, block in zip(self._offsets, self._blocks, strict=False):
            yield from (offset + start for start in block[:-1])

    def __getitem__(self, line: int) -> int:
        if not 0 <= line < len(self):
            raise IndexError(line)
        number = bisect_right(self._first_lines, line) - 1
        return self._offsets[number] + self._blocks[number][line - self._first_lines[number]]

    def line_of(self, offset: int) -> int:
        """Number of the line that holds `offset`; behind the end that is the last one."""
        # An empty last line begins where the text ends, and is the one that counts there.
        number = bisect_right(self._offsets, offset, hi=len(self._blocks)) - 1
        block = self._blocks[number]
        inside = bisect_right(block, offset - self._offsets[number], hi=len(block) - 1) - 1
        return self._first_lines[number] + inside

    def spliced(self, first: int, last: int, lengths: Iterable[int]) -> LineStarts:
        """With lines of these lengths in the place of lines `first` to `last`, itself included."""
        head = bisect_right(self._first_lines, first) - 1
        tail = bisect_right(self._first_lines, last) - 1
        before = _lengths(self._blocks[head])[: first - self._first_lines[head]]
        after = _lengths(self._blocks[tail])[last + 1 - self._first_lines[tail] :]
        middle = _blocks([*before, *lengths, *after])
        return LineStarts([*self._blocks[:head], *middle, *self._blocks[tail + 1 :]])


def _lengths(block: Block) -> list[int]:
    return [end - start for start, end in pairwise(block)]


def _blocks(lengths: Sequence[int]) -> list[Block]:
    size = len(lengths) if len(lengths) <= 2 * BLOCK else BLOCK
    return [
        tuple(accumulate(lengths[first : first + size], initial=0))
        for first in range(0, len(lengths), size)
    ]
