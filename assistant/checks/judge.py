"""The verdict on generated code: the checks in their fixed order."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice

from assistant.checks.apart import run_tests
from assistant.checks.names import undefined_names
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.checks.static import examine
from assistant.checks.testfile import TestFile, parse_tests
from assistant.outcomes import Outcome
from assistant.sandbox import Layer, Limits, Project


def check(
    code: str,
    *,
    language: str = "python",
    known_names: Collection[str] = (),
    tests: TestFile | None = None,
    verify: bool = True,
    limits: Limits | None = None,
    layer: Layer | None = None,
    project: Project | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Check `code`; it is run, in the sandbox, when `tests` are given or it has doctests.

    Args:
        code: what the model wrote.
        language: of the code, in lower case.
        known_names: names that the place provides which the code is meant for.
        tests: what the code has to stand.
        verify: False when the user switched the checks off.
        limits: of each process that runs.
        layer: of isolation; by default the best that the machine has.
        project: what the tests may see besides the code.
        stop: set from another thread, it ends what runs within a tenth of a second.
    """
    if not verify:
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, "checks are switched off")
    if (found := examine(code, language, known_names)) is not None:
        return found
    if tests is not None:
        return run_tests(code, tests, limits, layer=layer, project=project, stop=stop)
    # Code that needs names of the place it is meant for can not run by itself.
    if ">>>" in code and (not known_names or not undefined_names(code)):
        from assistant.checks.doctests import judge_doctests

        found = judge_doctests(code, limits=limits, layer=layer, stop=stop)
        if found.outcome is not Outcome.PARSED:
            return found
    return CheckResult(
        Outcome.PARSED, NOTHING_RAN, "it parses and its names resolve; no tests were given"
    )


def check_many(
    pairs: Iterable[tuple[str, str]],
    *,
    limits: Limits | None = None,
    workers: int | None = None,
) -> Iterator[CheckResult]:
    """The results for many `(code, tests)` texts, in the order of the pairs.

    A thread per worker waits for its processes, so the time is theirs. The pairs are taken from
    the iterable a little ahead of the results, never all at once. A timeout that was seen while
    others ran is judged once more with nothing beside it.

    Raises:
        UsageProblem: the tests of a pair are not Python or test nothing.
    """
    workers = workers or max(1, os.cpu_count() or 1)
    pending, road = iter(pairs), _Road()

    def one(pair: tuple[str, str]) -> CheckResult:
        code, tests = pair
        parsed = parse_tests(tests)
        with road.shared():
            result = check(code, tests=parsed, limits=limits)
        if result.outcome is Outcome.TIMEOUT and workers > 1:
            with road.alone():
                result = check(code, tests=parsed, limits=limits)
        return result

    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        running = [pool.submit(one, pair) for pair in islice(pending, workers * 4)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(one, pair) for pair in islice(pending, 1)]


class _Road:
    """Many may be on it at once, or one that wants it to itself."""

    def __init__(self) -> None:
        self._free = threading.Condition()
        self._users, self._waiting = 0, 0

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._free:
            self._free.wait_for(lambda: self._users >= 0 and not self._waiting)
            self._users += 1
        try:
            yield
        finally:
            with self._free:
                self._users -= 1
                self._free.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._free:
            self._waiting += 1
            self._free.wait_for(lambda: self._users == 0)
            self._waiting -= 1
            self._users = -1
        try:
            yield
        finally:
            with self._free:
                self._users = 0
                self._free.notify_all()
