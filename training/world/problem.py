"""What a problem is: a request in words, the code that answers it, and how both were made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem

SPLITS = ("train", "validation", "heldout")


@dataclass(frozen=True)
class Construction:
    """How a problem was put together; everything a program needs to explain the code."""

    family: str
    primitives: tuple[str, ...]
    """Keys of the building blocks, in the order in which the code uses them."""
    goal: str
    """The request in the world's one canonical wording, with the concrete names and constants."""
    steps: tuple[str, ...]
    formulas: tuple[str, ...]
    edge_cases: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """One request with its reference solution and its tests."""

    id: str
    request: str
    """Exactly what the user writes (and what `assistant.tasks.request_text` sends)."""
    register: str
    signature: str | None
    """The `def` line given literally in the request, or None when the name is free."""
    name: str
    code: str
    tests: tuple[str, ...]
    structure: str
    construction: Construction
    split: str
    form: str = ""
    """Where the request states the signature: none, named, backticks, line, stub."""
    setup: str = ""
    """Code that has to run before the tests; empty in this world, used by MBPP."""


def to_json(problem: Problem) -> str:
    """One line of JSON, the same bytes for the same problem."""
    return json.dumps(asdict(problem), ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> Problem:
    """Read what `to_json` wrote.

    Raises:
        DataProblem: the line is no JSON object with the fields of a problem.
    """
    try:
        row: dict[str, Any] = json.loads(line)
        made: dict[str, Any] = row.pop("construction")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in made.items()
        }
        construction = Construction(**fields)
        row["tests"] = tuple(row["tests"])
        return Problem(construction=construction, **row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataProblem(
            f"this line is not a problem: {line[:80]!r} ({error})",
            hint="delete the file and run the stage that writes it again",
        ) from error


def write_jsonl(path: Path, problems: Iterable[Problem]) -> int:
    """Write one problem a line; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for problem in problems:
            file.write(to_json(problem) + "\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[Problem]:
    """The problems of a file, in its order.

    Raises:
        DataProblem: a line is malformed; the message names the file and the line.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield from_json(line)
            except DataProblem as error:
                raise DataProblem(f"{path}:{number}: {error}", hint=error.hint) from error
