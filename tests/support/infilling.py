"""Lines to complete: of the public infilling benchmark, and of the world of the embedded model."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.benchmark_runs import DATA

FOLDER = DATA / "humaneval_infilling"


@dataclass(frozen=True)
class Hole:
    """A file whose line `typed` + `rest` is being written."""

    above: str
    typed: str
    rest: str
    below: str
    """From the end of the line on."""

    @property
    def text(self) -> str:
        """The file while the line is being written."""
        return self.above + self.typed + self.below

    @property
    def whole(self) -> str:
        """The file as it was."""
        return self.above + self.typed + self.rest + self.below

    @property
    def offset(self) -> int:
        """Of the cursor."""
        return len(self.above + self.typed)


@dataclass(frozen=True)
class Gap:
    """A task of the benchmark: a file with a gap, what stood there, and how to test it."""

    task: str
    above: str
    middle: str
    below: str
    tests: str
    """A function `check` and its call."""

    @property
    def text(self) -> str:
        """The file with the gap; where whole lines are missing, with a blank one in their place."""
        return self.above + self.below

    @property
    def whole(self) -> str:
        """The file as it was."""
        return self.above + self.middle + self.below

    def next_lines(self, count: int) -> str:
        """What a model says that goes on with what stands below: so many lines of it, whole."""
        lines = self.below.split("\n")
        begun = 0 if lines[0] else 1
        return "\n".join(lines[: begun + count]) + "\n"


def gaps(kind: str, limit: int | None = None, seed: int = 1) -> list[Gap]:
    """Tasks of `SingleLine`, `MultiLine` or `RandomSpan`: all of them, or a sample."""
    rows = _rows(kind)
    chosen = (
        rows if limit is None or limit >= len(rows) else random.Random(seed).sample(rows, limit)
    )
    return [_gap(row) for row in chosen]


def _gap(row: dict[str, str]) -> Gap:
    middle, below = row["canonical_solution"], row["suffix"]
    if middle.endswith("\n"):
        # In an editor the end of the line is there already.
        middle, below = middle[:-1], "\n" + below
    tests = f"{row['test']}\ncheck({row['entry_point']})\n"
    return Gap(row["task_id"], row["prompt"], middle, below, tests)


def _rows(kind: str) -> list[dict[str, str]]:
    file = FOLDER / f"HumanEval-{kind}Infilling.jsonl.gz"
    if not file.is_file():
        pytest.skip(f"no benchmark data at {file}; set ASSISTANT_DATA to its folder")
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def published(limit: int | None = None, seed: int = 1) -> list[Hole]:
    """Lines of HumanEval, each cut at random behind its first character."""
    rng = random.Random(seed)
    rows = _rows("SingleLine")
    chosen = rows if limit is None else rng.sample(rows, limit)
    holes = (
        _hole(row["prompt"], row["canonical_solution"].rstrip("\n"), "\n" + row["suffix"], rng)
        for row in chosen
    )
    return [hole for hole in holes if hole is not None]


def of_the_world(count: int, seed: int = 777) -> Iterator[Hole]:
    """Lines of problems like those that the embedded model learned, with code it did not see."""
    from training.world import generate

    rng = random.Random(seed)
    for problem in generate(count, seed, ("heldout",)):
        lines = problem.code.rstrip("\n").split("\n")
        number = rng.randrange(1, len(lines)) if len(lines) > 1 else 0
        above = "".join(f"{line}\n" for line in lines[:number])
        below = "".join(f"\n{line}" for line in lines[number + 1 :]) + "\n"
        if (hole := _hole(above, lines[number], below, rng)) is not None:
            yield hole


def _hole(above: str, line: str, below: str, rng: random.Random) -> Hole | None:
    indent = len(line) - len(line.lstrip())
    if len(line) - indent < 4:
        return None
    cut = rng.randrange(indent + 1, len(line) - 1)
    return Hole(above, line[:cut], line[cut:], below)
