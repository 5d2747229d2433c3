"""Which tokens lie in the memory of which sequence; what is kept when a request has ended.

A finished sequence is parked: the next request with the same beginning takes what is common
instead of evaluating it again. Sequences that share a beginning share its cells, so a copy costs
no memory; when room is needed, parked ones go by least recent use.

The cells are counted here as llama.cpp counts them, one for each token that is not shared; it
has no function that tells how many are free.
"""

from __future__ import annotations

import array
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistant.engine.context import Rollback
from assistant.engine.stash import Stash, Stashed

_LEAST_WORTH = 16
"""Beginnings shorter than this are not worth a parked sequence of their own."""
_LIGHT = 16
"""Cells of its own that a parked sequence may have while others work. llama.cpp looks at cells in
steps of 256, so that a few more can cost as much as 256."""


class Memory(Protocol):
    """What is needed of `context.Context`."""

    cells: int
    sequences: int
    rollback: Rollback

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Copy a range of positions to another sequence, without copying its data."""

    def cut(self, sequence: int, length: int) -> bool:
        """Forget a tail; False where that can not be."""

    def state_size(self, sequence: int) -> int:
        """Bytes of a sequence outside of the context."""

    def save(self, sequence: int) -> Any:
        """A copy of a sequence outside of the context."""

    def restore(self, sequence: int, data: Any) -> bool:
        """Take such a copy back; False when there is no room for it."""


@dataclass(eq=False, slots=True)
class Kept:
    """A sequence: the tokens that the memory holds for it, in order."""

    id: int
    tokens: array.array[int] = field(default_factory=lambda: array.array("i"))
    cells: array.array[int] = field(default_factory=lambda: array.array("i"))
    """The number of the cell of each token; the same number in two sequences is one cell."""
    used: int = 0
    """When it was parked, as a count."""

    def __len__(self) -> int:
        return len(self.tokens)


class Cache:
    """The sequences of one context.

    Args:
        memory: where the tokens lie.
        stash_bytes: what may be kept outside of it.
    """

    def __init__(self, memory: Memory, stash_bytes: int = 0) -> None:
        self._memory = memory
        self.stash = Stash(stash_bytes)
        self._ids = list(range(memory.sequences - 1, -1, -1))
        self._free = array.array("i", range(memory.cells - 1, -1, -1))
        self._owners = array.array("i", bytes(4 * memory.cells))
        self._parked: list[Kept] = []
        self._clock = itertools.count(1)

    @property
    def free(self) -> int:
        """Cells that no sequence uses."""
        return len(self._free)

    @property
    def used(self) -> int:
        """Cells that some sequence uses."""
        return self._memory.cells - len(self._free)

    @property
    def parked(self) -> int:
        """Sequences of finished requests."""
        return len(self._parked)

    def longest(self, prompt: array.array[int], limit: int) -> tuple[Kept | None, int]:
        """The parked sequence with the longest common beginning, and its length.

        Args:
            prompt: the tokens that are wanted.
            limit: take no more than this.
        """
        best, length = None, 0
        for kept in self._parked:
            common = min(common_prefix(kept.tokens, prompt), limit)
            if common > length and (common == len(kept) or self._divisible):
                best, length = kept, common
        return best, length

    @property
    def _divisible(self) -> bool:
        return self._memory.rollback is Rollback.EXACT

    def open(self, prompt: array.array[int]) -> Kept | None:
        """A sequence that begins with what is known of `prompt`, all but its last token.

        Returns:
            None when every sequence is in use by a running request.
        """
        source, length = self.longest(prompt, len(prompt) - 1)
        if not self._ids and not self._drop_least_recent(besides=source):
            if source is None or not self._evict(source):
                return None
            source, length = None, 0
        made = Kept(self._ids.pop())
        if source is not None and length:
            source.used = next(self._clock)
            self.copy(source, made, length)
        return made

    def unstash(self, prompt: array.array[int], known: int) -> None:
        """Park a sequence again that was stashed, if it has more of `prompt` than `known`."""
        best, length = None, known + _LEAST_WORTH
        for entry in self.stash.entries:
            if (common := common_prefix(entry.tokens, prompt)) > length:
                best, length = entry, common
        if best is None:
            return
        # Out of it first: what makes room for it goes where it was, and may drop what is oldest.
        self.stash.drop(best)
        if not self._restore(best) and self.stash.make_room(len(best.data)):
            self.stash.put(best)

    def _restore(self, entry: Stashed) -> bool:
        """Park what was stashed; False when there is no room for it."""
        if not self.make_room(len(entry)) or not (self._ids or self._drop_least_recent()):
            return False
        kept = Kept(self._ids.pop(), used=next(self._clock))
        if not self._memory.restore(kept.id, entry.data):
            self._memory.cut(kept.id, 0)
            self._ids.append(kept.id)
            return False
        self.append(kept, entry.tokens)
        self._parked.append(kept)
        return True

    def lighten(self) -> None:
        """Move out of the context what no running request shares: every call would look at it."""
        if not self._divisible:
            return
        for kept in list(self._parked):
            if sum(self._owners[cell] == 1 for cell in kept.cells) >= _LIGHT:
                self._move_out(kept)

    def copy(self, source: Kept, target: Kept, end: int) -> None:
        """Let `target` have the tokens of `source` up to `end`, behind those it has.

        The tokens that it has are the beginning of the source's.
        """
        start = len(target)
        self._memory.share(source.id, target.id, start, end)
        cells = source.cells[start:end]
        owners = self._owners
        for cell in cells:
            owners[cell] += 1
        target.tokens += source.tokens[start:end]
        target.cells += cells

    def can_copy(self, source: Kept, target: Kept, end: int) -> bool:
        """Whether `copy` is possible: a state that is not divisible goes as a whole or not."""
        return self._divisible or (len(target) == 0 and end == len(source))

    def append(self, kept: Kept, tokens: Sequence[int]) -> None:
        """`tokens` have been evaluated behind what the sequence had."""
        kept.tokens.extend(tokens)
        free, owners, cells = self._free, self._owners, kept.cells
        for _ in tokens:
            cell = free.pop()
            owners[cell] = 1
            cells.append(cell)

    def truncate(self, kept: Kept, length: int) -> bool:
        """Forget all from position `length` on; False (and all is forgotten) where that fails."""
        if length >= len(kept):
            return True
        done = self._memory.cut(kept.id, length)
        if not done:
            self._memory.cut(kept.id, 0)
            length = 0
        self._release(kept.cells[length:])
        del kept.tokens[length:], kept.cells[length:]
        return done

    def close(self, kept: Kept) -> None:
        """Forget a sequence; also rows of it that a call has left and nobody has counted."""
        if not len(kept):
            self._memory.cut(kept.id, 0)
        self.truncate(kept, 0)
        self._ids.append(kept.id)

    def park(self, kept: Kept) -> None:
        """Keep the sequence of a request that has ended; others that add nothing to it go."""
        if len(kept) < _LEAST_WORTH:
            self.close(kept)
            return
        for other in list(self._parked):
            common = common_prefix(other.tokens, kept.tokens)
            if self._divisible and len(other) - common < _LEAST_WORTH:
                self._evict(other)
        kept.used = next(self._clock)
        self._parked.append(kept)

    def snapshot(self, kept: Kept) -> None:
        """Park a copy of a running sequence as it is now, where its state is not divisible."""
        if self._divisible or not len(kept):
            return
        if self._ids or self._drop_least_recent():
            copy = Kept(self._ids.pop(), used=next(self._clock))
            self.copy(kept, copy, len(kept))
            self._parked.append(copy)

    def make_room(self, cells: int) -> bool:
        """Forget parked sequences until `cells` are free; False when that is not enough."""
        while len(self._free) < cells and self._drop_least_recent():
            pass
        return len(self._free) >= cells

    def forget_parked(self) -> None:
        """Forget all sequences of finished requests."""
        self.stash.clear()
        for kept in list(self._parked):
            self._evict(kept)

    def _drop_least_recent(self, besides: Kept | None = None) -> bool:
        among: Iterator[Kept] = (kept for kept in self._parked if kept is not besides)
        oldest = min(among, key=lambda kept: kept.used, default=None)
        return oldest is not None and self._move_out(oldest)

    def _move_out(self, kept: Kept) -> bool:
        """Take a parked sequence out of the context; it is kept outside if that is possible."""
        if self._divisible and self.stash.make_room(self._memory.state_size(kept.id)):
            try:
                data = self._memory.save(kept.id)
            except MemoryError:  # then it is not kept
                data = b""
            if len(data):
                self.stash.put(Stashed(kept.tokens[:], data, kept.used))
        return self._evict(kept)

    def _evict(self, kept: Kept) -> bool:
        self._parked.remove(kept)
        self.close(kept)
        return True

    def _release(self, cells: Iterable[int]) -> None:
        owners, free = self._owners, self._free
        for cell in cells:
            owners[cell] -= 1
            if not owners[cell]:
                free.append(cell)


def common_prefix(one: array.array[int], other: array.array[int]) -> int:
    """How many items two arrays have in common at their beginning."""
    high = min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    a, b = memoryview(one).cast("B"), memoryview(other).cast("B")
    low = 0  # the first `low` are equal, the first `high` are not
    size = one.itemsize
    while high - low > 1:
        middle = (low + high) // 2
        if a[low * size : middle * size] == b[low * size : middle * size]:
            low = middle
        else:
            high = middle
    return low
