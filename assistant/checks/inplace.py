"""The verdict on an edit of a file: the whole file, with the edit, where it lies.

The order is fixed, and the first finding is the verdict:

1. the file parses, if it did before;
2. every name resolves that did, or that is new;
3. the examples in the docstring of the function that was written hold;
4. the tests of the project that are about this function hold (`related`, `selecting`).

What runs, runs in the sandbox, with the project readable, its secrets masked, and its own Python.
What can not run there says nothing about the edit (`edit.excuse`): the verdict tells what did not
run and why. Tests that run and fail are a failure, whether they failed before or not.
"""

from __future__ import annotations

import ast
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.checks.edit import Edit, excuse
from assistant.checks.names import undefined_names
from assistant.checks.parsing import parse_error
from assistant.checks.program import Program, Stopped
from assistant.checks.projects import module_of, project_at
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.checks.static import examine, listed
from assistant.checks.testfile import TestFile
from assistant.errors import AssistantError
from assistant.outcomes import Outcome
from assistant.sandbox import Limits, layers

LIMITS = Limits(cpu_s=10.0, wall_s=12.0, memory_mb=2048, threads=64)
"""Of each process: a project imports more than an answer by itself does."""
MOST_S = 20.0
"""For everything that runs; what is not done by then is not run."""
_LOOK_S = 0.05
_WORD = re.compile(r"[^\W\d]\w*")


def check_in_place(
    before: str,
    after: str,
    *,
    path: Path | None = None,
    function: str | None = None,
    project: Path | None = None,
    language: str = "python",
    stop: threading.Event | None = None,
) -> CheckResult:
    """Check the edit that makes `after` of `before`.

    Args:
        before: the whole text of the file, without the edit.
        after: the same with it.
        path: where the file lies; None: nowhere yet.
        function: what was written, dotted for a method; without it nothing is run.
        project: the folder that the checks may read.
        language: of the file, in lower case; others than Python are parsed at most.
        stop: set from another thread, it ends what runs.
    """
    if (found := _static(before, after, language)) is not None:
        return found
    if function is None:
        return parsed("nothing of it was run")
    home = project_at(project) if project is not None else None
    edit = Edit(before, after, module_of(path, project), home)
    return twice(lambda ended: _run(edit, path, function, ended), stop)


def parsed(detail: str) -> CheckResult:
    """The verdict on what nothing ran for."""
    said = f"it parses and its names resolve; {detail}"
    return CheckResult(Outcome.PARSED, NOTHING_RAN, said)


def _static(before: str, after: str, language: str) -> CheckResult | None:
    """The verdict of the checks that run nothing; None when nothing speaks against the edit."""
    if language != "python":
        found, was = examine(after, language), examine(before, language)
        broken = found is not None and was is not None and found.outcome.failed
        return _broken_before(found) if found and was and broken and was.outcome.failed else found
    problem, earlier = parse_error(after), parse_error(before)
    if problem is not None:
        found = CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
        return found if earlier is None else _broken_before(found)
    if earlier is not None:  # which of its names were defined is not known
        known = set(_WORD.findall(before))
    else:
        known = {one.name for one in undefined_names(before)}
    if undefined := undefined_names(after, known):
        return CheckResult(Outcome.ERROR, NOTHING_RAN, listed(undefined), "NameError")
    return None


def _broken_before(found: CheckResult) -> CheckResult:
    said = f"the file does not parse, and did not without the edit ({found.detail})"
    return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, said)


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


@dataclass(frozen=True, slots=True)
class _Part:
    """What came of one thing that was to run."""

    what: str
    result: CheckResult
    excuse: str = ""
    """Why it says nothing about the edit."""

    @property
    def decides(self) -> bool:
        """Nothing else need run."""
        outcome = self.result.outcome
        return outcome is Outcome.SANDBOX_UNAVAILABLE or (outcome.failed and not self.excuse)


def _run(edit: Edit, path: Path | None, function: str, ended: threading.Event) -> CheckResult:
    """Run what there is to run, until something fails."""
    parts: list[_Part] = []
    for part in _parts(edit, path, function, ended):
        parts.append(part)
        if part.decides:
            break
    return _verdict(parts, function)


def _parts(edit: Edit, path: Path | None, function: str, ended: threading.Event) -> Iterator[_Part]:
    def part(what: str, run: Callable[[], CheckResult]) -> _Part:
        result = guarded(run)
        if ended.is_set():
            return _Part(what, result, f"not done within {MOST_S:g} s for all checks")
        return _Part(what, result, excuse(result, edit, lambda: load_before(edit, ended)))

    if has_examples(edit.after, function):
        yield part(f"the docstring of {function}", lambda: _doctests(edit, function, ended))
    if path is None or edit.project is None:
        return
    from assistant.checks.related import related_tests

    for tests in related_tests(path, edit.project.root, edit.module, function):
        yield part(tests.name, lambda tests=tests: placed(edit, tests, ended))  # type: ignore[misc]


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
    return Program(
        source,
        LIMITS,
        name=edit.module.name,
        project=edit.project,
        within=edit.module.folders,
        stop=ended,
    )


def _doctests(edit: Edit, function: str, ended: threading.Event) -> CheckResult:
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


def placed(edit: Edit, tests: TestFile, ended: threading.Event) -> CheckResult:
    """Run tests against the file with the edit."""
    from assistant.checks.apart import run_tests

    return run_tests(edit.after, tests, LIMITS, project=edit.project, stop=ended)


def _verdict(parts: list[_Part], function: str) -> CheckResult:
    """One result for all that ran, with one sentence for each part."""
    notes = [f"{one.what} was not run: {one.excuse}" for one in parts if one.excuse]
    last = parts[-1] if parts else None
    if last is not None and last.decides:
        return replace(last.result, detail="; ".join([_said(last), *notes]))
    fine = [one for one in parts if not one.excuse]
    said = "; ".join([*map(_said, fine), *notes])
    held = [one for one in fine if one.result.outcome is Outcome.PASS]
    if held:
        return replace(held[-1].result, detail=said)
    return parsed(said or f"no examples and no tests of {function} were found")


def _said(part: _Part) -> str:
    """A part's own words; tests name their file in a failure, but not in a success."""
    said = part.result.detail
    return said if part.what in said else f"{part.what}: {said}"
