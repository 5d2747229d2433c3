"""What is shown of what a model says: `python -m tests.bench.infilling [--limit 200] [--own 100]`.

HumanEval with a part taken out (Bavarian et al. 2022): a line, several lines, or any span. Two
questions:

filters    The missing part is said as it was and then the next 1 to 5 lines of the file once more,
           as models do that do not know where to stop. It comes in pieces and goes the whole way
           of a suggestion. Right is a file that is as it was, or that passes the task's tests.
own        The same files, completed by the embedded model.

A single line is asked for as it is while somebody types; several are asked for by a key. While
somebody types no more than a statement is shown: for several lines "a beginning" counts what is
right as far as it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from assistant.checks.program import Program, Stopped
from assistant.client.types import Chunk, Delta, FillRequest, Finished
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.inline import Nothing, Place, Suggestion, request_for, suggest
from assistant.inline.suggest import Filler
from assistant.inline.suggestion import applied
from assistant.models import store
from assistant.sandbox import Limits
from tests.support.engine_filler import EngineFiller
from tests.support.infilling import Gap, gaps

KINDS = ("SingleLine", "MultiLine", "RandomSpan")
REPEATED = range(1, 6)
_PIECE = 7
_LIMITS = Limits(cpu_s=10, wall_s=60, memory_mb=1024)


class Saying:
    """A connection whose model says a text, in pieces, until it is told to end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ended = False

    async def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        for start in range(0, len(self._text), _PIECE):
            if self._ended:
                break
            yield Delta(self._text[start : start + _PIECE])
        yield Finished("cancelled" if self._ended else "stop")

    async def cancel(self, request_id: str) -> None:
        self._ended = True


@dataclass
class Score:
    """One row of the table."""

    kind: str
    how: str
    count: int = 0
    restored: int = 0
    """The file is as it was."""
    only_space: int = 0
    """It is, but for white space at the ends of lines."""
    passing: int = 0
    """It is another and passes the tests; so does one with other white space."""
    beginning: int = 0
    """What is shown is the beginning of what is missing."""
    refused: Counter[str] = field(default_factory=Counter)
    failing: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def right(self) -> float:
        """The share of right files."""
        return (self.restored + self.passing) / max(self.count, 1)

    def __str__(self) -> str:
        shown = self.count - self.refused.total()
        each = 1000 * self.seconds / max(self.count, 1)
        return (
            f"{self.kind:11} {self.how:22} {self.count:6} asked {shown:6} shown "
            f"{self.restored:6} as it was {self.passing:5} passing {self.right:8.2%} right "
            f"{self.beginning:6} a beginning {each:6.1f} ms each"
        )


def found(gap: Gap, filler: Filler, *, block: bool) -> Suggestion | Nothing:
    """What would be shown in the gap."""
    place = Place(gap.text, len(gap.above))
    request = request_for(place, block=block)
    if isinstance(request, Nothing):
        return request
    return asyncio.run(suggest(place, filler, request)).found


def passes(text: str, tests: str) -> bool:
    """Whether a file passes the task's tests, in the sandbox."""
    try:
        with Program(f"{text}\n{tests}", _LIMITS) as running:
            running.load()
    except Stopped:
        return False
    return True


def take(score: Score, gap: Gap, outcome: Suggestion | Nothing, *, run: bool) -> None:
    """Count one outcome; `run`: the tests decide on a file that is another."""
    score.count += 1
    if isinstance(outcome, Nothing):
        score.refused[outcome.reason] += 1
        return
    text = applied(gap.text, outcome)
    if text == gap.whole:
        score.restored += 1
        return
    score.only_space += _bare(text) == _bare(gap.whole)
    if run and passes(text, gap.tests):
        score.passing += 1
    else:
        said = outcome.text.strip()
        whole = _bare(text) == _bare(gap.whole)
        score.beginning += not whole and gap.middle.strip().startswith(said)
        score.failing += [] if whole else [gap.task]


def _bare(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def filters(kind: str, tasks: Iterable[Gap], *, block: bool, run: bool = True) -> Score:
    """The missing part and 1 to 5 lines that stand below already, through all filters."""
    score = Score(kind, "filters, " + ("by a key" if block else "while typing"))
    started = time.perf_counter()
    for gap in tasks:
        for count in REPEATED:
            said = Saying(gap.middle + gap.next_lines(count))
            take(score, gap, found(gap, said, block=block), run=run)
    score.seconds = time.perf_counter() - started
    return score


def own(kind: str, tasks: Iterable[Gap], engine: Engine, *, block: bool) -> Score:
    """What the model itself says there."""
    score = Score(kind, "own, " + ("by a key" if block else "while typing"))
    filler, started = EngineFiller(engine), time.perf_counter()
    for gap in tasks:
        take(score, gap, found(gap, filler, block=block), run=True)
    score.seconds = time.perf_counter() - started
    return score


def main() -> int:
    """Run it all; 1 where the filters restore less than 99.5% of the lines."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--limit", type=int, help="tasks of each kind (default: all)")
    parser.add_argument("--own", type=int, default=200, help="of these for the embedded model")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--json", help="write the numbers to this file, too")
    args = parser.parse_args()
    rows: list[Score] = []
    for kind in args.kinds:
        tasks = gaps(kind, args.limit)
        for block in (False, True):
            # A part of several lines fails its tests of course.
            run = block or kind == "SingleLine"
            rows.append(filters(kind, tasks, block=block, run=run))
            print(rows[-1], flush=True)
            for reason, count in rows[-1].refused.most_common():
                print(f"{'':12}not shown {count:6}: {reason}")
    if args.own:
        with Engine(store.embedded_path(), EngineSettings(threads=1)) as engine:
            for kind in args.kinds:
                row = own(kind, gaps(kind, args.own), engine, block=kind != "SingleLine")
                rows.append(row)
                print(row, flush=True)
    if args.json:
        Path(args.json).write_text(json.dumps([asdict(row) for row in rows], indent=1))
    lines = [row for row in rows if row.how == "filters, by a key" and row.kind != "RandomSpan"]
    return int(any(row.right < 0.995 for row in lines))


if __name__ == "__main__":
    sys.exit(main())
