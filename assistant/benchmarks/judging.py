"""The verdict on one sample; what runs in a worker process.

Plus tasks are judged by calls: one at a time, each with its own limit, until an input is not
passed. The asserts of the other tasks run in a sandbox of their own (`assistant.checks.apart`).
"""

from __future__ import annotations

import itertools
import threading
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
CALL_S = 0.5
"""Processor time of one call, at least. The slowest call of a published pass of HumanEval+ takes
0.085 s on two busy hyperthreads (task 147 of Qwen2.5-Coder 1.5B), its reference 17 microseconds;
the evaluator that the verdicts were published with allows 1 s by the clock on the wall, waiting
for a core included."""
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

    A call's limit is of the processor time of its own process, which does not pass while that
    waits for a core. So a timeout is believed at once when the process was running for more than
    half of the time: others can slow it down by what they take of the core's caches, which the
    limit leaves room for. Any other timeout (of the wall clock, of the whole program, or of a
    process that mostly waited) is a `Doubt`.
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


_Answers = Callable[["Program", Truth], "Iterator[tuple[Expected, bytes]]"]


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
            for expected, output in answers(program, truth):
                if not _right(output, expected, truth):
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


def _answers(program: Program, truth: Truth) -> Iterator[tuple[Expected, bytes]]:
    """The outputs of all inputs, in their order. Plus inputs wait until the base is judged."""
    from assistant.checks.ahead import call_each

    entries = iter(truth)
    for part in (itertools.islice(entries, truth.base), entries):
        for asked, output in call_each(program, (_asked(one, truth) for one in part)):
            yield asked.about, output


def _answers_singly(program: Program, truth: Truth) -> Iterator[tuple[Expected, bytes]]:
    """The same, each question sent when the answer before is there."""
    from assistant.checks.ahead import call_each

    for one in truth:
        for asked, output in call_each(program, [_asked(one, truth)]):
            yield asked.about, output


def _asked(expected: Expected, truth: Truth) -> Asked:
    from assistant.checks.ahead import Asked

    seconds = max(CALL_S, FACTOR * expected.seconds)
    return Asked(
        function_of(truth.entry_point, truth.rule, digest=expected.digest),
        expected.packed,
        cpu_s=seconds,
        wall_s=_BACKSTOP * seconds,
        max_bytes=4 * len(expected.output) + _MESSAGE_BYTES,
        about=expected,
    )


def _right(output: bytes, expected: Expected, truth: Truth) -> bool:
    """Whether the output for one input is right."""
    if output == expected.output:
        return True
    if expected.digest:
        return False
    return _decoded_right(output, expected, truth)


def _decoded_right(output: bytes, expected: Expected, truth: Truth) -> bool:
    """The slow way: texts that differ may mean outputs that are equal enough."""
    from assistant.checks import values

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
