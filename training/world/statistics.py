"""What the world is made of, counted: `python -m training.world.statistics 20000 1`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

from assistant.format.completion import render
from training.teachers.program import ProgramTeacher
from training.world.generator import basic_structures, generate
from training.world.problem import Problem

CHARACTERS_PER_TOKEN = 3.5
"""A rough estimate; the tokenizer that is trained on these texts decides."""


def statistics(problems: Iterable[Problem]) -> dict[str, Any]:
    """Counts by split, family, register and form; structures; lengths in estimated tokens."""
    rows = list(problems)
    teacher = ProgramTeacher()
    lengths: dict[str, list[float]] = {"request": [], "reasoning": [], "code": []}
    for problem in rows:
        whole = render(teacher.context(problem), problem.code)
        lengths["request"].append(len(problem.request))
        lengths["reasoning"].append(len(whole) - len(problem.code))
        lengths["code"].append(len(problem.code))
    structures = {split: {p.structure for p in rows if p.split == split} for split in _splits(rows)}
    return {
        "problems": len(rows),
        "splits": _counts(p.split for p in rows),
        "structures": {split: len(found) for split, found in structures.items()},
        "building blocks": len({key for p in rows for key in p.made.primitives}),
        "structures of blocks alone": len(basic_structures()),
        "families": _counts(p.made.family for p in rows),
        "registers": _counts(p.register for p in rows),
        "forms": _counts(p.form for p in rows),
        "function names": len({p.name for p in rows}),
        "tokens, estimated": {part: _spread(values) for part, values in lengths.items()},
    }


def _splits(rows: list[Problem]) -> list[str]:
    return sorted({p.split for p in rows})


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda pair: -pair[1]))


def _spread(characters: list[float]) -> dict[str, int]:
    ordered = sorted(characters)
    at = {"median": 0.5, "95 %": 0.95, "longest": 1.0}
    last = len(ordered) - 1
    return {
        name: round(ordered[int(share * last)] / CHARACTERS_PER_TOKEN) for name, share in at.items()
    }


def main(arguments: list[str]) -> None:
    """Print the statistics of `COUNT SEED`."""
    count, seed = int(arguments[0]), int(arguments[1])
    sys.stdout.write(json.dumps(statistics(generate(count, seed)), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
