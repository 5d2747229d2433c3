"""Statements that are there twice: the same words, or nearly.

Near duplicates are found by MinHash (Broder 1997): the share of equal places in two signatures
estimates the Jaccard similarity of the two sets of five-word sequences. Signatures that agree in
one of 32 bands of 4 places are compared exactly, so that no two are called near that are not;
a pair at 0.8 is missed once in 20 million.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from training.data.text import hashed, words

SHINGLE = 5
BANDS, ROWS = 32, 4
_SEED = 20_251_017
Hashes = NDArray[np.uint64]


def shingles(text: str) -> Hashes:
    """The set of five-word sequences as sorted hashes, shape `(sequences,)`.

    A shorter text is one sequence.
    """
    found = words(text)
    count = max(1, len(found) - SHINGLE + 1)
    made = {hashed(" ".join(found[start : start + SHINGLE])) for start in range(count)}
    return np.array(sorted(made), dtype=np.uint64)


def similarity(one: Hashes, other: Hashes) -> float:
    """Jaccard similarity of two sets: what they share, over what either has."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014); products wrap around."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


_SALTS = _mixed(np.arange(_SEED, _SEED + BANDS * ROWS, dtype=np.uint64))


def signature(found: Hashes) -> Hashes:
    """The least hash of the set under each of 128 functions, shape `(BANDS * ROWS,)`."""
    least: Hashes = np.full(BANDS * ROWS, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(found), 1024):  # a long text is not (sequences, 128) at once
        part = found[start : start + 1024, None] ^ _SALTS[None, :]  # (part, BANDS * ROWS)
        least = np.minimum(least, _mixed(part).min(axis=0))
    return least


class NearDuplicates:
    """Remembers texts, and says which earlier one a new one repeats.

    Args:
        threshold: similarity from which on two texts are one.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._kept: list[Hashes] = []
        self._ids: list[str] = []
        self._bands: dict[bytes, list[int]] = defaultdict(list)

    def add(self, name: str, text: str) -> str | None:
        """The name of the first text that `text` repeats; None, and it is remembered."""
        found = shingles(text)
        bands = signature(found).reshape(BANDS, ROWS)
        keys = [bytes([band]) + row.tobytes() for band, row in enumerate(bands)]
        for index in sorted({one for key in keys for one in self._bands.get(key, ())}):
            if similarity(found, self._kept[index]) >= self._threshold:
                return self._ids[index]
        for key in keys:
            self._bands[key].append(len(self._kept))
        self._kept.append(found)
        self._ids.append(name)
        return None
