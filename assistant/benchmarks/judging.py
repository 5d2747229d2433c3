"""The verdict on one sample; what runs in a worker process.

Plus tasks are judged by calls: one at a time, each with its own limit, until an input is not
passed. The asserts of the other tasks run in a sandbox of their own (`assistant.checks.apart`).
"""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.benchmarks.problems import Tests
from assistant.benchmarks.records import FAIL, PASS, Record
from assistant.benchmarks.rules import right
from assistant.benchmarks.truth import MEMORY_MB, Expected, Truth, function_of, load, unpacked
from assistant.events import Outcome

if TYPE_CHECKING:
    from assistant.checks.ahead import Asked
    from assistant.checks.program import Program
    from assistant.sandbox.nursery import Nursery

TASK_S = 60.0
"""Processor time of one program, all inputs together."""
LOAD_S = 5.0
"""Processor time of its import."""
CALL_S = 0.4
"""Processor time of one call, at least, on a machine as quick as the one of `_LOOP_S`; a slower
one allows more (`slowness`). On two busy hyperthreads the slowest call of a published pass of
HumanEval+ takes 0.09 s (task 147 of Qwen2.5-Coder 1.5B); of a published fail one that comes to an
end takes 0.28 s (task 39), the next slowest 0.14 s, and those after them more than 1.5 s. No limit
may lie near one of these: where such a program ends would depend on the day. The evaluator that
the verdicts were published with allows 1 s on the wall, waiting for a core included."""
_LOOP_S = 0.0017
"""Processor time of `_loop` under Python 3.11 on a quiet core of a rented AMD EPYC, where the
limit was chosen."""
FACTOR = 4.0
"""Of the reference solution's time, where that is more."""
OUTPUT_KB = 8192
"""Benchmark answers print as they like; the published evaluators throw it away."""
TESTS_S = 10.0
"""Processor time of a program with its asserts."""
_OWN_CORE = 0.5
"""A program that ran for so much of the time that passed did not run out of it by waiting."""
_BACKSTOP = 10.0
"""The wall clock may show this many times the processor time; it stops what sleeps."""
_MESSAGE_BYTES = 64 << 10
"""An output may be this much longer than four times the expected one."""


@dataclass(frozen=True, slots=True)
class Work:
    """One sample and what it is judged by."""

    task: str
    sample: int
    program: str
    truth: Path | None = None
    """The ground truth of a plus task."""
    tests: Tests | None = None
    """What any other task is judged by."""
    entry_point: str = ""
    """The function that such tests are of."""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """There is no verdict, and it is not the program's fault."""

    task: str
    sample: int
    reason: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """A timeout that others who ran beside the program may have caused."""

    record: Record
    """What it comes to when nothing runs beside it and it happens again."""


def judge(
    work: Work, stop: threading.Event | None = None, nursery: Nursery | None = None
) -> Record | Doubt | NotJudged:
    """The verdict on one sample.

    A call's limit is `CALL_S` times the `slowness` of this machine, or `FACTOR` times what the
    reference solution took, where that is more. It is of the processor time of the program's own
    process, which does not pass while that waits for a core. So a timeout is believed at once
    when the process was running for more than half of the time: others can slow it down by what
    they take of the core's caches, which the limit leaves room for. Any other timeout (of the
    wall clock, of the whole program, or of a process that mostly waited) is a `Doubt`.
    """
    try:
        if work.tests is not None:
            return _by_tests(work, work.tests, stop)
        assert work.truth is not None
        with Truth(work.truth) as truth:
            return _by_calls(work, truth, stop, nursery)
    except Exception as error:
        # Ours, not the program's: no descriptors, no memory, a broken file, a bug.
        return NotJudged(work.task, work.sample, f"{type(error).__name__}: {error}")


_Answers = Callable[["Program", Truth], "Iterator[tuple[Asked, bytes]]"]


def _by_calls(
    work: Work, truth: Truth, stop: threading.Event | None, nursery: Nursery | None
) -> Record | Doubt | NotJudged:
    """By calls; questions are sent ahead, unless what it prints has to be told apart by call."""
    result, outcome = _judged(work, truth, stop, nursery, _answers)
    if outcome is Outcome.OUTPUT_LIMIT:
        result, _ = _judged(work, truth, stop, nursery, _answers_singly)
    return result


