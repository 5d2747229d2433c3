"""The verdict on an edit of a file: the whole file, with the edit, where it lies.

The order is fixed, and the first finding is the verdict:

1. the file parses, if it did before;
2. every name resolves that did, or that is new;
3. the examples in the docstring of the function that was written hold;
4. the tests of the project that are about this function hold (`related`, `selecting`).

What runs, runs in the sandbox, with the project readable, its secrets masked, and its own Python.
What can not run there says nothing about the edit (`edit.excuse`): the verdict tells what did not
run and why. Tests that run and fail are a failure; where they fail in the very same way with the
code as it was, that is told. What stood there must have been code, of course: a stub fails, too.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from assistant.checks import placed
from assistant.checks.edit import Edit, excuse
from assistant.checks.names import undefined_names
from assistant.checks.parsing import parse_error
from assistant.checks.placed import (
    fails_as_before,
    guarded,
    has_examples,
    load_before,
    run_examples,
    run_in_place,
    twice,
)
from assistant.checks.projects import module_of, project_at
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.checks.static import examine, listed
from assistant.outcomes import Outcome

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
            return _Part(what, result, f"not done within {placed.MOST_S:g} s for all checks")
        return _Part(what, result, excuse(result, edit, lambda: load_before(edit, ended)))

    if has_examples(edit.after, function):
        yield part(f"the docstring of {function}", lambda: run_examples(edit, function, ended))
    if path is None or edit.project is None:
        return
    from assistant.checks.related import related_tests

    for tests in related_tests(path, edit.project.root, edit.module, function):
        found = part(tests.name, partial(run_in_place, edit, tests, ended))
        if found.decides and fails_as_before(found.result, edit, function, tests, ended):
            found = replace(
                found, excuse=f"without it they fail in the same way: {found.result.detail}"
            )
        yield found


def _verdict(parts: list[_Part], function: str) -> CheckResult:
    """One result for all that ran, with one sentence for each part."""
    notes = [f"{one.what} says nothing of the edit: {one.excuse}" for one in parts if one.excuse]
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
