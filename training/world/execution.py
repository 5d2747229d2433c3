"""Running code against tests.

`call` and `make_tests` run the world's own reference code in this process: it is written here,
loops over bounded input only, and a process for each of 100,000 problems would take an hour.
`run_tests` is for code that a model wrote: a fresh process with limits. It keeps accidents away
(loops, memory, output); it is no protection against an attacker.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import CodeType
from typing import Any

from training.world.constants import sample
from training.world.draft import Draft
from training.world.problem import Problem

_FAILURES = (ArithmeticError, LookupError, RecursionError, TypeError, ValueError)
_RUNNER = Path(__file__).with_name("runner.py")


@dataclass(frozen=True)
class Outcome:
    """passed: every test held. reason: what went wrong first, empty when passed."""

    passed: bool
    reason: str


def load(code: str, name: str) -> Any:
    """The function `name` of trusted code."""
    compiled: CodeType = compile(code, "<reference>", "exec")
    space: dict[str, Any] = {}
    exec(compiled, space)
    return space[name]


def shown(value: Any) -> str:
    """A value as a test shows it."""
    return repr(value)


def call_text(name: str, arguments: Sequence[Any]) -> str:
    """`name(1, [2])` as text."""
    return f"{name}({', '.join(shown(a) for a in arguments)})"


def _plain(value: Any) -> bool:
    """Whether `value` survives being written as a literal and read again."""
    if isinstance(value, float):
        return value == value and abs(value) < 1e15
    if isinstance(value, int):
        return abs(value) < 10**18
    if isinstance(value, str):
        return len(value) < 200 and value.isprintable()
    if isinstance(value, list | tuple):
        return len(value) < 60 and all(_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_plain(k) and _plain(v) for k, v in value.items())
    return value is None


@dataclass(frozen=True)
class Examples:
    """Calls with their results; `empty` is the result for empty input, as text, if it has one."""

    calls: tuple[tuple[tuple[Any, ...], Any], ...]
    empty: str | None


def make_examples(draft: Draft, function: Any, rng: Random, wanted: int = 5) -> Examples | None:
    """Inputs and results of the reference.

    Returns:
        None when the function is not worth a problem: it fails, or it says the same to everything.
    """
    calls: list[tuple[tuple[Any, ...], Any]] = []
    seen: set[str] = set()
    constants = list(draft.constants)
    for attempt in range(wanted * 3):
        arguments = tuple(sample(kind, rng, constants) for kind in draft.kinds)
        key = repr(arguments)
        if key in seen:
            continue
        seen.add(key)
        try:
            result = function(*deepcopy(arguments))
        except _FAILURES:
            continue
        if not _plain(result) or len(key) > 150 or len(repr(result)) > 150:
            continue
        calls.append((arguments, result))
        if len(calls) >= wanted - 1 and (_varied(calls) or attempt > wanted * 2):
            break
    if len(calls) < 3 or not _varied(calls):
        return None
    # A case that says something makes the better example.
    calls.sort(key=lambda c: not c[1])
    empty = None
    if draft.kinds:
        arguments = tuple(sample(kind, rng, constants, 0) for kind in draft.kinds)
        try:
            result = function(*deepcopy(arguments))
            if _plain(result):
                empty = shown(result)
                if not draft.nonempty and repr(arguments) not in seen:
                    calls.append((arguments, result))
        except _FAILURES:
            empty = None
    return Examples(tuple(calls), empty)


def _varied(calls: list[tuple[tuple[Any, ...], Any]]) -> bool:
    return len({repr(result) for _, result in calls}) > 1


def assertions(name: str, calls: Sequence[tuple[tuple[Any, ...], Any]]) -> tuple[str, ...]:
    """One assert for each call."""
    return tuple(
        f"assert {call_text(name, arguments)} == {shown(result)}" for arguments, result in calls
    )


def called_name(problem: Problem, code: str) -> str:
    """The function of `code` that the tests should reach.

    A request without a name leaves it free: then the last function that the code defines is
    meant, whatever it is called.
    """
    try:
        defined = [n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef)]
    except (SyntaxError, ValueError):
        return problem.name
    if problem.name in defined or problem.form not in ("none", "") or not defined:
        return problem.name
    return defined[-1]


def run_tests(problem: Problem, code: str, timeout: float = 5.0) -> Outcome:
    """Run `code` against the problem's tests in a process of its own.

    Args:
        timeout: seconds for all tests together.
    """
    return run_many([(problem, code)], timeout)[0]


def run_many(pairs: Sequence[tuple[Problem, str]], timeout: float = 5.0) -> list[Outcome]:
    """`run_tests` for many answers: one process, a forked child with limits for each answer."""
    jobs = [
        {
            "code": code,
            "setup": problem.setup,
            "tests": list(problem.tests),
            "alias": [problem.name, called_name(problem, code)],
            "timeout": timeout,
        }
        for problem, code in pairs
    ]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-I", str(_RUNNER)],
            input="".join(json.dumps(job) + "\n" for job in jobs),
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=folder,
            check=False,
        )
    lines = done.stdout.splitlines()
    if len(lines) != len(jobs):
        raise RuntimeError(
            f"the test runner ended after {len(lines)} of {len(jobs)} answers: {done.stderr[-300:]}"
        )
    return [Outcome(**json.loads(line)) for line in lines]
