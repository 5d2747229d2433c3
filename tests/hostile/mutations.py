"""Switch off one defence at a time and see who notices: `python -m tests.hostile.mutations`.

Each line is a defence in a layer: the named programs have to escape, survive or get a wrong
verdict without it, and two harmless ones have to be judged as ever. The exit status is 1 when a
defence can go without being noticed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass

from assistant.sandbox import Layer, layers
from tests.hostile import watching
from tests.hostile.defences import CONTROLS, DEFENCES, Defence
from tests.hostile.pool import not_interrupted
from tests.hostile.watching import Seen

_PROGRAM_S = 25.0
"""A judge that says nothing for so long is held to wait for ever."""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one defence being off in one layer."""

    defence: str
    layer: str
    noticed: dict[str, str]
    problem: str
    """Why the mutation says nothing, or nobody noticed; empty when all is well."""
    seconds: float

    def __str__(self) -> str:
        """One line of the table."""
        told = "; ".join(f"{name}: {what}" for name, what in self.noticed.items())
        said = f"NOT NOTICED: {self.problem}" if self.problem else told
        return f"{self.defence} | {self.layer} | {said} | {self.seconds:.0f} s"


def jobs(only: str = "") -> list[tuple[int, Layer]]:
    """What is to be tried on this machine: number of the defence, and layer."""
    return [
        (number, layer)
        for number, defence in enumerate(DEFENCES)
        for layer in defence.layers
        if layer in layers() and defence.noticed_by and not defence.here() and only in defence.name
    ]


def tried(number: int, layer: Layer) -> Row:
    """Try one; it has to run in a process that has no others below it."""
    defence, started = DEFENCES[number], time.monotonic()
    try:
        seen, problem = _seen(number, defence, layer)
    except Exception as error:
        seen, problem = {}, f"{type(error).__name__}: {error}"
    noticed = {name: _short(seen[name]) for name in defence.noticed_by if name in seen}
    quiet = [name for name in defence.noticed_by if not seen.get(name, Seen("", ())).complaints]
    problem = problem or (f"by {', '.join(quiet)}" if quiet else "")
    return Row(defence.name, layer.value, noticed, problem, time.monotonic() - started)


def _seen(number: int, defence: Defence, layer: Layer) -> tuple[dict[str, Seen], str]:
    if defence.killed:
        return {n: watching.killed(number, layer, n) for n in defence.noticed_by}, ""
    controls = [n for n in CONTROLS if defence.controls and n not in defence.noticed_by]
    seen = watching.judged(number, layer, [*controls, *defence.noticed_by], _PROGRAM_S)
    for name in controls:
        if seen[name].complaints:
            return seen, f"it broke {name}: {seen[name].complaints[0]}"
    for name, found in seen.items():
        if found.verdict == "sandbox unavailable":
            return seen, f"no sandbox started for {name}: {found.complaints[0]}"
    return seen, ""


def _short(seen: Seen) -> str:
    if not seen.complaints:
        return "nothing"
    words = ("escaped", "survivors", "verdict", "")
    first = min(seen.complaints, key=lambda told: [told.startswith(w) for w in words].index(True))
    return first if len(first) <= 90 else f"{first[:90]}..."


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes for `tried`."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, not_interrupted)


def main(arguments: list[str] | None = None) -> int:
    """Returns 1 when a defence can go without being noticed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile.mutations",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", default="", help="defences whose name contains this")
    parser.add_argument("--workers", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--list", action="store_true", help="only say what would be tried")
    options = parser.parse_args(arguments)
    chosen = jobs(options.only)
    if options.list:
        for number, layer in chosen:
            defence = DEFENCES[number]
            _say(f"{defence.name} | {layer.value} | {', '.join(defence.noticed_by)}")
    else:
        failed = _try_all(chosen, options.workers)
    for defence in DEFENCES:
        if options.only in defence.name and (why := defence.behind or defence.here()):
            _say(f"not tried: {defence.name}: {why}")
    return 0 if options.list else int(failed > 0 or not chosen)


def _try_all(chosen: list[tuple[int, Layer]], workers: int) -> int:
    failed = 0
    with pool(workers) as processes:
        rows: list[Future[Row]] = [processes.submit(tried, *job) for job in chosen]
        try:
            for future in rows:
                row = future.result()
                failed += bool(row.problem)
                _say(str(row))
        except KeyboardInterrupt:
            for future in rows:
                future.cancel()
            raise SystemExit(130) from None
    _say(f"{len(chosen)} mutations, {failed} of them not noticed")
    return failed


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
