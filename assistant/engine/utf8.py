"""Ranges of characters as sequences of ranges of bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Ranges = tuple[tuple[int, int], ...]
"""First and last character of each range."""

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)
ANY: Ranges = ((1, _LAST),)
"""All but NUL, which no text has."""
_LENGTHS = (0x7F, 0x7FF, 0xFFFF, _LAST)
"""The last character that is written in 1, 2, 3, 4 bytes."""
_TAIL_BITS = 6


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """All characters but these (and NUL)."""
    found, following = [], 1
    for low, high in sorted(ranges):
        if low > following:
            found.append((following, low - 1))
        following = max(following, high + 1)
    if following <= _LAST:
        found.append((following, _LAST))
    return tuple(found)


def byte_sequences(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], ...]]:
    """The ways to write the characters: in each the bytes, each a range of its own."""
    for low, high in ranges:
        for first, last in _without_surrogates(low, min(high, _LAST)):
            start = first
            for longest in _LENGTHS:
                if start <= min(last, longest):
                    yield from _split(start, min(last, longest))
                    start = longest + 1


def _without_surrogates(low: int, high: int) -> Iterator[tuple[int, int]]:
    first, last = _SURROGATES
    if low < first:
        yield low, min(high, first - 1)
    if high > last:
        yield max(low, last + 1), high


def _split(low: int, high: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """`low` and `high` have equally many bytes; every product of byte ranges is one result."""
    length = len(chr(low).encode())
    for tail in range(1, length):
        block = 1 << (_TAIL_BITS * tail)
        if low // block == high // block:
            break
        if low % block:
            border = low - low % block + block
            yield from _split(low, border - 1)
            yield from _split(border, high)
            return
        if high % block != block - 1:
            border = high - high % block
            yield from _split(low, border - 1)
            yield from _split(border, high)
            return
    yield tuple(zip(chr(low).encode(), chr(high).encode(), strict=True))
