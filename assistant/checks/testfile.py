"""Tests as a user writes them: plain asserts, `test_*` functions, test classes.

The names of the answer are in scope, as if the tests stood below it in the same file; where the
code is a file of its own (`module`), the tests may import it by its name as well.
"""

from __future__ import annotations

import ast
import io
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.checks.parsing import parse_error
from assistant.errors import UsageProblem

_MAX_BYTES = 1 << 20
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
# What pytest calls around tests, and nobody else.
_PYTEST_HOOKS = frozenset(
    {"setup_module", "teardown_module", "setup_function", "teardown_function", "pytestmark"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a project tests stand."""

    module: str
    """What an import calls them."""
    folders: tuple[str, ...]
    """Where modules are found, besides the project's own folder and its `src`."""
    code: str = ""
    """The path of the file that they test."""
    conftests: tuple[tuple[str, str], ...] = ()
    """Module and path of the files with fixtures for them, the outermost first."""


@dataclass(frozen=True, slots=True)
class TestFile:
    """Tests that can be run: their text and the tests that a run must have brought to an end."""

    # Keeps pytest from collecting this class for its name.
    __test__ = False

    name: str
    source: str
    functions: tuple[str, ...] = ()
    """`test_a`, and `TestB.test_c` for a method; empty when there are module-level asserts only."""
    modules: tuple[str, ...] = ()
    """The names by which the tests import the code under test."""
    pytest: str = ""
    """What in the tests only pytest can do; empty when it is not needed."""
    path: str = ""
    """Where they lie, when they may know: their `__file__`, beside which their data may be."""
    place: Place | None = None
    """Where in a project they stand, when they may know."""

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), stripped; empty when there is none."""
        lines = self.source.splitlines()
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def read_tests(path: Path, *, module: str = "", project: bool = False) -> TestFile:
    """Read and examine the tests in `path`.

    Args:
        path: the file.
        module: the name of the file under test, without folder and suffix, when it is a file.
        project: the tests will see a project, so they may import what is installed there.

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
    found = parse_tests(source, path.name, module=module, project=project)
    return replace(found, path=os.path.realpath(path)) if project else found


def parse_tests(
    source: str, name: str = "tests", *, module: str = "", project: bool = False
) -> TestFile:
    """Examine tests that are at hand as text; arguments as for `read_tests`.

    Raises:
        UsageProblem: the text is not Python, or nothing in it can be run.
    """
    if (problem := parse_error(source)) is not None:
        raise UsageProblem(f"The tests {name} are not Python: {problem}.")
    body = ast.parse(source).body
    for function in _all_functions(body):
        _refuse_yield(function, name)
    modules = tuple(dict.fromkeys(_imports_of_the_code(body, module)))
    if not project:
        _refuse_imports(body, name, modules)
    functions = tuple(_tests_in(body))
    if not functions and not any(isinstance(node, ast.Assert) for node in _walk(body)):
        raise UsageProblem(
            f"The tests {name} hold no assert and no test_* function, so nothing would be tested."
        )
    return TestFile(name, source, functions, modules, next(_pytest_needs(body), ""))


def _imports(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The modules that the tests import wherever they do, with the line."""
    for node in _walk(body):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), node.lineno


def _imports_of_the_code(body: list[ast.stmt], module: str) -> Iterator[str]:
    """`cart`, `app.cart`, and the `cart` of `from app import cart`, for the module `cart`."""
    if not module:
        return
    for name, _ in _imports(body):
        if name.rpartition(".")[2] == module and not name.startswith("."):
            yield name
    for node in _walk(body):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            root = node.module.partition(".")[0]
            # `from median import median` names the function, not a module inside the module.
            itself = node.module.rpartition(".")[2] == module
            inner = not itself and any(alias.name == module for alias in node.names)
            if inner and root not in sys.stdlib_module_names:
                yield f"{node.module}.{module}"


def _refuse_imports(body: list[ast.stmt], name: str, modules: tuple[str, ...]) -> None:
    """Tests that can not be loaded would count against code that may be right."""
    packages = {module.rpartition(".")[0] for module in modules}
    for module, line in _imports(body):
        root = module.partition(".")[0]
        if root in sys.stdlib_module_names or root == "pytest":
            continue
        if module not in modules and module not in packages:
            raise UsageProblem(
                f"The tests {name} import {module} (line {line}); where they run there is "
                "the standard library only.",
                hint="The names of the answer are in scope already; leave such imports out.",
            )


def _walk(body: list[ast.stmt]) -> list[ast.AST]:
    return [node for statement in body for node in ast.walk(statement)]


def _tests_in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, _FUNCTION) and is_test(node):
            yield node.name
        elif isinstance(node, ast.ClassDef) and is_test_class(node):
            yield from (f"{node.name}.{method.name}" for method in methods_of(node))


def _all_functions(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in body:
        if isinstance(node, _FUNCTION) and is_test(node):
            yield node
        elif isinstance(node, ast.ClassDef) and is_test_class(node):
            yield from methods_of(node)


def is_test(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """True for what pytest would collect, and no fixture."""
    fixture = any("fixture" in ast.dump(decorator) for decorator in node.decorator_list)
    return (node.name.startswith("test_") or node.name == "test") and not fixture


def is_test_class(node: ast.ClassDef) -> bool:
    """True for a class whose methods may be tests."""
    return node.name.startswith("Test") or is_case(node)


def is_case(node: ast.ClassDef) -> bool:
    """True for a class of the standard library's `unittest`."""
    return any(ast.unparse(base).endswith("TestCase") for base in node.bases)


def methods_of(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The tests in such a class."""
    case = is_case(node)
    found = [inner for inner in node.body if isinstance(inner, _FUNCTION)]
    return [one for one in found if one.name.startswith("test" if case else "test_")]


def _refuse_yield(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> None:
    """Calling a generator runs nothing of it: every such test would hold."""
    inside: list[ast.AST] = list(ast.iter_child_nodes(function))
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Yield | ast.YieldFrom):
            raise UsageProblem(
                f"{function.name} in the tests {name} yields (line {node.lineno}), "
                "so calling it would test nothing.",
                hint="Write it without yield.",
            )
        if not isinstance(node, _FUNCTION | ast.Lambda):
            inside += ast.iter_child_nodes(node)


def _pytest_needs(body: list[ast.stmt]) -> Iterator[str]:
    """What only pytest knows how to run, each with its line."""
    for module, line in _imports(body):
        if module.partition(".")[0] == "pytest":
            yield f"import pytest, line {line}"
    for node in body:
        if isinstance(node, _FUNCTION):
            if node.name in _PYTEST_HOOKS:
                yield f"{node.name}, line {node.lineno}"
            elif is_test(node) and _needs_arguments(node, 0):
                yield f"{node.name} takes fixtures, line {node.lineno}"
        elif isinstance(node, ast.ClassDef) and is_test_class(node) and not is_case(node):
            yield from _class_needs(node)


def _class_needs(node: ast.ClassDef) -> Iterator[str]:
    if node.bases:
        yield f"class {node.name} derives from another, line {node.lineno}"
    for method in methods_of(node):
        static = any(ast.unparse(one) == "staticmethod" for one in method.decorator_list)
        if _needs_arguments(method, 0 if static else 1):
            yield f"{node.name}.{method.name} takes fixtures, line {method.lineno}"


def _needs_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef, given: int) -> bool:
    """True when somebody must give arguments; a decorator (`mock.patch`) may do it."""
    arguments = function.args
    required = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    required += sum(default is None for default in arguments.kw_defaults)
    return required > given and not function.decorator_list
