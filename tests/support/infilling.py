"""Lines to complete: of the public infilling benchmark, and of the world of the embedded model."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.benchmark_runs import DATA

FILE = DATA / "humaneval_infilling" / "HumanEval-SingleLineInfilling.jsonl.gz"


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


def published(limit: int | None = None, seed: int = 1) -> list[Hole]:
    """Lines of HumanEval, each cut at random behind its first character."""
    if not FILE.is_file():
        pytest.skip(f"no benchmark data at {FILE}; set ASSISTANT_DATA to its folder")
    rng = random.Random(seed)
    rows = [json.loads(line) for line in gzip.decompress(FILE.read_bytes()).splitlines()]
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
