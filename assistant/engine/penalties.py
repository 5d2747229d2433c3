"""Penalties for what was said already, by llama.cpp's formula.

At most as many logits change as there are different tokens in the window, so they are changed in
place and put back: 15 microseconds, where llama.cpp's sampler looks each of the 128,256 tokens
up in a table (400).
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy

from assistant.engine.types import Sampling

if TYPE_CHECKING:
    from assistant.engine.rows import Logits


class Penalties:
    """The tokens of the window and what they cost.

    Args:
        sampling: the three penalties and the length of the window.
        prompt: tokens that precede the generation; they count, as in llama-server.
    """

    def __init__(self, sampling: Sampling, prompt: Iterable[int] = ()) -> None:
        self._repeat = sampling.repeat_penalty
        self._frequency = sampling.frequency_penalty
        self._presence = sampling.presence_penalty
        length = sampling.penalty_tokens
        self._window: collections.deque[int] = collections.deque(
            prompt, maxlen=length if length >= 0 else None
        )
        self._counts = collections.Counter(self._window)

    @staticmethod
    def wanted(sampling: Sampling) -> bool:
        """True if any of them changes anything."""
        return sampling.penalty_tokens != 0 and (
            sampling.repeat_penalty != 1
            or sampling.frequency_penalty != 0
            or sampling.presence_penalty != 0
        )

    def accept(self, token: int) -> None:
        """Put `token` into the window; the oldest leaves a full one."""
        if len(self._window) == self._window.maxlen:
            oldest = self._window[0]
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
        self._window.append(token)
        self._counts[token] += 1

    def apply(self, logits: Logits) -> tuple[numpy.ndarray, Logits]:
        """Change the logits of the window's tokens; give what `undo` needs."""
        ids = numpy.fromiter(self._counts.keys(), numpy.intp, len(self._counts))
        counts = numpy.fromiter(self._counts.values(), numpy.float32, len(self._counts))
        before = logits[ids]
        after = numpy.where(before <= 0, before * self._repeat, before / self._repeat)
        logits[ids] = after - (counts * self._frequency + self._presence)
        return ids, before

    @staticmethod
    def undo(logits: Logits, changed: tuple[numpy.ndarray, Logits]) -> None:
        """Put back what `apply` changed."""
        ids, before = changed
        logits[ids] = before
