"""Which solution passes its tests: run in the sandbox, judged outside of it, remembered.

A verdict costs up to a second and there are hundreds of thousands, so each is appended to a file
under a key of everything that it depends on. A run that is killed loses what was under way at
that moment; the next one, also one with other settings of the funnel, asks for the rest alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any, Protocol, Self

from assistant.checks.calls import Call, judge_calls
from assistant.checks.compare import Equality
from assistant.checks.stdio import StdioTest, judge_stdio
from assistant.errors import TrainingProblem
from assistant.outcomes import Outcome
from assistant.sandbox import Limits
from training import files
from training.data.problem import Example

FORMAT = 1
"""Of what a verdict means; raised when the judge changes."""
_UNDECIDED = (Outcome.SANDBOX_UNAVAILABLE, Outcome.NOT_CHECKED)
_MEMORY_MB = 1024
_OUTPUT_KB = 1024


class Task(Protocol):
    """What a solution is held against: a row of a data set, or a problem that was made of one."""

    @property
    def tests(self) -> tuple[str, ...]:
        """Lines of assertions."""
        ...

    @property
    def setup(self) -> str:
        """What runs before them."""
        ...

    @property
    def examples(self) -> tuple[Example, ...]:
        """Texts to read and print, or arguments and results."""
        ...

    @property
    def name(self) -> str:
        """The function that is called; empty for a whole program."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What came of running one solution."""

    outcome: Outcome
    detail: str
    unwrapped: bool = False
    """It passes when each expected result is taken out of a list of one, as some rows have it."""


def judge(code: str, row: Task, cpu_seconds: float, stop: Event | None = None) -> Verdict:
    """Run one solution against the examples and tests of its row.

    Args:
        code: a whole program, or a module with the function.
        row: what it must do.
        cpu_seconds: processor time of one test of a program, or of all calls together.
        stop: set from another thread, it ends the run.
    """
    limits = Limits(
        cpu_s=cpu_seconds, wall_s=3 * cpu_seconds, memory_mb=_MEMORY_MB, output_kb=_OUTPUT_KB
    )
    verdict = Verdict(Outcome.NOT_CHECKED, "there are no tests")
    if row.tests:
        verdict = _by_asserts(code, row, limits, stop)
        if verdict.outcome is not Outcome.PASS:
            return verdict
    if not row.examples:
        return verdict
    if row.name:
        return _by_calls(code, row, limits, stop)
    tests = [StdioTest(one.given, one.expected) for one in row.examples]
    result = judge_stdio(code, tests, limits=limits, stop=stop)
    return Verdict(result.outcome, result.detail)


def _by_asserts(code: str, row: Task, limits: Limits, stop: Event | None) -> Verdict:
    from assistant.checks.apart import run_asserts

    try:
        result = run_asserts(code, row.tests, row.setup, limits, stop=stop)
    except SyntaxError as error:
        return Verdict(Outcome.ERROR, f"the tests are not Python: {error}")
    return Verdict(result.outcome, result.detail)


def _by_calls(code: str, row: Task, limits: Limits, stop: Event | None) -> Verdict:
    source = callable_source(code, row.name)
    verdict = _call_all(source, row.name, row.examples, limits, stop)
    if verdict.outcome is not Outcome.WRONG or not _all_wrapped(row.examples):
        return verdict
    again = _call_all(source, row.name, unwrapped(row.examples), limits, stop)
    return replace(again, unwrapped=True) if again.outcome is Outcome.PASS else verdict


def _call_all(
    source: str, name: str, examples: tuple[Example, ...], limits: Limits, stop: Event | None
) -> Verdict:
    calls = [Call(tuple(json.loads(one.given)), json.loads(one.expected)) for one in examples]
    try:
        result = judge_calls(
            source, name, calls, limits=limits, equality=Equality.PYTHON, abs_tol=1e-6, stop=stop
        )
    except (TypeError, ValueError) as error:
        return Verdict(Outcome.ERROR, f"the tests can not be sent: {error}")
    return Verdict(result.outcome, result.detail)


def callable_source(code: str, name: str) -> str:
    """`code` in which `name` can be called: some solutions are a method of `class Solution`."""
    if "class Solution" in code and f"\ndef {name}(" not in f"\n{code}":
        return f"{code}\n{name} = Solution().{name}\n"
    return code


def _all_wrapped(examples: tuple[Example, ...]) -> bool:
    values = [json.loads(one.expected) for one in examples]
    return all(isinstance(value, list) and len(value) == 1 for value in values)


def unwrapped(examples: tuple[Example, ...]) -> tuple[Example, ...]:
    """The same with each expected result taken out of its list of one."""
    return tuple(replace(one, expected=json.dumps(json.loads(one.expected)[0])) for one in examples)


class Verdicts:
    """Verdicts on disk; use it as a context manager. Threads may share one.

    Args:
        path: the file, which is made when it is missing; a torn last line is cut off.
        cpu_seconds: of one test.
        run: what judges; the sandbox unless a caller has something else.
    """

    def __init__(
        self,
        path: Path,
        cpu_seconds: float,
        run: Callable[[str, Task, float, Event | None], Verdict] = judge,
    ) -> None:
        self._seconds, self._run = cpu_seconds, run
        self._lock, self._stop = Lock(), Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        self._known = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        with self._lock:
            self._file.close()

    def stop(self) -> None:
        """End what runs, within a tenth of a second; what it would have said is not kept."""
        self._stop.set()

    def _read(self) -> dict[str, Verdict]:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        found = {}
        for line in whole.splitlines():
            try:
                row: dict[str, Any] = json.loads(line)
                found[row["key"]] = Verdict(
                    Outcome(row["outcome"]), row["detail"], row["unwrapped"]
                )
            except (ValueError, KeyError, TypeError):
                continue  # it is judged again
        return found

    def of(self, code: str, row: Task) -> Verdict:
        """The verdict on one solution, remembered or new.

        Raises:
            TrainingProblem: nothing can be run on this machine.
        """
        key = self._key(code, row)
        if (known := self._known.get(key)) is not None:
            return known
        verdict = self._run(code, row, self._seconds, self._stop)
        if verdict.outcome is Outcome.SANDBOX_UNAVAILABLE:
            raise TrainingProblem(
                f"Solutions can not be verified: {verdict.detail}",
                hint="assistant doctor says what the sandbox lacks; "
                "--set problems.verify=false leaves the tests unrun.",
            )
        # A run that was stopped has no verdict, and one without tests needs none.
        if verdict.outcome not in _UNDECIDED and not self._stop.is_set():
            self._write(key, verdict)
        return verdict

    def _key(self, code: str, row: Task) -> str:
        examples = [asdict(one) for one in row.examples]
        parts = (FORMAT, code, row.name, row.setup, list(row.tests), examples, self._seconds)
        return files.digest_of(list(parts))

    def _write(self, key: str, verdict: Verdict) -> None:
        line = json.dumps(
            {
                "key": key,
                "outcome": verdict.outcome.value,
                "detail": verdict.detail,
                "unwrapped": verdict.unwrapped,
            },
            ensure_ascii=False,
        )
        with self._lock:
            if self._file.closed:
                return
            self._known[key] = verdict
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
