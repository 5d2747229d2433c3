"""How long a verdict takes: `python -m tests.bench.verify [--runs 15]`.

A small function with two doctests. Measured are the check itself, as a library call in this
process, and the whole command from its start to its end. The goal is for the whole command: its
median is less than 60 ms beyond that of a bare Python, `python -c pass` by the same interpreter.
Bare once more is `python -I -S -c pass`, which reads no settings of any installed package; it is
what runs inside the sandbox, so the library call holds one such start.

The kinds take turns, so that a machine that gets busy does so for all of them; Python's own cache
of compiled files is on, in a folder of this run. The exit code is 1 when the goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

GOAL_MS = 60.0
BARE, BARER, WHOLE = "bare Python", "bare Python, -I -S", "assistant verify, doctests"

SOURCE = '''def square(n):
    """The square.

    >>> square(3)
    9
    >>> square(-1)
    1
    """
    return n * n
'''
TESTS = "from square import square\n\ndef test_square():\n    assert square(3) == 9\n"


def timed(action: Callable[[], object]) -> float:
    """Milliseconds that `action` takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def measure(folder: Path, runs: int) -> dict[str, list[float]]:
    """The times of each kind, in milliseconds."""
    from assistant.checks.doctests import judge_doctests
    from assistant.checks.static import examine

    file, tests = folder / "square.py", folder / "test_square.py"
    file.write_text(SOURCE)
    tests.write_text(TESTS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment = kept | {
        "PYTHONPYCACHEPREFIX": str(folder / "compiled"),
        "ASSISTANT_HOME": str(folder / "home"),
    }

    def command(*arguments: str) -> Callable[[], object]:
        line = [sys.executable, *arguments]
        return lambda: subprocess.run(line, capture_output=True, check=True, env=environment)

    verify = ("-m", "assistant", "verify", str(file))
    kinds: dict[str, Callable[[], object]] = {
        BARE: command("-c", "pass"),
        BARER: command("-I", "-S", "-c", "pass"),
        "the check, doctests (library call)": lambda: (examine(SOURCE), judge_doctests(SOURCE)),
        WHOLE: command(*verify),
        "assistant verify, --tests": command(*verify, "--tests", str(tests)),
    }
    for action in kinds.values():  # compiled files, the probe of the sandbox
        action()
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(runs):
        for name, action in kinds.items():
            times[name].append(timed(action))
    return times


def main() -> int:
    """Measure, print, and compare with the goal."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.verify", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="counted runs of each (15)")
    runs = parser.parse_args().runs
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.machine()}, {os.cpu_count()} cores{load}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        times = measure(Path(folder), runs)
    bare = statistics.median(times[BARE])
    print(f"{'median of ' + str(runs) + ', ms':<36} {'whole':>8} {'beyond bare':>12} {'least':>8}")
    for name, values in times.items():
        # The call pays for no start of Python here; the one inside the sandbox is a part of it.
        middle = statistics.median(values)
        beyond = f"{middle - bare:.1f}" if name.startswith("assistant") else ""
        print(f"{name:<36} {middle:>8.1f} {beyond:>12} {min(values):>8.1f}")
    found = statistics.median(times[WHOLE]) - bare
    reached = found < GOAL_MS
    print(
        f"goal: {WHOLE} less than {GOAL_MS:.0f} ms beyond bare Python: {found:.1f} ms, "
        f"{'reached' if reached else 'missed'}"
    )
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
