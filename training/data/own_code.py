"""A folder of the user's own Python code: its functions that have a docstring or tests.

Each function at the top of a module becomes a row: the docstring is the statement, the code
without it the answer, together with the imports, constants and helpers of its module that it
uses, so that it can be read (and often run) by itself. Examples in the docstring and plain
asserts of the folder's tests become its tests. Nothing of the folder is imported or run here, and
nothing leaves the machine.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from training.data.functions import (
    NOT_PYTHON,
    Function,
    docstring_node,
    parse,
    signature_of,
    source_of,
    without_docstring,
)
from training.data.own_tests import asserts_in, doctest_asserts, without_examples
from training.data.rows import Bad, BadField, Row, clean

NAME = "own_code"
_LEFT_OUT = {
    "__pycache__", "node_modules", "site-packages", "dist-packages", "build", "dist", "vendor",
    "third_party", "venv", "env",
}  # fmt: skip
_MOST_BYTES = 1_000_000
_LEAST_LINES = 2


def python_files(place: Path) -> list[Path]:
    """The Python files below `place`, sorted; hidden, built and installed folders are left out."""
    found: list[Path] = []
    for folder, inner, names in os.walk(place):
        inner[:] = sorted(n for n in inner if n not in _LEFT_OUT and not n.startswith("."))
        if (Path(folder) / "pyvenv.cfg").exists():
            inner.clear()
            continue
        found += [Path(folder, name) for name in names if name.endswith(".py")]
    return sorted(path for path in found if path.is_file())


def is_test(path: Path) -> bool:
    """Whether the file is one of tests, by its name."""
    return path.stem.startswith("test_") or path.stem.endswith("_test") or path.stem == "conftest"


def read(place: Path, paths: list[Path]) -> Iterator[Row | Bad]:
    """The functions in `paths`, with the asserts that the test files among them hold.

    Args:
        place: ids and addresses are relative to it.
        paths: as `python_files` gives them.
    """
    tests: dict[str, list[str]] = {}
    for path in filter(is_test, paths):
        tree, _ = _parsed(path)
        for name, found in asserts_in(tree).items() if tree else ():
            tests.setdefault(name, []).extend(found)
    for path in paths:
        if is_test(path):
            continue
        shown = path.relative_to(place).as_posix()
        tree, source = _parsed(path)
        if tree is None:
            yield Bad(shown, f"file: {source}")
        else:
            yield from _functions(shown, tree, source, tests)


def _parsed(path: Path) -> tuple[ast.Module | None, str]:
    """A module and its text; or None and what is wrong with the file."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None, "too long"
        source = clean(path.read_bytes(), "file")
        return parse(source), source
    except BadField as error:
        return None, str(error).removeprefix("file: ")
    except OSError:
        return None, "can not be read"
    except NOT_PYTHON:
        return None, "not Python"


def _functions(
    shown: str, tree: ast.Module, source: str, tests: dict[str, list[str]]
) -> Iterator[Row | Bad]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = f"{shown}:{node.name}"
        described = " ".join((ast.get_docstring(node) or "").split())
        asserts = [*doctest_asserts(node), *tests.get(node.name, ())]
        if not described and not asserts:
            yield Bad(name, "function: neither a docstring nor tests")
        elif _is_stub(node):
            yield Bad(name, "function: has no body")
        else:
            yield _row(name, node, tree, source, tuple(dict.fromkeys(asserts)))


def _is_stub(function: Function) -> bool:
    body = function.body[1:] if docstring_node(function) else function.body
    kinds = ast.Pass | ast.Expr
    return all(isinstance(one, kinds) and not _does_something(one) for one in body)


def _does_something(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)


def _row(
    name: str, function: Function, tree: ast.Module, source: str, asserts: tuple[str, ...]
) -> Row:
    signature = signature_of(function)
    docstring = without_examples(ast.get_docstring(function) or "")
    if not docstring:
        shown = "\n".join(asserts[:3])
        docstring = f"Write the function `{function.name}`. It has to pass:\n{shown}"
    return Row(
        id=name,
        statement=docstring,
        solutions=(with_what_it_uses(function, tree, source),),
        source=NAME,
        signature=signature,
        closing=signature,
        name=function.name,
        tests=asserts,
        licence="your own",
        url=name.partition(":")[0],
    )


def with_what_it_uses(function: Function, tree: ast.Module, source: str) -> str:
    """The function without its docstring, behind what it uses of its module, in their order."""
    bound = {name: node for node in tree.body for name in _binds(node)}
    needed: set[ast.stmt] = set()
    waiting: list[ast.AST] = [function]
    while waiting:
        for name in _reads(waiting.pop()):
            node = bound.get(name)
            if node is not None and node is not function and node not in needed:
                needed.add(node)
                waiting.append(node)
    futures = [node for node in tree.body if _is_future(node)]
    before = [node for node in tree.body if node in needed or node in futures]
    imports = [node for node in before if isinstance(node, ast.Import | ast.ImportFrom)]
    others = [node for node in before if node not in imports]
    parts = ["".join(source_of(source, node) for node in imports)] if imports else []
    parts += [source_of(source, node) for node in others]
    return "\n\n".join([*parts, without_docstring(source, function)])


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _reads(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def _binds(node: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top of a module gives."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield from (one.id for one in ast.walk(target) if isinstance(one, ast.Name))
