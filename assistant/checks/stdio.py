"""The verdict on a program that reads standard input and writes standard output.

Each test is a run of its own in a fresh sandbox. What was printed is compared here, and nothing
else counts: an exit status does not, an uncaught exception is an `error`, death by a signal a
`crash`. Where several outputs are right (a *special judge*) a comparison of texts can not tell,
and nothing is checked. The last line of an input ends as every line does: where the newline is
missing there, it is added.

What is the same output (`difference`):

- `\\r\\n` ends a line as `\\n` does; whitespace at both ends of a line and blank lines at the end
  of the output do not count; every other line has its place;
- within a line the tokens, separated by whitespace, have to agree one by one;
- where the expected token is a number with a point or an exponent, a number within 1e-6 of it,
  absolutely or relatively, is the same;
- any other token is compared as text, letter case included; but an integer may be written with a
  point and zeros (`3.0` for `3`).
"""

from __future__ import annotations

import itertools
import math
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from assistant.checks.program import Program, Stopped
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome
from assistant.sandbox import Layer, Limits

_TOLERANCE = 1e-6
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class StdioTest:
    """What the program reads and what it must print."""

    input: str
    output: str


def judge_stdio(
    source: str,
    tests: Iterable[StdioTest],
    *,
    special_judge: bool = False,
    limits: Limits | None = None,
    layer: Layer | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Run `source` as the main program once for each test, until one fails.

    Args:
        source: a whole program.
        tests: at least one, else nothing is checked.
        special_judge: whether other outputs than the expected one are right, too.
        limits: of each run; what may be printed is at least twice what is expected.
        layer: of isolation; by default the best that works here.
        stop: set from another thread, it ends the check.
    """
    if special_judge:
        return CheckResult(
            Outcome.NOT_CHECKED,
            NOTHING_RAN,
            "several outputs are right, which a comparison of texts can not judge",
        )
    started, used, number = time.monotonic(), NOTHING_RAN, 0

    def result(outcome: Outcome, detail: str, kind: str = "") -> CheckResult:
        return CheckResult(outcome, used, detail, kind, time.monotonic() - started)

    for number, test in enumerate(tests, 1):
        try:
            own = _roomy(limits or Limits(), test)
            with Program(source, own, layer=layer, stop=stop, stdin=_stdin(test)) as program:
                used = program.layer.value
                printed = program.run()
        except Stopped as stopped:
            return result(stopped.outcome, f"test {number}: {stopped.detail}", stopped.kind)
        if (found := difference(printed.decode("utf-8", "replace"), test.output)) is not None:
            return result(Outcome.WRONG, f"test {number}: {found}")
    if not number:
        return result(Outcome.NOT_CHECKED, "there were no tests to run")
    return result(Outcome.PASS, f"{number} test{'s' * (number != 1)} printed what was expected")


def _stdin(test: StdioTest) -> bytes:
    data = test.input.encode("utf-8", "surrogatepass")
    return data if not data or data.endswith(b"\n") else data + b"\n"


def _roomy(limits: Limits, test: StdioTest) -> Limits:
    wanted = 2 * len(test.output.encode("utf-8", "surrogatepass")) // 1024 + 1
    return limits if wanted <= limits.output_kb else replace(limits, output_kb=wanted)


def difference(got: str, want: str) -> str | None:
    """The first difference that counts between two outputs, or None when they are the same."""
    pairs = itertools.zip_longest(_lines(got), _lines(want))
    for number, (mine, theirs) in enumerate(pairs, 1):
        if mine is None:
            return f"line {number} is missing, expected {_short(theirs)}"
        if theirs is None:
            return f"line {number} is one too many: {_short(mine)}"
        left, right = mine.split(), theirs.split()
        if len(left) != len(right) or not all(map(_same_token, left, right)):
            return f"line {number} is {_short(mine)}, expected {_short(theirs)}"
    return None


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _same_token(got: str, want: str) -> bool:
    if got == want:
        return True
    if _INTEGER.fullmatch(want):
        whole, point, zeros = got.partition(".")
        return point == "." and whole == want and not zeros.strip("0")
    if not (_NUMBER.fullmatch(want) and _NUMBER.fullmatch(got)):
        return False
    expected = float(want)
    if math.isinf(expected):  # else every number would be near it
        return False
    return abs(float(got) - expected) <= _TOLERANCE * max(1.0, abs(expected))


def _short(line: str) -> str:
    return repr(line if len(line) <= _SHOWN else line[:_SHOWN] + "...")
