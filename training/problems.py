"""Stage `problems`: requests with reference code and tests, one JSON object a line.

The world that makes them is `training.world`; the split into training, validation and held-out
problems goes by the structure of the code, so a held-out structure never occurs in training.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training import files
from training.stages import Job
from training.world import Problem, generate
from training.world.problem import read_jsonl, to_json


def make(job: Job) -> None:
    """Write `problems.jsonl`."""
    count = job.settings.problems.count
    progress = job.progress(count, "problems")
    with files.replacing(job.path("problems.jsonl")) as path, path.open("w", newline="\n") as out:
        for problem in generate(count, job.settings.seed):
            out.write(to_json(problem) + "\n")
            progress.advance(1)
    progress.close()


def read(path: Path, *splits: str) -> Iterator[Problem]:
    """The problems of `path` that belong to one of `splits`; all when none is named."""
    return (p for p in read_jsonl(path) if not splits or p.split in splits)
