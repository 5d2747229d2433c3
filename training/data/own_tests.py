"""Tests of single functions, taken from docstrings and from files of tests.

Only what stands by itself is taken: an assert whose names are the function's and Python's own.
Fixtures, mocks and set-up would need the user's project, which is not run here.
"""

from __future__ import annotations

import ast
import builtins
import doctest

from training.data.functions import NOT_PYTHON, Function, parse

_BUILTINS = frozenset(dir(builtins))
_MOST_CHARACTERS = 2000


def doctest_asserts(function: Function) -> list[str]:
    """The examples in a docstring that show a plain value, as asserts."""
    found = []
    for example in _examples(ast.get_docstring(function) or ""):
        called = _expression(example.source)
        if called is not None and _stands_alone(called, function.name) and _is_value(example.want):
            found.append(f"assert {example.source.strip()} == {example.want.strip()}")
    return [one for one in found if _is_python(one)]


def without_examples(docstring: str) -> str:
    """A docstring without its `>>>` lines and what they show: they are the tests."""
    lines = docstring.split("\n")
    gone: set[int] = set()
    for example in _examples(docstring):
        count = example.source.count("\n") + example.want.count("\n")
        gone.update(range(example.lineno, example.lineno + count))
    kept = "\n".join(line for number, line in enumerate(lines) if number not in gone)
    return kept.strip()


def asserts_in(tree: ast.Module) -> dict[str, list[str]]:
    """The asserts of a test file that stand by themselves, by the function that they call."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert):
            continue
        for name in imported & _called(node.test):
            written = f"assert {ast.unparse(node.test)}"
            if _stands_alone(node.test, name) and len(written) <= _MOST_CHARACTERS:
                found.setdefault(name, []).append(written)
    return found


def _examples(docstring: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(docstring)
    except ValueError:
        return []


def _called(node: ast.expr) -> set[str]:
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return {func.id for func in calls if isinstance(func, ast.Name)}


def _stands_alone(node: ast.expr, name: str) -> bool:
    """Whether it calls the function and reads nothing else but Python's own names."""
    own = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    bound = {
        one.id
        for one in ast.walk(node)
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
    }
    return name in _called(node) and own - bound - {name} <= _BUILTINS


def _expression(source: str) -> ast.expr | None:
    try:
        (statement,) = parse(source.strip()).body
    except NOT_PYTHON:
        return None
    return statement.value if isinstance(statement, ast.Expr) else None


def _is_value(want: str) -> bool:
    try:
        ast.literal_eval(want.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_python(code: str) -> bool:
    try:
        parse(code)
    except NOT_PYTHON:
        return False
    return True
