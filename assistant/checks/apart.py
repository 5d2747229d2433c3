"""Tests in a sandbox apart from the code's, and the verdict on what was seen.

The code can change nothing about a verdict but the values that it returns: its process holds no
test, no expected value and no counter. What it can do and what is not covered:

- it answers for its own objects, so `Stack() == Stack()` is what the code says it is; data against
  an object of the code is an error (TypeError), never equal;
- a predicate that the tests ask of such an object (`stack.is_empty()`) is the code's answer.
"""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assistant.checks.instrument import prepare
from assistant.checks.interpreter import missing, with_pytest
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.checks.routing import Seen, observe
from assistant.checks.testfile import TestFile
from assistant.outcomes import Outcome
from assistant.sandbox import Ending, Layer, Limits, Project, SandboxUnavailable


def run_tests(
    code: str,
    tests: TestFile,
    limits: Limits | None = None,
    *,
    layer: Layer | None = None,
    project: Project | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Run `tests` against `code` and say what came of it, with one line for the user.

    Args:
        code: the answer, a whole module.
        tests: what it has to stand.
        limits: of each of the two processes.
        layer: of isolation; by default the best that the machine has.
        project: what both processes may read, secrets masked, and the Python of the tests.
        stop: set from another thread, it ends the run within a tenth of a second.
    """
    limits = limits or Limits()
    started = time.monotonic()
    interpreter = with_pytest(project) if tests.pytest else None
    if tests.pytest and interpreter is None:
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, missing(tests.pytest, project))
    try:
        with _seen_by_tests(project, interpreter) as tests_see:
            seen = observe(
                code,
                tests,
                prepare(code, tests),
                limits,
                layer=layer,
                stop=stop,
                code_sees=project,
                tests_see=tests_see,
            )
    except SandboxUnavailable as problem:
        return CheckResult(Outcome.SANDBOX_UNAVAILABLE, NOTHING_RAN, problem.sentence)
    outcome, detail, kind = _judge(seen, tests, limits)
    ran = NOTHING_RAN if outcome is Outcome.SANDBOX_UNAVAILABLE else seen.layer
    line = int((seen.raised or seen.last).get("answer_line", 0))
    return CheckResult(outcome, ran, detail, kind, time.monotonic() - started, seen.at, line)


def run_asserts(
    code: str,
    asserts: Sequence[str],
    setup: str = "",
    limits: Limits | None = None,
    *,
    layer: Layer | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Run a list of asserts, each a text of its own, after `setup` (MBPP's `test_setup_code`).

    Raises:
        SyntaxError: the asserts are not Python.
    """
    source = "\n".join([*([setup] if setup.strip() else []), *asserts]) + "\n"
    return run_tests(code, TestFile("test_list", source), limits, layer=layer, stop=stop)


def run_check(
    code: str,
    test_source: str,
    entry_point: str,
    limits: Limits | None = None,
    *,
    layer: Layer | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Run a test in the form of HumanEval: text that defines `check(candidate)`, which is called.

    Raises:
        SyntaxError: the test is not Python.
    """
    # The function under test may itself be called `check`.
    source = f"__candidate__ = {entry_point}\n{test_source}\ncheck(__candidate__)\n"
    return run_tests(code, TestFile("check", source), limits, layer=layer, stop=stop)


@contextmanager
def _seen_by_tests(project: Project | None, interpreter: Path | None) -> Iterator[Project | None]:
    """What the tests' process may read: pytest and an empty folder when there is no project."""
    if interpreter is None:
        yield project
    elif project is not None:
        yield replace(project, interpreter=interpreter)
    else:
        with _empty_folder() as folder:
            yield Project(folder, interpreter)


@contextmanager
def _empty_folder() -> Iterator[Path]:
    try:
        folder = TemporaryDirectory(prefix="assistant-tests-")
    except OSError as error:
        raise SandboxUnavailable(
            f"No empty folder can be made for the tests: {error.strerror}.",
            hint="Free some space, or set TMPDIR to a folder that can be written to.",
        ) from error
    with folder as path:
        yield Path(path)


_Judged = tuple[Outcome, str, str]


def _judge(seen: Seen, tests: TestFile, limits: Limits) -> _Judged:
    """The verdict on what was seen: outcome, one line for the user, and the kind of an error."""
    if seen.violation:
        return Outcome.PROTOCOL_VIOLATION, f"{seen.violation} on the channel of the code", ""
    if seen.ended is not None:
        return (*_judge_ended(seen, limits), "")
    if seen.raised:
        return _judge_raised(seen.raised, tests)
    end = seen.last.get("end")
    if end == "raised":
        if _wanted_to_write(seen):
            why = f"the tests write files, which the layer {seen.layer} does not allow"
            return Outcome.NOT_CHECKED, why, ""
        return _judge_raised(seen.last, tests)
    if end == "fault":
        return Outcome.PROTOCOL_VIOLATION, str(seen.last["message"]), ""
    if end == "unsupported":
        return Outcome.NOT_CHECKED, f"the tests need {seen.last['message']}", ""
    if skipped := seen.last["skipped"]:
        return Outcome.NOT_CHECKED, f"skipped: {'; '.join(map(str, skipped))[:300]}", ""
    if sorted(tests.functions) != sorted(seen.last["functions"]):
        return Outcome.NOT_CHECKED, f"not every test of {tests.name} was run", ""
    if not tests.functions and not seen.last["asserts"]:
        return Outcome.NOT_CHECKED, f"no assert of {tests.name} was reached", ""
    return Outcome.PASS, _count(seen.last), ""


def _wanted_to_write(seen: Seen) -> bool:
    """The tests themselves, not the code, met a layer without a folder to write to."""
    last = seen.last
    denied = last["type"] == "PermissionError" or "No usable temporary" in str(last["message"])
    return denied and not last["remote"] and seen.layer == Layer.LANDLOCK.value


def _count(last: dict[str, Any]) -> str:
    functions, asserts = len(last["functions"]), last["asserts"]
    parts = [f"{functions} test{'s' * (functions != 1)}"] if functions else []
    parts += [f"{asserts} assert{'s' * (asserts != 1)}"] if asserts else []
    return " with ".join(parts) + " held"


def _where(seen: Seen) -> str:
    known = {"answer": "while the code was loaded", "tests": "while the tests ran"}
    place = known.get(seen.at, f"in {seen.at}")
    if seen.at == "answer":
        return place
    return f"{place}, inside the code" if seen.in_code else f"{place}, inside the tests"


def _judge_ended(seen: Seen, limits: Limits) -> tuple[Outcome, str]:
    assert seen.ended is not None
    where = _where(seen)
    match seen.ended.ending:
        case Ending.STOPPED:
            return Outcome.NOT_CHECKED, "the check was cancelled"
        case Ending.CPU:
            return Outcome.TIMEOUT, f"{seen.ended.detail} {where}"
        case Ending.WALL:
            return Outcome.TIMEOUT, f"not finished after {limits.wall_s:g} s {where}"
        case Ending.OUTPUT:
            return Outcome.OUTPUT_LIMIT, f"printed more than {limits.output_kb} KiB {where}"
        case Ending.MESSAGE:
            return Outcome.PROTOCOL_VIOLATION, f"{seen.ended.detail} {where}"
    status = seen.ended.status or 0
    if status < 0:
        name = signal.Signals(-status).name if -status in signal.valid_signals() else str(-status)
        return Outcome.CRASH, f"the process died of {name} {where}"
    return Outcome.CRASH, f"the process ended with status {status} {where}"


def _judge_raised(facts: dict[str, Any], tests: TestFile) -> _Judged:
    kind, message = str(facts["type"]), str(facts["message"])
    line, answer_line = int(facts.get("tests_line", 0)), int(facts["answer_line"])
    where = f"{tests.name} line {line}: {tests.line(line)[:200]}" if line else ""
    if kind == "MemoryError":
        return Outcome.MEMORY, _join("the memory limit was hit", where), kind
    if facts.get("errno") == errno.EFBIG:
        return Outcome.OUTPUT_LIMIT, _join("a file grew beyond its limit", where), kind
    if kind == "AssertionError" and line and not facts["remote"]:
        return Outcome.WRONG, _join(where, f"({message})" if message else "", " "), ""
    raised = f"{kind}: {message}" if message else kind
    raised += f" (line {answer_line} of the code)" if answer_line else ""
    if kind == "ModuleNotFoundError":
        raised += "; where tests run there is the standard library only"
    return Outcome.ERROR, _join(raised, where), kind


def _join(first: str, second: str, by: str = "; ") -> str:
    return f"{first}{by}{second}" if second else first
