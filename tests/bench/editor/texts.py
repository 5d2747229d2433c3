"""Places where somebody could be typing: lines of the standard library, cut in the middle."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

MODULES = ("textwrap", "heapq", "shlex", "string", "calendar", "difflib", "fractions", "pprint")
MODULES += ("random", "statistics", "argparse", "inspect", "dis", "csv", "gettext", "tarfile")
LINES = 40
"""Lines of a piece; the embedded model reads about a thousand tokens."""
KEYS = 2
"""Letters of the line that are typed."""


@dataclass(frozen=True)
class Spot:
    """A text with a cursor, and what is typed there."""

    text: str
    offset: int
    keys: str


def spots(seed: int) -> Iterator[Spot]:
    """Always the same ones, no two of the same lines; as many as the modules have."""
    chance = random.Random(seed)
    pieces = [piece for name in MODULES for piece in _pieces(name)]
    chance.shuffle(pieces)
    for piece in pieces:
        starts = [n for n, line in enumerate(piece[:-3]) if n > 5 and _is_code(line)]
        if starts:
            yield _cut(piece, chance.choice(starts), chance)


def _pieces(name: str) -> list[list[str]]:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    lines = Path(spec.origin).read_text(encoding="utf-8").splitlines(keepends=True)
    found = [lines[first : first + LINES] for first in range(0, len(lines) - LINES, LINES)]
    return [piece for piece in found if "".join(piece).isascii()]


def _is_code(line: str) -> bool:
    content = line.strip()
    return len(content) > 16 and not content.startswith(("#", '"', "'", "@"))


def _cut(lines: list[str], number: int, chance: random.Random) -> Spot:
    """The line ends at the cursor; what follows of it is typed."""
    line = lines[number].rstrip("\n")
    first = len(line) - len(line.lstrip())
    column = chance.randrange(first + 3, len(line) - KEYS - 4)
    before = "".join(lines[:number]) + line[:column]
    return Spot(before + "\n" + "".join(lines[number + 1 :]), len(before), line[column:][:KEYS])
