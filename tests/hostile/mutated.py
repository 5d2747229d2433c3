"""Judging some programs with one defence off, in a process and a session of its own.

`python -m tests.hostile.mutated NUMBER LAYER PROGRAM...`: NUMBER counts `DEFENCES` from 0, or is -1
for none. A line of JSON is printed before each program and one after it. With `--hold` the first
program is only started, and runs until this process is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from assistant.checks.program import Program
from assistant.sandbox import Layer, Limits, layers
from tests.hostile.defences import DEFENCES
from tests.hostile.judging import Judge, complaints
from tests.hostile.pool import catalogue

_LONG_S = 600.0


def main(arguments: list[str]) -> None:
    """Judge the named programs."""
    hold = "--hold" in arguments
    number, value, *names = (word for word in arguments if word != "--hold")
    layer = Layer(value)
    layers()  # found out with every defence in place
    judge = Judge()
    # From here on: SIGTERM ends it, with its folder taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        if int(number) >= 0:
            DEFENCES[int(number)].off()
        if hold:
            _hold(names[0], layer)
        for name in names:
            _say({"begins": name})
            program = catalogue()[name]
            finding = judge.judge(program, layer)
            told = complaints(finding, program, layer)
            _say({"ends": name, "verdict": finding.verdict, "complaints": told})
    finally:
        judge.close()


def _hold(name: str, layer: Layer) -> None:
    limits = Limits(cpu_s=_LONG_S, wall_s=_LONG_S)
    with Program(catalogue()[name].source, limits, layer=layer) as program:
        program.load()
        _say({"pid": program._box._process.pid, "judge": os.getpid()})
        program.call("f", (1,))


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
