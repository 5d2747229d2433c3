"""Reasoning that is made worse on purpose, in named ways: what of it does the student need?

Each way is a function of the program's reasoning, so that arms differ in nothing else. What a way
draws by chance follows from the problem's id: the same for every arm, seed and run.

    steps-shuffled  the steps in another order
    steps-halved    every second step is missing
    intent-only     the intent is left; the other sections say nothing
    third-wrong     of each three problems one has another problem's reasoning
    all-wrong       every problem has another's
    template        the same sentences for every problem
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem, UsageProblem
from assistant.format import Rationale
from training import files

Row = dict[str, Any]
"""A line of `contexts.jsonl`: `id`, `sample`, and the sections of the reasoning."""

_EMPTY: Row = {"steps": ["Write the code."], "formulas": [], "edge_cases": ["none"]}
_TEMPLATE: Row = {
    "intent": "Write the function that is asked for.",
    "steps": [
        "Look at what is given.",
        "Compute what is asked for, one part after the other.",
        "Return the result.",
    ],
    "formulas": [],
    "edge_cases": ["an empty input is handled like any other"],
}


def steps_shuffled(rows: list[Row]) -> list[Row]:
    """The steps in another order; a single step stays."""
    return [row | {"steps": _shuffled(row["steps"], row["id"])} for row in rows]


def _shuffled(steps: list[str], id: str) -> list[str]:
    if len(set(steps)) < 2:
        return steps
    rng, found = random.Random(f"steps:{id}"), list(steps)
    while found == steps:
        rng.shuffle(found)
    return found


def steps_halved(rows: list[Row]) -> list[Row]:
    """The first, third, fifth step and so on."""
    return [row | {"steps": row["steps"][::2]} for row in rows]


def intent_only(rows: list[Row]) -> list[Row]:
    """Sections that say nothing behind the intent: the format wants a line in each."""
    return [row | _EMPTY for row in rows]


def third_wrong(rows: list[Row]) -> list[Row]:
    """In each three problems, in the order of the file, one with the reasoning of another."""
    chosen = [number for number in range(len(rows)) if number % 3 == 0]
    return _exchanged(rows, chosen)


def all_wrong(rows: list[Row]) -> list[Row]:
    """Every problem with the reasoning of another one."""
    return _exchanged(rows, list(range(len(rows))))


def _exchanged(rows: list[Row], places: list[int]) -> list[Row]:
    """The reasoning of `places` goes round among them; each gets that of another problem."""
    order = list(places)
    random.Random(0).shuffle(order)
    found = list(rows)
    for number, place in enumerate(order):
        for step in range(1, len(order) + 1):
            other = rows[order[(number + step) % len(order)]]
            if other["id"] != rows[place]["id"]:
                own = {name: rows[place][name] for name in ("id", "sample")}
                found[place] = other | own
                break
    return found


def template(rows: list[Row]) -> list[Row]:
    """Sentences that say nothing of the problem."""
    return [row | _TEMPLATE for row in rows]


WAYS: dict[str, Callable[[list[Row]], list[Row]]] = {
    "steps-shuffled": steps_shuffled,
    "steps-halved": steps_halved,
    "intent-only": intent_only,
    "third-wrong": third_wrong,
    "all-wrong": all_wrong,
    "template": template,
}


def write(source: Path, target: Path, way: str) -> None:
    """Write the reasoning of `source` to `target`, made worse.

    Args:
        source: a `contexts.jsonl`.
        target: another one, in the same order.
        way: of `WAYS`.

    Raises:
        UsageProblem: there is no such way.
        DataProblem: a line is malformed, or what comes out would not be reasoning.
    """
    if way not in WAYS:
        raise UsageProblem(f"there is no way {way!r} to change reasoning; known: {', '.join(WAYS)}")
    rows = []
    for number, line in enumerate(source.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            _ = row["id"], row["sample"], row["steps"]
        except (ValueError, TypeError, KeyError) as error:
            raise DataProblem(f"{source}:{number}: not a context ({error})") from error
        rows.append(row)
    files.write_lines(target, map(_line, WAYS[way](rows)))


def _line(row: Row) -> str:
    try:
        sections = (tuple(row[name]) for name in ("steps", "formulas", "edge_cases"))
        Rationale(row["intent"], *sections)
    except ValueError as error:
        raise DataProblem(f"problem {row['id']}: {error}") from error
    return json.dumps(row, ensure_ascii=False)
