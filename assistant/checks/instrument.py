"""Tests made ready for the process that runs them: compiled, with asserts that tell their values.

Done here, in the trusted parent, so that the process needs no `ast` and starts quickly.
"""

from __future__ import annotations

import ast
import marshal
import warnings
from dataclasses import dataclass

from assistant.checks.scope import Scope, scope_of, tested_name
from assistant.checks.testfile import TestFile


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the tests' process is sent, apart from what it hears of the answer."""

    code: bytes
    """The marshalled code object of the tests."""
    source: str
    """Their text, for another version of Python."""
    asserts: int
    """How many asserts stand at the top level, which are reached when all of it is."""
    scope: Scope
    """What of the answer is in scope."""


def prepare(code: str, tests: TestFile) -> Prepared:
    """Compile `tests`, which have been parsed before, for a run against `code`.

    Raises:
        SyntaxError: the tests do not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = _without_stars(tests)
        tree = ast.parse(source)
        scope = scope_of(tree, source, code, tests.modules)
        asserts = sum(isinstance(node, ast.Assert) for node in tree.body)
        tree = ast.fix_missing_locations(_Telling().visit(tree))
        compiled = compile(tree, tests.name, "exec", dont_inherit=True)
    return Prepared(marshal.dumps(compiled), source, asserts, scope)


def _without_stars(tests: TestFile) -> str:
    """The tests with `from answer import *` as a mere import.

    What they use of the answer is in scope already; all of it would be more than they want.
    """
    lines = tests.source.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(tests.source)):
        if not isinstance(node, ast.ImportFrom) or node.names[0].name != "*":
            continue
        if node.module in tests.modules and node.end_lineno == node.lineno:
            line = lines[node.lineno - 1]
            start, end = line[: node.col_offset], line[node.end_col_offset :]
            lines[node.lineno - 1] = start + f"import {node.module}".encode() + end
    return b"".join(lines).decode()


class _Telling(ast.NodeTransformer):
    """Counts the asserts that held, and lets those that fail tell what was got."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """`assert left == right` keeps its two sides; any other keeps its value."""
        held = ast.Expr(_call("__assistant_held__"))
        if (called := tested_name(node)) is not None:
            called.id = f"__assistant_own_{called.id}__"
        compare = node.test
        if node.msg is not None:
            pass
        elif isinstance(compare, ast.Compare) and len(compare.ops) == 1:
            names = ("__assistant_left__", "__assistant_right__")
            sides = (compare.left, compare.comparators[0])
            left, right = map(_kept, names, sides)
            node.test = ast.Compare(left, compare.ops, [right])
            which = _literal_side(compare)
            node.msg = _call("__assistant_sides__", *map(_load, names), ast.Constant(which))
        else:
            node.test = _kept("__assistant_value__got", compare)
            node.msg = _call("__assistant_value__", _load("__assistant_value__got"))
        return [node, ast.copy_location(held, node)]


def _kept(name: str, value: ast.expr) -> ast.expr:
    return ast.NamedExpr(ast.Name(name, ast.Store()), value)


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_load(name), list(arguments), [])


def _literal_side(compare: ast.Compare) -> str:
    """Which side of an equality is written out in the tests, and so is what they expect."""
    if not isinstance(compare.ops[0], ast.Eq | ast.Is):
        return ""
    for side, value in (("right", compare.comparators[0]), ("left", compare.left)):
        try:
            ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        return side
    return ""
