"""What the model is evaluated on: requests with tests that it never saw."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem
from assistant.tasks import find_signature
from training import problems
from training.stages import Job
from training.world import Problem

HANDWRITTEN = Path(__file__).parent / "world" / "handwritten.jsonl"
MBPP_FILE = "mbpp/mbpp.jsonl"
_MBPP_TEST_SPLIT = range(11, 511)


@dataclass(frozen=True)
class Question:
    """One request and the tests that its answer has to pass."""

    id: str
    request: str
    tests: str


def all_sets(job: Job) -> Iterator[tuple[str, list[Question]]]:
    """The sets by name; one that is switched off or whose data is missing is left out."""
    settings = job.settings.evaluate
    path = job.path("problems.jsonl")
    seen = {problem.structure for problem in problems.read(path, "train")}
    yield "heldout", from_problems(problems.read(path, "heldout"), settings.heldout, seen, False)
    yield (
        "validation",
        from_problems(problems.read(path, "validation", "train"), settings.validation, seen, True),
    )
    if settings.handwritten and HANDWRITTEN.exists():
        yield "handwritten", handwritten(HANDWRITTEN)
    if settings.mbpp and (data := mbpp_file(job.data)) is not None:
        yield "mbpp", mbpp(data)[: settings.mbpp]


def from_problems(
    found: Iterable[Problem], count: int, seen: set[str], wants_seen: bool
) -> list[Question]:
    """The first `count` problems whose structure is, or is not, among `seen`."""
    chosen: list[Question] = []
    for problem in found:
        if len(chosen) == count:
            break
        if (problem.structure in seen) == wants_seen:
            tests = "\n".join((problem.setup, *problem.tests)).strip()
            chosen.append(Question(problem.id, problem.request, tests))
    return chosen


def handwritten(path: Path) -> list[Question]:
    """Questions of a file with `id`, `request` and `tests` (a list of asserts) a line."""
    return [
        Question(str(row["id"]), row["request"], "\n".join(row["tests"])) for row in _rows(path)
    ]


def mbpp_file(data: Path | None) -> Path | None:
    """MBPP's file in the folder that the user named (`--data`, `ASSISTANT_DATA`), if any."""
    folder = data or (
        Path(os.environ["ASSISTANT_DATA"]) if "ASSISTANT_DATA" in os.environ else None
    )
    if folder is None:
        return None
    for path in (folder / MBPP_FILE, folder / Path(MBPP_FILE).name):
        if path.exists():
            return path
    return None


def mbpp(path: Path) -> list[Question]:
    """MBPP's test split (tasks 11 to 510). The reference's signature is given in the request.

    Without it nobody could know the function's name, which the tests use.
    """
    return [
        Question(f"mbpp/{row['task_id']}", _mbpp_request(row), _mbpp_tests(row))
        for row in _rows(path)
        if row["task_id"] in _MBPP_TEST_SPLIT
    ]


def _mbpp_request(row: dict[str, Any]) -> str:
    text = row["text"].strip()
    name = row["test_list"][0].split("assert", 1)[1]
    lines = [
        line.strip() for line in row["code"].replace("\r\n", "\n").split("\n")
        if line.lstrip().startswith("def ")
    ]  # fmt: skip
    for line in lines:
        signature = line.removeprefix("def ").rstrip().rstrip(":")
        if f"{signature.split('(')[0].strip()}(" in name:
            asked = f"{text} Name it `{signature}`."
            return asked if find_signature(asked) else text
    return text


def _mbpp_tests(row: dict[str, Any]) -> str:
    return "\n".join((row["test_setup_code"], *row["test_list"])).replace("\r\n", "\n").strip()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataProblem(f"{path}:{number}: not a line of JSON ({error})") from error
            yield row