def _judged(
    work: Work,
    truth: Truth,
    stop: threading.Event | None,
    nursery: Nursery | None,
    answers: _Answers,
) -> tuple[Record | Doubt | NotJudged, Outcome]:
    from assistant.checks.program import Program, Stopped
    from assistant.sandbox import Limits

    limits = Limits(
        cpu_s=TASK_S, wall_s=_BACKSTOP * TASK_S, memory_mb=truth.memory_mb, output_kb=OUTPUT_KB
    )
    passed, layer = -1, "none"
    try:
        with Program(work.program, limits, stop=stop, nursery=nursery) as program:
            layer = program.layer.value
            load(
                program,
                truth.entry_point,
                helped=truth.helped,
                cpu_s=LOAD_S,
                wall_s=_BACKSTOP * LOAD_S,
            )
            passed = 0
            for asked, output in answers(program, truth):
                expected = asked.about
                if output != expected.output and not _right(output, expected, truth):
                    wrong = Outcome.WRONG
                    return _failed(work, truth, layer, passed, wrong.value, ""), wrong
                passed += 1
    except Stopped as stopped:
        if stopped.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.NOT_CHECKED):
            return NotJudged(work.task, work.sample, stopped.detail), stopped.outcome
        record = _failed(work, truth, layer, passed, stopped.outcome.value, stopped.kind)
        sure = stopped.outcome is not Outcome.TIMEOUT or stopped.share >= _OWN_CORE
        return (record if sure else Doubt(record)), stopped.outcome
    passes = Outcome.PASS
    return Record(work.task, work.sample, PASS, PASS, passes.value, "", "", layer), passes


def _answers(program: Program, truth: Truth) -> Iterator[tuple[Asked, bytes]]:
    """The outputs of all inputs, in their order. Plus inputs wait until the base is judged."""
    from assistant.checks.ahead import call_each

    asked = _asked(truth)
    yield from call_each(program, itertools.islice(asked, truth.base))
    yield from call_each(program, asked)


def _answers_singly(program: Program, truth: Truth) -> Iterator[tuple[Asked, bytes]]:
    """The same, each question sent when the answer before is there."""
    from assistant.checks.ahead import call_each

    for one in _asked(truth):
        yield from call_each(program, [one])


def _asked(truth: Truth) -> Iterator[Asked]:
    """The calls of all inputs."""
    from assistant.checks.ahead import Asked

    names = [function_of(truth.entry_point, truth.rule, digest=kind) for kind in (False, True)]
    least = CALL_S * slowness()
    for expected in truth:
        packed, output, seconds, digest = expected
        limit = max(least, FACTOR * seconds)
        most = 4 * len(output) + _MESSAGE_BYTES
        yield Asked(names[digest], packed, limit, _BACKSTOP * limit, most, expected)


@functools.cache
def slowness() -> float:
    """How many times slower than where `CALL_S` was chosen Python runs here and now; 1 or more.

    It is measured once in a process, the best of three: a quicker machine allows no less.
    """
    took = []
    for _ in range(3):
        began = time.thread_time()
        _loop()
        took.append(time.thread_time() - began)
    return max(1.0, min(took) / _LOOP_S)


def _loop() -> int:
    """A fixed piece of work of the kind that programs are made of."""
    total = 0
    for number in range(40_000):
        total += number * number % 7
    return total


def _right(output: bytes, expected: Expected, truth: Truth) -> bool:
    """Whether the output for one input is right: texts that differ may mean equal outputs."""
    from assistant.checks import values

    if expected.digest:
        return False
    try:
        got = values.decode(output)
    except (ValueError, TypeError, RecursionError):
        return False
    arguments = unpacked(expected.packed)
    return right(truth.rule, got, values.decode(expected.output), arguments, truth.atol)


def _failed(work: Work, truth: Truth, layer: str, passed: int, outcome: str, kind: str) -> Record:
    """The record of a program that passed the first `passed` inputs; -1: it did not load."""
    base = PASS if passed >= truth.base else FAIL
    if passed < 0:
        where = "load"
    elif base == FAIL:
        where = f"base {passed}"
    else:
        where = f"plus {passed - truth.base}"
    return Record(work.task, work.sample, base, FAIL, outcome, kind, where, layer)


def _by_tests(work: Work, tests: Tests, stop: threading.Event | None) -> Record | Doubt | NotJudged:
    from assistant.checks import apart
    from assistant.sandbox import Limits

    limits = Limits(
        cpu_s=TESTS_S, wall_s=_BACKSTOP * TESTS_S, memory_mb=MEMORY_MB[0], output_kb=OUTPUT_KB
    )
    if tests.check:
        result = apart.run_check(work.program, tests.check, work.entry_point, limits, stop=stop)
    else:
        result = apart.run_asserts(work.program, tests.asserts, tests.setup, limits, stop=stop)
    if result.outcome in (Outcome.SANDBOX_UNAVAILABLE, Outcome.NOT_CHECKED):
        return NotJudged(work.task, work.sample, result.detail)
    verdict = PASS if result.outcome is Outcome.PASS else FAIL
    outcome = result.outcome.value
    record = Record(work.task, work.sample, verdict, None, outcome, result.kind, "", result.layer)
    return Doubt(record) if result.outcome is Outcome.TIMEOUT else record
