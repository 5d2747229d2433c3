"""Statements that repeat a task of a benchmark: eight words in a row that they share.

A sequence says something only when it is the task's own: one that occurs in several tasks
("write a python function to find the number of") is a way of asking, and one of hardly any words
("at the beginning and at the end of", a list of numbers) is nobody's. Neither counts. A task of
fewer than eight words is found by all of them.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from assistant.benchmarks import catalogue, data
from assistant.errors import DataProblem
from training.data.text import normalised, words

GRAM = 8
_MBPP_TRAIN = 601
MOST_TASKS = 3
"""A sequence in more tasks than these is a way of asking."""
BENCHMARKS = ("humaneval", "mbpp", "mbpp+")
LEAST_WORDS = 3
"""Different words that say something a sequence must have."""
_SAYS_NOTHING = frozenset(
    words(
        "an the and or of in on at to from by for with as is are be it its that this there which "
        "one two you your we if not no all any each given such so has have will can than then them"
    )
)
_ASSERT = re.compile(r"^\s*(?:assert\b|>>>|from\b|import\b).*$", re.MULTILINE)
_LEAD_IN = re.compile(
    r"^(?:please )?(?:write|create|implement|define) (?:a|an|the) (?:python )?"
    r"(?:function|program|code|method)(?: (?:to|that|which|for))?\b"
)
Gram = tuple[str, ...]


class Contamination:
    """The sequences of all tasks; asks whether a statement has one of them.

    Args:
        tasks: name and statement of each task.
    """

    def __init__(self, tasks: Iterable[tuple[str, str]]) -> None:
        found = [(name, _own_words(statement)) for name, statement in tasks]
        self._whole = {" ".join(own): name for name, own in reversed(found) if own}
        # Three benchmarks hold the same task: its sequences are counted once.
        distinct = {" ".join(own): own for _, own in found}.values()
        counts = Counter(gram for own in distinct for gram in set(_grams(own)))
        self._grams: dict[Gram, str] = {}
        for name, own in found:
            for gram in _grams(own):
                if counts[gram] <= MOST_TASKS and _says_something(gram):
                    self._grams.setdefault(gram, name)

    def find(self, statement: str) -> str | None:
        """The task that the statement repeats, or None."""
        own = _own_words(statement)
        if (name := self._whole.get(" ".join(own))) is not None:
            return name
        return next((self._grams[gram] for gram in _grams(own) if gram in self._grams), None)


def _own_words(statement: str) -> list[str]:
    """Its words without its tests and without the words that ask for a function."""
    text = normalised(_ASSERT.sub(" ", statement))
    return words(_LEAD_IN.sub(" ", text))


def _grams(own: list[str]) -> Iterator[Gram]:
    return (tuple(own[start : start + GRAM]) for start in range(len(own) - GRAM + 1))


def _says_something(gram: Gram) -> bool:
    said = {one for one in gram if one.isalpha() and len(one) > 1} - _SAYS_NOTHING
    return len(said) >= LEAST_WORDS


def benchmark_tasks(folder: Path | None, say: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Name and statement of every task of HumanEval, MBPP and MBPP+ on this machine.

    MBPP without its training split (tasks from 601 on), on which a model may be trained as long as
    MBPP+ does not hold the same task. What is not here is not downloaded (see `fetch`), and said.

    Args:
        folder: of benchmark data, or None.
        say: is told of each set that is not here.
    """
    for name in BENCHMARKS:
        dataset = catalogue.find(name).dataset
        try:
            content = _content(dataset, folder)
        except DataProblem as problem:
            say(
                f"not compared with {dataset.name}: {problem.message} (fetch it with "
                f"`assistant eval {name}`, or name its folder with --data)"
            )
            continue
        for line in content.split(b"\n"):
            if line.strip():
                row = json.loads(line)
                if name != "mbpp" or row["task_id"] < _MBPP_TRAIN:
                    yield f"{name} {row['task_id']}", _statement(row)


def fetch(folder: Path | None, say: Callable[[str], None]) -> None:
    """Download the benchmarks that are not on this machine, for training data that comes from the
    network itself.

    The evaluation would fetch them later: then the first run would have trained on what every
    later one leaves out, and no two could be compared.

    Raises:
        DataProblem: one can not be had.
    """
    for name in BENCHMARKS:
        dataset = catalogue.find(name).dataset
        try:
            _content(dataset, folder)
        except DataProblem:
            try:
                data.load(dataset, say=say)
            except DataProblem as problem:
                raise DataProblem(
                    f"The problems can not be compared with {dataset.name}: {problem.message}",
                    hint="Name a folder with its data (--data), or train on problems that may be "
                    "in it: --set problems.decontaminate=false",
                ) from problem


def _content(dataset: catalogue.Dataset, folder: Path | None) -> bytes:
    if folder is not None and folder.is_dir():
        with contextlib.suppress(DataProblem):
            return data.load(dataset, folder).content
    kept = data.cache_path(dataset)
    if not kept.is_file():
        raise DataProblem("it is not on this machine.")
    return data.load(dataset, kept).content


def _statement(row: dict[str, Any]) -> str:
    """The words of a task: MBPP's text, or the docstrings of a stub without its code."""
    if "text" in row:
        return str(row["text"])
    quoted = re.findall(r'"""(.*?)"""|\'\'\'(.*?)\'\'\'', str(row["prompt"]), re.DOTALL)
    return "\n".join(one or other for one, other in quoted) or str(row["prompt"])
