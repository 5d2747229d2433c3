"""Judge every hostile program in every layer, many times over.

Each run is one line: verdicts, escapes, survivors, wrong verdicts, seconds; before it stands a line
for each complaint. The exit status is 1 when there was any, 130 after Ctrl-C, which ends what runs
and sums up what was judged. With --record a run that was broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import random
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from assistant.sandbox import Layer, layers
from tests.hostile.judging import complaints
from tests.hostile.pool import LAYERS, busy, catalogue, judged, judges

_KINDS = {"escaped": "escapes", "survivors": "survivors"}
_OTHER = "wrong verdicts"
_Key = tuple[int, str, str]


class Record:
    """What was judged already: lines of JSON in a file, or in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.complaints: dict[_Key, list[str]] = {}
        self.verdicts: collections.Counter[str] = collections.Counter()
        if path is not None and path.exists():
            for line in path.read_text("utf-8").splitlines():
                with contextlib.suppress(ValueError):  # the last one may be half a line
                    self._take(*json.loads(line))

    def _take(self, run: int, layer: str, name: str, verdict: str, told: list[str]) -> None:
        self.complaints[run, layer, name] = told
        self.verdicts[verdict.partition(" ")[0]] += 1

    def add(self, key: _Key, verdict: str, told: list[str]) -> None:
        """Keep one."""
        self._take(*key, verdict, told)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*key, verdict, told]) + "\n")

    def counted(self, run: int = -1) -> dict[str, int]:
        """Escapes, survivors and wrong verdicts of one run, or of all."""
        found = dict.fromkeys([*_KINDS.values(), _OTHER], 0)
        for key, told in self.complaints.items():
            if run in (-1, key[0]):
                for one in told:
                    found[_KINDS.get(one.partition(":")[0], _OTHER)] += 1
        return found


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 when anything was not as it has to be."""
    options = _options(arguments)
    wanted = LAYERS[:1] if options.nursery else LAYERS
    usable = [layer for layer in wanted if layer in layers()]
    if not usable:
        _say("there is no layer here to judge in")
        return 1
    names = [name for name in catalogue() if options.only in name]
    record = Record(options.record)
    with contextlib.ExitStack() as stack:
        if options.busy:
            stack.enter_context(busy())
        pool = stack.enter_context(judges(options.workers, nursery=options.nursery))
        try:
            for run in range(1, options.runs + 1):
                _judge_all(run, names, usable, pool, record)
        except KeyboardInterrupt:
            pool.shutdown(wait=True, cancel_futures=True)
            _say(_summary("broken off", record.counted(), len(record.complaints)))
            return 130
    total = record.counted()
    if options.runs > 1:
        _say(_summary(f"{options.runs} runs", total, len(record.complaints)))
    _say(", ".join(f"{word} {count}" for word, count in sorted(record.verdicts.items())))
    return int(any(total.values()))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="What the sandbox is for, one defence off at a time: "
        "python -m tests.hostile.mutations",
    )
    parser.add_argument("--runs", type=int, default=1, help="how often each (default: 1)")
    parser.add_argument("--workers", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--busy", action="store_true", help="keep another core busy meanwhile")
    parser.add_argument(
        "--nursery", action="store_true", help="one after another in the same nursery"
    )
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--record", type=Path, help="a file of verdicts, to go on from")
    return parser.parse_args(arguments)


def _judge_all(
    run: int, names: list[str], usable: list[Layer], pool: ProcessPoolExecutor, record: Record
) -> None:
    started = time.monotonic()
    wanted = [(name, layer) for name in names for layer in usable]
    # Another order each time: what one program leaves, another one might trip over.
    random.Random(run).shuffle(wanted)
    jobs = {
        pool.submit(judged, name, layer): (name, layer)
        for name, layer in wanted
        if (run, layer.value, name) not in record.complaints
    }
    for job in as_completed(jobs):
        name, layer = jobs[job]
        finding = job.result()
        told = complaints(finding, catalogue()[name], layer)
        record.add((run, layer.value, name), finding.verdict, told)
        for one in told:
            _say(f"run {run}: {layer.value}: {name}: {one}")
    seconds = time.monotonic() - started
    what = f"{len(names)} programs x {len(usable)} layers, {seconds:.0f} s"
    _say(_summary(f"run {run}", record.counted(run), len(wanted)) + f" ({what})")


def _summary(of: str, counted: dict[str, int], verdicts: int) -> str:
    numbers = ", ".join(f"{count} {what}" for what, count in counted.items())
    return f"{of}: {verdicts} verdicts, {numbers}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
