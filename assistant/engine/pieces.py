"""The vocabulary as a table sorted by bytes: which tokens begin with, which can spell a text.

Building it takes 0.2 s for 128,256 tokens, once for each model.
"""

from __future__ import annotations

import bisect
import functools
import threading
import weakref
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from assistant.engine.rows import Ids
    from assistant.engine.vocabulary import Vocabulary


class ByteTable:
    """The tokens that stand for text, sorted by their bytes, and those that end an answer.

    Args:
        vocabulary: of a loaded model.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        every = [vocabulary.piece(token) for token in range(vocabulary.size)]
        ends = [token for token in range(vocabulary.size) if vocabulary.is_end(token)]
        self.ending = frozenset(ends)
        """The tokens that end an answer, ..."""
        self.ends: Ids = numpy.array(ends, numpy.intp)
        """... and the same as an array."""
        self.of_token = every
        """The bytes of each token; empty for control tokens."""
        texts = [token for token, piece in enumerate(every) if piece and token not in self.ending]
        texts.sort(key=every.__getitem__)
        self.pieces = [every[token] for token in texts]
        """Sorted; several tokens may have the same bytes."""
        self.ids: Ids = numpy.array(texts, numpy.intp)
        """The token of each of `pieces`."""

    def range_of(self, beginning: bytes) -> tuple[int, int]:
        """First and last (exclusive) index in `pieces` of those that begin with `beginning`."""
        first = bisect.bisect_left(self.pieces, beginning)
        return first, self.end_of(beginning, first)

    def end_of(self, beginning: bytes, first: int = 0) -> int:
        """Index in `pieces`, from `first` on, behind those that begin with `beginning`."""
        after = _after(beginning)
        if after is None:
            return len(self.pieces)
        return bisect.bisect_left(self.pieces, after, first)

    def equal(self, piece: bytes) -> Ids:
        """The tokens with exactly these bytes."""
        first = bisect.bisect_left(self.pieces, piece)
        last = bisect.bisect_right(self.pieces, piece, first)
        return self.ids[first:last]

    def spelling(self, text: bytes) -> Ids:
        """The tokens that can come first where `text` has to come next.

        They begin with `text`, or are a beginning of it whose rest can be spelled as well.
        """
        first, last = self.range_of(text)
        parts = [self.ids[first:last]]
        for length in range(1, len(text)):
            found = self.equal(text[:length])
            if len(found) and self.can_spell(text[length:]):
                parts.append(found)
        return numpy.concatenate(parts)

    def can_spell(self, text: bytes) -> bool:
        """Is there a row of tokens whose bytes begin with `text`?"""
        if all(byte in self.single for byte in text):
            return True
        reached = {0}
        for start in range(len(text)):
            if start not in reached:
                continue
            first, last = self.range_of(text[start:])
            if last > first:
                return True
            reached |= {
                end for end in range(start + 1, len(text)) if len(self.equal(text[start:end]))
            }
        return not text

    @functools.cached_property
    def single(self) -> frozenset[int]:
        """The bytes that are a token each: all 256 in a byte-level vocabulary."""
        return frozenset(piece[0] for piece in self.pieces if len(piece) == 1)

    @functools.cached_property
    def starts(self) -> tuple[int, ...]:
        """Index in `pieces` of the first that begins with byte 0, 1, ... 255, and the end."""
        return (*(self.range_of(bytes([byte]))[0] for byte in range(256)), len(self.pieces))


_building = threading.Lock()
_tables: weakref.WeakKeyDictionary[Vocabulary, ByteTable] = weakref.WeakKeyDictionary()


def table_of(vocabulary: Vocabulary) -> ByteTable:
    """The table of a loaded model, built at its first use; from any thread."""
    with _building:
        table = _tables.get(vocabulary)
        if table is None:
            table = _tables[vocabulary] = ByteTable(vocabulary)
        return table


def _after(beginning: bytes) -> bytes | None:
    """The smallest bytes behind all that begin with `beginning`; None: there are none."""
    kept = beginning.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None
