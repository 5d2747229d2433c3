"""What a suggestion repeats: of the line behind the cursor, of the lines below, of itself."""

from __future__ import annotations

from collections.abc import Sequence

from assistant.inline.lines import balance, code_of

_CLOSERS = frozenset(")]}\"'`:;,")
_LOOP = 3
_NO_CHANCE = 3
"""So many characters that end a line, and that a model says once more."""


def without_rest(before: str, said: str, after: str, language: str) -> str:
    """`said` without its end where that is the beginning of what stands behind the cursor.

    Words that are there already are left out. A closing bracket is, too, unless the line needs
    it: in `f(|)` an answer of `g(x)` keeps its own.

    Args:
        before: the line up to the cursor.
        said: one line.
        after: the line from the cursor on.
        language: of the file.
    """
    rest = after.rstrip()
    for length in range(min(len(said), len(rest)), 0, -1):
        if not said.endswith(rest[:length]):
            continue
        if not _CLOSERS.issuperset(rest[:length]):
            if length == len(rest) and _at_word(said, rest):
                return said[: len(said) - length]
            continue
        if _too_many(code_of(before + said + after, language), before + said + after):
            return said[: len(said) - length]
    return said


def without_lines_below(said: list[str], below: Sequence[str]) -> list[str]:
    """`said` up to the place from which on it repeats the lines below the cursor.

    Args:
        said: whole lines, that of the cursor with what stands in front of it.
        below: the next lines of the file; blank lines do not count, here and there.
    """
    following = [line.rstrip() for line in below]
    for start in range(len(said)):
        rest = [line.rstrip() for line in said[start:] if line.strip()]
        if rest and said[start].strip() and rest == following[: len(rest)]:
            return said[:start]
    return said


def without_loop(said: list[str]) -> list[str]:
    """`said` up to where a model that goes round in a circle says a line for the third time."""
    for number in range(_LOOP - 1, len(said)):
        same = {line.strip() for line in said[number - _LOOP + 1 : number + 1]}
        if len(same) == 1 and any(one.isalnum() for one in same.pop()):
            return said[: number - _LOOP + 2]
    return said


def _at_word(said: str, rest: str) -> bool:
    """Whether `rest` begins a word in `said`: `x` at the end of `max` is none.

    The end of a word that is longer is no chance: somebody has deleted the beginning of it.
    """
    if len(rest) >= _NO_CHANCE:
        return True
    first = len(said) - len(rest)
    return not (first and rest[0].isalnum() and said[first - 1].isalnum())


def _too_many(code: str, line: str) -> bool:
    """Whether a line closes more than it opens, be it brackets or quotes."""
    odd = any(line.count(quote) % 2 for quote in "\"'`")
    doubled = any(code.rstrip().endswith(2 * mark) for mark in ":;,")
    return balance(code)[0] > 0 or odd or doubled
