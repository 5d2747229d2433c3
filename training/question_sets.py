"""What the model is evaluated on: requests with tests that it never saw."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from training import problems
from training.stages import Job
from training.world import Problem, generate
from training.world.evaluation import find_mbpp, handwritten_problems, mbpp_problems

_OTHER_SEED = 1_000_003
"""Added to the run's seed for problems that must not be those of the training."""


def all_sets(job: Job) -> Iterator[tuple[str, list[Problem]]]:
    """The sets by name; one that is switched off or whose data is not there is left out."""
    settings = job.settings.evaluate
    path = job.path("problems.jsonl")
    trained = {problem.id: problem.structure for problem in problems.read(path, "train")}
    yield (
        "heldout",
        heldout(problems.read(path, "heldout"), set(trained.values()), settings.heldout),
    )
    if job.settings.problems.source == "world":
        yield "validation", seen_structures(trained, settings.validation, job.settings.seed)
    if settings.handwritten:
        yield "handwritten", handwritten_problems()
    if settings.mbpp and (data := job.data or _data_of_environment()) is not None:
        yield "mbpp", mbpp_problems(find_mbpp(data))[: settings.mbpp]


def heldout(found: Iterator[Problem], trained: set[str], count: int) -> list[Problem]:
    """The first `count` problems with tests whose structure is not among `trained`, one of each.

    The split promises that none is; it is looked at again because the score rests on it.
    """
    chosen: dict[str, Problem] = {}
    for problem in found:
        if len(chosen) == count:
            break
        if problem.tests and problem.structure not in trained:
            chosen.setdefault(problem.structure, problem)
    return list(chosen.values())


def seen_structures(trained: dict[str, str], count: int, seed: int) -> list[Problem]:
    """New problems of structures that were trained on, one of each.

    Args:
        trained: structure by id, of every training problem.
        count: how many.
        seed: of the run; the problems come from another one.
    """
    structures = set(trained.values())
    chosen: dict[str, Problem] = {}
    for problem in generate(20 * count, seed + _OTHER_SEED, splits=("train",)):
        if len(chosen) == count:
            break
        if problem.structure in structures and problem.id not in trained:
            chosen.setdefault(problem.structure, problem)
    return list(chosen.values())


def _data_of_environment() -> Path | None:
    value = os.environ.get("ASSISTANT_DATA")
    return Path(value) if value else None
