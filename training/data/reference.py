"""Which solution is learned: those that parse, in the order in which they are preferred."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from itertools import islice

from training.data.functions import NOT_PYTHON, parse


class Preference(Enum):
    """What makes one solution better than another that is as right."""

    SHORTEST = "shortest"
    FIRST = "first"


def candidates(
    solutions: Iterable[str], preference: Preference, count: int, most: int
) -> tuple[str, ...]:
    """Up to `count` different solutions that parse as Python 3 and are short enough.

    Args:
        solutions: as the data set has them.
        preference: the order of the result. Shortest: by characters after tidying; equally long
            ones in the order of their texts, so that the order of the data set does not matter.
        count: how many; of thousands of solutions only as many as needed are parsed.
        most: characters.
    """
    tidied = dict.fromkeys(tidy(one) for one in solutions)
    wanted: Iterable[str] = (one for one in tidied if one.strip() and len(one) <= most)
    if preference is Preference.SHORTEST:
        wanted = sorted(wanted, key=lambda one: (len(one), one))
    return tuple(islice(filter(parses, wanted), count))


def tidy(code: str) -> str:
    """`code` with `\n` at the ends of its lines, no blank lines around it, and one `\n` at its end.

    Spaces within are left: they may be in the middle of a text that is printed.
    """
    body = code.replace("\r\n", "\n").replace("\r", "\n").rstrip().lstrip("\n")
    return body + "\n" if body else ""


def parses(code: str) -> bool:
    """Whether it is Python 3."""
    try:
        parse(code)
    except NOT_PYTHON:
        return False
    return True
