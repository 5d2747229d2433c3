"""Judge every hostile program, many times over: `python -m tests.hostile --runs 10 --busy`."""

from __future__ import annotations

import argparse
import collections
import contextlib
import sys
import time
from concurrent.futures import as_completed

from assistant.sandbox import layers
from tests.hostile.judging import complaints
from tests.hostile.pool import LAYERS, busy, catalogue, judged, judges


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 when anything was not as it has to be."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--busy", action="store_true", help="keep another core busy meanwhile")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    options = parser.parse_args(arguments)
    usable = [layer for layer in LAYERS if layer in layers()]
    names = [name for name in catalogue() if options.only in name]
    total: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as stack:
        if options.busy:
            stack.enter_context(busy())
        pool = stack.enter_context(judges(options.workers))
        for run in range(options.runs):
            started, wrong = time.monotonic(), 0
            jobs = {pool.submit(judged, n, layer): (n, layer) for n in names for layer in usable}
            for job in as_completed(jobs):
                name, layer = jobs[job]
                finding = job.result()
                total[finding.verdict.split()[0]] += 1
                for told in complaints(finding, catalogue()[name], layer):
                    wrong += 1
                    _say(f"run {run + 1}: {layer.value}: {name}: {told}")
            total["complaints"] += wrong
            seconds = time.monotonic() - started
            _say(f"run {run + 1}: {len(jobs)} verdicts, {wrong} wrong, {seconds:.0f} s")
    _say(", ".join(f"{word}: {count}" for word, count in sorted(total.items())))
    return 1 if total["complaints"] or not usable else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
