"""Which tests of a file are about one function, and the file with these tests alone.

A test is about a function when it names it: by the name that the file imports it under, or as an
attribute of the module; a method, as an attribute of anything where its class or module is
imported. Helpers and fixtures that name it count for the tests that use them. What is not seen: a
function that is reached only through others.

The other tests and module-level asserts are taken out of the text; every line keeps its number.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from assistant.checks.projects import Module
from assistant.checks.testfile import is_test, is_test_class, methods_of

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
_IMPORT = ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True)
class _Unit:
    """A test or module-level assert, and the class that it is a method of."""

    node: ast.stmt
    owner: ast.ClassDef | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Two units with the same key are the same test."""
        owner = self.owner.name if self.owner is not None else ""
        return owner, ast.unparse(self.node)


@dataclass(frozen=True, slots=True)
class _Names:
    """How a file of tests calls what it tests."""

    own: frozenset[str]
    """Names that stand for it, or for what uses it."""
    attribute: str
    """Its name as an attribute."""
    roots: frozenset[str] | None
    """Names of modules that it is an attribute of; None: of any object."""


def tests_about(source: str, function: str, module: Module) -> str:
    """The text of the tests that are about `function`, empty when none is.

    Args:
        source: a file of tests that parses.
        function: dotted for a method.
        module: the module that holds it.
    """
    body = ast.parse(source).body
    names = _names(body, function, module)
    if names is None:
        return ""
    names = _with_helpers(body, names)
    units = list(_units(body))
    others = [unit.node for unit in units if not _is_about(unit, names)]
    return _without(source, others) if len(others) < len(units) else ""


def tests_besides(source: str, known: str) -> str:
    """The text of the tests that are not in `known`, word for word; empty when there are none."""
    before = {unit.key for unit in _units(ast.parse(known).body)}
    units = list(_units(ast.parse(source).body))
    old = [unit.node for unit in units if unit.key in before]
    return _without(source, old) if len(old) < len(units) else ""


def _units(body: list[ast.stmt]) -> Iterator[_Unit]:
    for node in body:
        if isinstance(node, ast.Assert) or (isinstance(node, _FUNCTION) and is_test(node)):
            yield _Unit(node)
        elif isinstance(node, ast.ClassDef) and is_test_class(node):
            yield from (_Unit(method, node) for method in methods_of(node))


def _without(source: str, nodes: Iterable[ast.stmt]) -> str:
    """`source` with `pass` in the place of each of the statements."""
    data = source.encode()
    starts = [0, *(match.end() for match in _NEWLINE.finditer(data))]
    parts: list[bytes] = []
    done = 0
    for node in nodes:
        start = starts[_first_line(node) - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        parts += [data[done:start], b"pass", *_NEWLINE.findall(data[start:end])]
        done = end
    return b"".join([*parts, data[done:]]).decode()


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _names(body: list[ast.stmt], function: str, module: Module) -> _Names | None:
    """How the tests call `function`; None when they do not import it."""
    first, _, rest = function.partition(".")
    own: set[str] = set()
    roots: set[str] = set()
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _is_ours(alias.name, module):
                    roots.add(alias.asname or alias.name.partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            _take_from(node, first, module, own, roots)
    if not (own or roots):
        return None
    method = rest.rpartition(".")[2]
    if method and not method.startswith("__"):
        return _Names(frozenset(), method, None)
    return _Names(frozenset(own), first, frozenset(roots))


def _take_from(
    node: ast.ImportFrom, first: str, module: Module, own: set[str], roots: set[str]
) -> None:
    """What `from ... import ...` binds of the module and of what is tested in it."""
    ours = node.level > 0 or _is_ours(node.module or "", module)
    for alias in node.names:
        if ours and alias.name in (first, "*"):
            own.add(alias.asname or first)
        elif alias.name == module.name.rpartition(".")[2]:
            roots.add(alias.asname or alias.name)


def _is_ours(name: str, module: Module) -> bool:
    """The module, from wherever it is imported, or a package around it, which may pass it on."""
    return is_name_of(name, module) or module.name.startswith(f"{name}.")


def is_name_of(name: str, module: Module) -> bool:
    """Whether an import of `name` gives the module: it may lie in `src`, say."""
    return f".{name}".endswith(f".{module.name}")


def _with_helpers(body: list[ast.stmt], names: _Names) -> _Names:
    """The names, and those of helpers, fixtures and values that are made with them."""
    tests = {id(unit.node) for unit in _units(body)}
    helpers = [
        node
        for node in body
        if id(node) not in tests
        and not isinstance(node, _IMPORT)
        and not (isinstance(node, ast.ClassDef) and is_test_class(node))
    ]
    while True:
        more = {name for one in helpers if _mentions(one, names) for name in _bound(one)}
        if more <= names.own:
            return names
        names = replace(names, own=names.own | more)


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _FUNCTION | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id


def _is_about(unit: _Unit, names: _Names) -> bool:
    if _mentions(unit.node, names):
        return True
    if unit.owner is None:
        return False
    tests = methods_of(unit.owner)
    return any(_mentions(node, names) for node in unit.owner.body if node not in tests)


def _mentions(node: ast.stmt, names: _Names) -> bool:
    for inner in ast.walk(node):
        match inner:
            case ast.Name(id=name) | ast.arg(arg=name) if name in names.own:
                return True
            case ast.Attribute(attr=name) if name == names.attribute:
                if names.roots is None or _root(inner) in names.roots:
                    return True
    return False


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
