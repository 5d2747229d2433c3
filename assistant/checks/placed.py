"""Runs of a file in the place of the one on disk: its examples, and tests, within the project."""

from __future__ import annotations

import ast
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from assistant.checks.edit import Edit
from assistant.checks.program import Program, Stopped
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.checks.testfile import TestFile
from assistant.errors import AssistantError
from assistant.outcomes import Outcome
from assistant.sandbox import Limits, layers

LIMITS = Limits(cpu_s=10.0, wall_s=12.0, memory_mb=2048, threads=64)
"""Of each process: a project imports more than an answer by itself does."""
MOST_S = 20.0
"""For everything that runs; what is not done by then is not run."""
_LOOK_S = 0.05


def twice(
    run: Callable[[threading.Event], CheckResult], stop: threading.Event | None
) -> CheckResult:
    """Run within the time for everything; once more when a layer of isolation was lost.

    Args:
        run: is given an event that is set when the time is over, or `stop` is set.
        stop: the caller's.
    """
    stop, began = stop or threading.Event(), time.monotonic()
    with _in_time(stop) as ended:
        result = run(ended)
        if result.outcome is Outcome.SANDBOX_UNAVAILABLE and layers():
            result = run(ended)  # in another layer, which is named
    if stop.is_set():
        result = CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, "the check was cancelled")
    return replace(result, seconds=time.monotonic() - began)


@contextmanager
def _in_time(stop: threading.Event) -> Iterator[threading.Event]:
    """An event that is set when `stop` is, or when the time for everything is over."""
    ended, left = threading.Event(), threading.Event()
    deadline = time.monotonic() + MOST_S

    def watch() -> None:
        while not left.wait(_LOOK_S):
            if stop.is_set() or time.monotonic() >= deadline:
                ended.set()
                return

    watching = threading.Thread(target=watch, name="check in time", daemon=True)
    watching.start()
    try:
        yield ended
    finally:
        left.set()
        watching.join()


def guarded(run: Callable[[], CheckResult]) -> CheckResult:
    """The result; what keeps the check from being set up is a result, too."""
    try:
        return run()
    except Stopped as stopped:
        return CheckResult(stopped.outcome, NOTHING_RAN, stopped.detail, stopped.kind)
    except AssistantError as error:  # the project is none that may be shown, say
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, error.message)


def has_examples(source: str, function: str) -> bool:
    """Whether the docstring of `function`, or of what is in it, shows something to run."""
    if ">>>" not in source:
        return False
    from assistant.checks.docstrings import docstrings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = docstrings(ast.parse(source))
    return any(one.shown and f"{one.name}.".startswith(f"{function}.") for one in found)


def _program(source: str, edit: Edit, ended: threading.Event) -> Program:
    return Program(source, LIMITS, project=edit.project, within=edit.module, stop=ended)


def run_examples(edit: Edit, function: str, ended: threading.Event) -> CheckResult:
    """Run the examples in the docstring of `function`, and of what is in it."""
    from assistant.checks.doctests import judge_doctests

    program = _program(edit.after, edit, ended)
    return judge_doctests(edit.after, function, started=program)


def load_before(edit: Edit, ended: threading.Event) -> CheckResult | None:
    """Load the file without the edit; None when it loads."""

    def run() -> CheckResult:
        with _program(edit.before, edit, ended) as program:
            program.load()
        return CheckResult(Outcome.PASS, NOTHING_RAN, "")

    result = guarded(run)
    return None if result.outcome is Outcome.PASS else result


def run_in_place(edit: Edit, tests: TestFile, ended: threading.Event) -> CheckResult:
    """Run tests against the file with the edit.

    Code and tests run apart, which no code can cheat and not all tests can stand: a class of the
    project is another one on each side. So those that fail are run once more, beside the code in
    one process. Code could make that hold; so it is no pass then, but no failure either.
    """
    from assistant.checks.apart import run_tests
    from assistant.checks.together import Beside, beside_the_code

    result = run_tests(edit.after, tests, LIMITS, project=edit.project, stop=ended)
    if not result.outcome.failed or result.at in ("answer", "tests"):
        return result
    match beside_the_code(edit.after, tests, LIMITS, project=edit.project, stop=ended):
        case Beside.HOLD:
            said = "they hold beside the code in one process, which proves nothing, and not apart"
        case Beside.REFUSED:
            said = "the sandbox does not give them what they need"
        case Beside.FAIL:
            return result
    return CheckResult(Outcome.NOT_CHECKED, result.layer, f"{said}: {result.detail}")


def fails_as_before(
    result: CheckResult, edit: Edit, function: str, tests: TestFile, ended: threading.Event
) -> bool:
    """Whether tests fail in the very same way without the edit, where there was code before it."""
    from assistant.checks.apart import run_tests

    if not result.outcome.failed or result.at in ("", "answer", "tests"):
        return False
    if not edit.rewrites(function):
        return False
    was = run_tests(edit.before, tests, LIMITS, project=edit.project, stop=ended)
    return (was.outcome, was.at, was.detail) == (result.outcome, result.at, result.detail)
