"""Tests as a user writes them: plain asserts or `test_*` functions, pytest not needed.

The names of the answer are in scope, as if the tests stood below it in the same file.
"""

from __future__ import annotations

import ast
import io
import sys
from dataclasses import dataclass
from pathlib import Path

from assistant.checks.parsing import parse_error
from assistant.errors import UsageProblem

_MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TestFile:
    """Tests that can be run: their text and the functions that a run must have called."""

    # Keeps pytest from collecting this class for its name.
    __test__ = False

    name: str
    source: str
    functions: tuple[str, ...] = ()

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), stripped; empty when there is none."""
        lines = self.source.splitlines()
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def read_tests(path: Path) -> TestFile:
    """Read and examine the tests in `path`.

    Raises:
        UsageProblem: there is no such file, it is not Python, or nothing in it can be run.
    """
    try:
        # No more than this of it: a pipe or a device tells no size, and may have no end.
        with path.open("rb") as file:
            body = file.read(_MAX_BYTES + 1)
        if len(body) > _MAX_BYTES:
            raise UsageProblem(f"The tests {path} are larger than 1 MiB.")
        with io.TextIOWrapper(io.BytesIO(body), encoding="utf-8-sig") as text:
            source = text.read()
    except OSError as error:
        raise UsageProblem(
            f"The tests {path} can not be read: {error.strerror or error}.",
            hint="Give a file of plain asserts or test_* functions: --tests FILE",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageProblem(f"The tests {path} are not UTF-8 text (byte {error.start}).") from error
    return parse_tests(source, path.name)


def parse_tests(source: str, name: str = "tests") -> TestFile:
    """Examine tests that are at hand as text.

    Raises:
        UsageProblem: the text is not Python, or nothing in it can be run.
    """
    if (problem := parse_error(source)) is not None:
        raise UsageProblem(f"The tests {name} are not Python: {problem}.")
    body = ast.parse(source).body
    functions = [node for node in body if _is_test_function(node)]
    for function in functions:
        _refuse_parameters(function, name)
        _refuse_yield(function, name)
    for node in body:
        _refuse_import(node, name)
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            raise UsageProblem(
                f"The tests {name} hold the class {node.name} (line {node.lineno}), and test "
                "classes are not run.",
                hint="Write its tests as plain asserts or as test_* functions.",
            )
    if not functions and not any(isinstance(node, ast.Assert) for node in _walk(body)):
        raise UsageProblem(
            f"The tests {name} hold no assert and no test_* function, so nothing would be tested."
        )
    return TestFile(name, source, tuple(getattr(function, "name", "") for function in functions))


def _refuse_import(node: ast.stmt, name: str) -> None:
    """Tests that can not be loaded would count against code that may be right."""
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        modules = ["." * node.level + (node.module or "")]
    for module in modules:
        if module.partition(".")[0] not in sys.stdlib_module_names:
            raise UsageProblem(
                f"The tests {name} import {module} (line {node.lineno}); where they run there is "
                "the standard library only.",
                hint="The names of the answer are in scope already; leave such imports out.",
            )


def _walk(body: list[ast.stmt]) -> list[ast.AST]:
    return [node for statement in body for node in ast.walk(statement)]


def _is_test_function(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
        node.name.startswith("test_") or node.name == "test"
    )


def _refuse_yield(function: ast.stmt, name: str) -> None:
    """Calling a generator runs nothing of it: every such test would hold."""
    inside: list[ast.AST] = list(ast.iter_child_nodes(function))
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise UsageProblem(
                f"{getattr(function, 'name', '')} in the tests {name} yields (line {node.lineno}), "
                "so calling it would test nothing.",
                hint="Write it without yield.",
            )
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside += ast.iter_child_nodes(node)


def _refuse_parameters(function: ast.stmt, name: str) -> None:
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = function.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    required += sum(default is None for default in arguments.kw_defaults)
    if required > 0:
        raise UsageProblem(
            f"{function.name} in the tests {name} (line {function.lineno}) takes arguments.",
            hint="pytest's fixtures and parameters are not available here; "
            "write test functions without arguments.",
        )
