"""Finished sequences outside of the context, in ordinary memory.

Every call looks at all cells that are in use, also at those of sequences that have no row in it:
beside 512 tokens that are kept the embedded model reads 512 others in 121 ms instead of 76
(docs/log.md). So what a new request does not share is copied out, and copied back when it is asked
for; both at the speed of memory.
"""

from __future__ import annotations

import array
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False, slots=True)
class Stashed:
    """A sequence and its keys and values."""

    tokens: array.array[int]
    data: Any
    """Bytes as llama.cpp writes them."""
    used: int
    """When it was used last, as a count."""

    def __len__(self) -> int:
        return len(self.tokens)


class Stash:
    """Sequences by least recent use, within a budget.

    Args:
        budget: bytes that all of them may take; 0: nothing is kept.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._taken = 0
        self.entries: list[Stashed] = []

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def bytes(self) -> int:
        """What is taken."""
        return self._taken

    def make_room(self, size: int) -> bool:
        """Drop what was used least recently until `size` bytes fit; False when they never do."""
        if size > self._budget:
            return False
        while self._taken + size > self._budget:
            self.drop(min(self.entries, key=lambda entry: entry.used))
        return True

    def put(self, entry: Stashed) -> None:
        """Keep a sequence for which room was made."""
        self.entries.append(entry)
        self._taken += len(entry.data)

    def drop(self, entry: Stashed) -> None:
        """Forget one."""
        self.entries.remove(entry)
        self._taken -= len(entry.data)

    def clear(self) -> None:
        """Forget all."""
        self.entries.clear()
        self._taken = 0
