"""Tests made ready for the process that runs them: compiled, with asserts that tell their values.

Done here, in the trusted parent, so that the process needs no `ast` and starts quickly.
"""

from __future__ import annotations

import ast
import marshal
import sys
import warnings
from dataclasses import dataclass

from assistant.checks.testfile import TestFile


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the tests' process is sent, apart from what it hears of the answer."""

    code: bytes
    """The marshalled code object of the tests."""
    asserts: int
    """How many asserts stand at the top level, which are reached when all of it is."""
    imports: list[str]
    """The answer's imports of the standard library: the tests may use their names."""
    wanted: list[str]
    """Names that the tests read: those that the answer binds will be in scope."""
    identifiers: frozenset[str]
    """Every name and attribute in the tests: a class among them is known to the tests."""


def prepare(code: str, tests: TestFile) -> Prepared:
    """Compile `tests`, which have been parsed before, for a run against `code`.

    Raises:
        SyntaxError: the tests do not compile.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(tests.source)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        asserts = sum(isinstance(node, ast.Assert) for node in tree.body)
        tree = ast.fix_missing_locations(_Telling().visit(tree))
        compiled = compile(tree, tests.name, "exec", dont_inherit=True)
    return Prepared(
        marshal.dumps(compiled),
        asserts,
        _imports(code),
        sorted(names),
        frozenset(names | attributes | imported),
    )


def _imports(code: str) -> list[str]:
    """The imports of the standard library at the top level of the answer.

    The tests' process makes them by itself: a module is no data that could be sent.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # loading it will say so
    return [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and _of_the_library(node)
    ]


def _of_the_library(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""] if not node.level else [""]
    else:
        modules = [alias.name for alias in node.names]
    roots = {module.partition(".")[0] for module in modules}
    return roots <= sys.stdlib_module_names and "__future__" not in roots


class _Telling(ast.NodeTransformer):
    """Counts the asserts that held, and lets those that fail tell what was got."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        """`assert left == right` keeps its two sides; any other keeps its value."""
        held = ast.Expr(_call("__assistant_held__"))
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
