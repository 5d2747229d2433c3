"""What a problem is: a request in words, the code that answers it, and what that code must do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
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
class Example:
    """One thing that the code is given and what must come of it."""

    kind: str
    """`stdin`: both are texts, what the program reads and what it prints. `call`: both are JSON,
    the list of arguments and the result."""
    given: str
    expected: str


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
    """Of the function that is asked for; empty for a whole program."""
    code: str
    tests: tuple[str, ...]
    """Python assert statements."""
    structure: str
    construction: Construction | None
    """None for what no program of ours put together."""
    split: str
    form: str = ""
    """Where the request states the signature: none, named, backticks, line, stub."""
    setup: str = ""
    """Code that has to run before the tests; empty in this world, used by MBPP."""
    source: str = "world"
    """The data set, as `problems.source` names it."""
    examples: tuple[Example, ...] = ()
    """Tests of programs and of calls, beside `tests`."""
    licence: str = ""
    """What the data set says about this row."""
    url: str = ""

    @property
    def made(self) -> Construction:
        """The construction of a problem that has one, as every problem of the world does.

        Raises:
            ValueError: it has none.
        """
        if self.construction is None:
            raise ValueError(f"problem {self.id} carries no construction to explain")
        return self.construction


_DEFAULTS = {field.name: field.default for field in fields(Problem)}
_LEFT_OUT = ("source", "examples", "licence", "url")
"""Not written where they say nothing, so that the world's file is what it always was."""


def to_json(problem: Problem) -> str:
    """One line of JSON, the same bytes for the same problem."""
    row = asdict(problem)
    for name in _LEFT_OUT:
        if row[name] == _DEFAULTS[name]:
            del row[name]
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> Problem:
    """Read what `to_json` wrote.

    Raises:
        DataProblem: the line is no JSON object with the fields of a problem.
    """
    try:
        row: dict[str, Any] = json.loads(line)
        row["construction"] = _construction(row["construction"])
        row["tests"] = tuple(row["tests"])
        row["examples"] = tuple(Example(**one) for one in row.get("examples", ()))
        return Problem(**row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataProblem(
            f"this line is not a problem: {line[:80]!r} ({error})",
            hint="delete the file and run the stage that writes it again",
        ) from error


def _construction(made: dict[str, Any] | None) -> Construction | None:
    if made is None:
        return None
    values: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in made.items()
    }
    return Construction(**values)


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
