"""The verdict on generated code: the three checks in their fixed order."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from assistant.checks.names import Undefined, undefined_names
from assistant.checks.parsing import parse_error
from assistant.checks.testfile import TestFile, parse_tests
from assistant.checks.trial import Limits
from assistant.checks.verdicts import UNSANDBOXED, run_tests
from assistant.events import Outcome

NOTHING_RAN = "none"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a `Verdict` event says, without the candidate that it is about."""

    outcome: Outcome
    layer: str
    detail: str


def check(
    code: str,
    *,
    language: str = "python",
    known_names: Collection[str] = (),
    tests: TestFile | None = None,
    verify: bool = True,
    limits: Limits | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Check `code`; it is run only when `tests` are given.

    Args:
        code: what the model wrote.
        language: of the code, in lower case.
        known_names: names that the place provides which the code is meant for.
        tests: what the code has to stand.
        verify: False when the user switched the checks off.
        limits: of the run of the tests.
        stop: set from another thread, it ends that run.
    """
    if not verify:
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, "checks are switched off")
    if language != "python":
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, f"no checks for {language} yet")
    if (problem := parse_error(code)) is not None:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem))
    if undefined := undefined_names(code, known_names):
        return CheckResult(Outcome.ERROR, NOTHING_RAN, _listed(undefined))
    if tests is None:
        return CheckResult(
            Outcome.PARSED, NOTHING_RAN, "it parses and its names resolve; no tests were given"
        )
    outcome, detail = run_tests(code, tests, limits, stop)
    ran = outcome not in (Outcome.SANDBOX_UNAVAILABLE, Outcome.NOT_CHECKED)
    return CheckResult(outcome, UNSANDBOXED if ran else NOTHING_RAN, detail)


def _listed(undefined: list[Undefined], most: int = 3) -> str:
    """The first of the names; a model that goes astray can make up hundreds."""
    rest = len(undefined) - most
    more = [f"and {rest} more"] if rest > 0 else []
    return "; ".join([*map(str, undefined[:most]), *more])


def check_many(
    pairs: Iterable[tuple[str, str]],
    *,
    limits: Limits | None = None,
    workers: int | None = None,
) -> Iterator[CheckResult]:
    """The results for many `(code, tests)` texts, in the order of the pairs.

    A thread per worker waits for a process each, so the time is that of the processes. The pairs
    are taken from the iterable a little ahead of the results, never all at once.

    Raises:
        UsageProblem: the tests of a pair are not Python or test nothing.
    """
    workers = workers or max(1, os.cpu_count() or 1)
    pending = iter(pairs)

    def one(pair: tuple[str, str]) -> CheckResult:
        code, tests = pair
        return check(code, tests=parse_tests(tests), limits=limits)

    with ThreadPoolExecutor(workers, thread_name_prefix="check") as pool:
        running = [pool.submit(one, pair) for pair in islice(pending, workers * 4)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(one, pair) for pair in islice(pending, 1)]
