"""The tasks of a benchmark as typed problems, read from its data file."""

from __future__ import annotations

import ast
import gc
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assistant.benchmarks.catalogue import Benchmark
from assistant.benchmarks.data import DataFile
from assistant.benchmarks.inputs import Arguments, mbpp_arguments
from assistant.benchmarks.rules import Rule, rule_of
from assistant.errors import DataProblem

_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, SyntaxError, RecursionError)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plus task is judged by: calls, and how outputs are compared."""

    base: tuple[Arguments, ...]
    plus: tuple[Arguments, ...]
    rule: Rule
    atol: float
    """Absolute tolerance of the task; 0: none, but for floats (`rules`)."""


@dataclass(frozen=True, slots=True)
class Tests:
    """What any other task is judged by: a `check(candidate)`, or a list of asserts."""

    check: str = ""
    """The text that defines it."""
    asserts: tuple[str, ...] = ()
    setup: str = ""
    """Runs before the asserts and after the solution, whose names it may use."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One task."""

    id: str
    prompt: str
    """What a `completion` continues: Python source, a stub or a docstring."""
    entry_point: str
    reference: str
    """The published solution as a whole program."""
    tests: Tests | None = None
    inputs: Inputs | None = None
    """Of a plus task, in place of tests."""
    text: str = ""
    """The description in words with one assert, where the prompt is not a stub."""


def read(benchmark: Benchmark, data: DataFile) -> list[Problem]:
    """The tasks of `benchmark` in the order of their numbers.

    Raises:
        DataProblem: a row is malformed, occurs twice, or there are none; the message names the
            file and the line.
    """
    # Hundreds of thousands of lists and none in a circle: the collector would look at each, while
    # they are read and, unless they are set aside, again and again later.
    collecting = gc.isenabled()
    gc.disable()
    try:
        found = _read(benchmark, data)
        gc.freeze()
        return found
    finally:
        if collecting:
            gc.enable()


def _read(benchmark: Benchmark, data: DataFile) -> list[Problem]:
    make = _MAKERS[benchmark.name]
    problems: dict[str, Problem] = {}
    for line, row in _rows(data):
        try:
            number = _number(row["task_id"])
            if not benchmark.first <= number <= (benchmark.last or number):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # odd escapes in code that is not ours
                problem = make(number, row)
        except _BROKEN as error:
            reason = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
            raise DataProblem(
                f"{data.origin}:{line}: not a task of {benchmark.name}: {reason}."
            ) from error
        if problem.id in problems:
            raise DataProblem(f"{data.origin}:{line}: the task {problem.id} occurs a second time.")
        problems[problem.id] = problem
    if not problems:
        raise DataProblem(f"{data.origin} has no tasks of {benchmark.name}.")
    return sorted(problems.values(), key=lambda one: _number(one.id))


def _rows(data: DataFile) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(data.content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataProblem(f"{data.origin}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise DataProblem(f"{data.origin}:{number}: not a JSON object.")
        yield number, row


def _number(task_id: Any) -> int:
    """`HumanEval/7`, `Mbpp/7` or 7."""
    if isinstance(task_id, bool) or not isinstance(task_id, int | str):
        raise ValueError(f"task_id is {task_id!r}")
    return int(str(task_id).rpartition("/")[2])


def _text(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value.replace("\r\n", "\n")


def _texts(row: dict[str, Any], name: str) -> list[str]:
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{name} is no list of texts")
    return [one.replace("\r\n", "\n") for one in value]


def _humaneval(number: int, row: dict[str, Any]) -> Problem:
    entry_point = _text(row, "entry_point")
    prompt = _text(row, "prompt")
    return Problem(
        id=f"HumanEval/{number}",
        prompt=prompt,
        entry_point=entry_point,
        reference=prompt + _text(row, "canonical_solution"),
        tests=Tests(check=_text(row, "test")),
    )


def _humaneval_plus(number: int, row: dict[str, Any]) -> Problem:
    prompt = _text(row, "prompt")
    return Problem(
        id=f"HumanEval/{number}",
        prompt=prompt,
        entry_point=_text(row, "entry_point"),
        reference=prompt + _text(row, "canonical_solution"),
        inputs=_inputs("HumanEval", number, row),
    )


def _mbpp_plus(number: int, row: dict[str, Any]) -> Problem:
    prompt = _text(row, "prompt")
    return Problem(
        id=f"Mbpp/{number}",
        prompt=prompt,
        entry_point=_text(row, "entry_point"),
        reference=prompt + _text(row, "canonical_solution"),
        inputs=_inputs("Mbpp", number, row),
        text=prompt.strip().strip('"').strip(),
    )


def _inputs(prefix: str, number: int, row: dict[str, Any]) -> Inputs:
    base, plus = (
        _calls(prefix, number, row, "base_input"),
        _calls(prefix, number, row, "plus_input"),
    )
    if not base:
        raise ValueError("base_input is empty")
    return Inputs(base, plus, rule_of(f"{prefix}/{number}"), float(row["atol"]))


def _calls(prefix: str, number: int, row: dict[str, Any], name: str) -> tuple[Arguments, ...]:
    # Mbpp/793 has no further inputs, which its file writes as {}.
    value = row[name] or []
    if not isinstance(value, list) or not all(isinstance(one, list) for one in value):
        raise ValueError(f"{name} is no list of lists of arguments")
    if prefix == "Mbpp":
        return tuple(mbpp_arguments(number, one) for one in value)
    return tuple(value)


def _mbpp(number: int, row: dict[str, Any]) -> Problem:
    """The full file, or the short form that has `prompt` and `test` in place of its fields."""
    short = "test_list" not in row
    text = _text(row, "prompt" if short else "text").strip()
    tests = _texts(row, "test" if short else "test_list")
    code = _text(row, "code")
    setup = "" if short else _text(row, "test_setup_code")
    return Problem(
        id=f"Mbpp/{number}",
        prompt=f'"""\n{text}\n{tests[0]}\n"""\n',
        entry_point=_called(code, tests),
        reference=code + "\n",
        tests=Tests(asserts=tuple(tests), setup=setup),
        text=f"{text}\n{tests[0]}",
    )


def _called(code: str, tests: list[str]) -> str:
    """The function (or class) of the reference that the tests call."""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    defined = {node.name for node in ast.parse(code).body if isinstance(node, kinds)}
    for test in tests:
        for node in ast.walk(ast.parse(test)):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in defined:
                return called.id
    raise ValueError("no test calls what the reference defines")


_MAKERS = {
    "humaneval": _humaneval,
    "humaneval+": _humaneval_plus,
    "mbpp": _mbpp,
    "mbpp+": _mbpp_plus,
}
