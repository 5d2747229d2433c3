"""Evaluations from a test's own rows, on real benchmark data or on a small set made up here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assistant.benchmarks import data, evaluation, problems, records, samples
from assistant.benchmarks.catalogue import BENCHMARKS, Benchmark
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.records import Record

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ASSISTANT_DATA") or ROOT.parent / "shared" / "data")
ALL_OF_MBPP = replace(BENCHMARKS["mbpp"], tasks=974, first=0, last=None)
"""The whole file, of which the benchmark is the test split."""


class Quiet:
    """Keeps what a run says; nobody is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def begin(self, what: str, total: int, done: int = 0) -> None:
        self.said.append(f"{what}: {done} of {total}")

    def step(self) -> None:
        pass

    def tick(self) -> None:
        pass

    def end(self) -> None:
        pass


def tasks_of(benchmark: Benchmark, source: Path = DATA) -> tuple[data.DataFile, list[Problem]]:
    """The data of a benchmark and its tasks."""
    file = data.load(benchmark.dataset, source)
    return file, problems.read(benchmark, file)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A samples file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(folder: Path, name: str = "verdicts.jsonl") -> list[dict[str, Any]]:
    """The lines of a file of results."""
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def judge(
    benchmark: Benchmark,
    rows: Iterable[Mapping[str, Any]],
    folder: Path,
    *,
    source: Path = DATA,
    tasks: list[Problem] | None = None,
    workers: int = 2,
) -> tuple[dict[str, Record], dict[str, Any]]:
    """Evaluate rows of a samples file as the command does; the verdicts by task, and the summary.

    Args:
        benchmark: of which benchmark.
        rows: of the file, one for each task.
        folder: for the results.
        source: of the data.
        tasks: in place of those that the data holds.
        workers: how many.
    """
    file, read = tasks_of(benchmark, source)
    chosen = read if tasks is None else tasks
    folder.mkdir(parents=True, exist_ok=True)
    path = write_rows(folder / "given.jsonl", rows)
    found = samples.read(path, {one.id: one for one in chosen})
    identity = evaluation.identity_of(benchmark, file, {"samples_sha256": found.sha256})
    asked = evaluation.Evaluation(benchmark, file, chosen, None, found, folder, identity, workers)
    result = evaluation.evaluate(asked, Quiet())
    return {one.task_id: one for one in records.read_verdicts(folder).values()}, result


def references(tasks: Iterable[Problem]) -> list[dict[str, str]]:
    """The published solutions as samples."""
    return [{"task_id": one.id, "solution": one.reference} for one in tasks]


def made_up(path: Path, tasks: int, *, plus: bool = False) -> Path:
    """A data file of HumanEval's form: task n is to add n; its reference takes no time at all.

    Args:
        path: to write.
        tasks: how many.
        plus: of HumanEval+'s form.
    """
    rows = []
    for n in range(tasks):
        prompt = f'def add(a):\n    """Add {n}.\n\n    >>> add(1)\n    {1 + n}\n    """\n'
        row: dict[str, Any] = {
            "task_id": f"HumanEval/{n}",
            "prompt": prompt,
            "entry_point": "add",
            "canonical_solution": f"    return a + {n}\n",
            "test": f"def check(candidate):\n    assert candidate(1) == {1 + n}\n",
        }
        if plus:
            row |= {"base_input": [[1], [2]], "plus_input": [[-1], [10**20]], "atol": 0}
        rows.append(row)
    return write_rows(path, rows)


def right(n: int) -> dict[str, Any]:
    """A sample that passes."""
    return {"task_id": f"HumanEval/{n}", "solution": f"def add(a):\n    return a + {n}\n"}


def wrong(n: int) -> dict[str, Any]:
    """A sample that fails, for all tasks but the first."""
    return {"task_id": f"HumanEval/{n}", "solution": "def add(a):\n    return a\n"}
