"""Which names of the answer the tests see, and which of them they know as classes.

The tests read as if they stood below the answer in the same file, but not everything there is
theirs: an answer that defines `abs`, `range` or a variable of the tests would decide what they
say. So a name that the tests bind themselves is theirs, and a built-in name is Python's, unless it
is what they test.
"""

from __future__ import annotations

import ast
import builtins
import symtable
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

_BUILTINS = frozenset(vars(builtins))


@dataclass(frozen=True, slots=True)
class Scope:
    """What of the answer is in the scope of the tests."""

    names: list[str]
    """Names that the tests read: those that the answer binds are in scope."""
    fixed: list[str]
    """Names that the tests bind: the answer can not give them another meaning."""
    tested: list[str]
    """Built-in names that mean the answer's in a few places (`tested_name`), else Python's."""
    classes: frozenset[str]
    """Names that the tests use as one uses a class: they know what its objects can do."""
    words: frozenset[str]
    """Every name, attribute and import in the tests."""
    imports: list[str]
    """The answer's imports of the standard library that the tests use, too."""


def scope_of(tests: ast.Module, source: str, code: str, modules: tuple[str, ...]) -> Scope:
    """The scope of tests.

    Args:
        tests: the tests, parsed.
        source: their text.
        code: the answer; when it is not Python, loading it will say so.
        modules: the names by which the tests import the answer.
    """
    read, fixed = _global_names(symtable.symtable(source, "tests", "exec"))
    free = read - fixed - _BUILTINS
    shadows = read & _BUILTINS
    tested = {called.id for called in map(tested_name, ast.walk(tests)) if called}
    if not (free or modules):  # there is nothing else that could be tested
        free = _aliased(tests) & shadows or shadows
    imports, defined = _bound_in(code)
    return Scope(
        sorted(read - _BUILTINS | free),
        sorted(fixed),
        sorted(tested),
        frozenset(_classes(tests, free) - imports.keys()),
        frozenset(_words(tests)),
        [text for name, text in imports.items() if name in free - defined],
    )


def _global_names(top: symtable.SymbolTable, *, imported: bool = True) -> tuple[set[str], set[str]]:
    """The global names that a module reads, and those that it binds."""
    read: set[str] = set()
    bound: set[str] = set()
    pending = [top]
    while pending:
        table = pending.pop()
        for symbol in table.get_symbols():
            if table is not top and not symbol.is_global():
                continue
            if symbol.is_referenced():
                read.add(symbol.get_name())
            if symbol.is_assigned() or (imported and symbol.is_imported()):
                bound.add(symbol.get_name())
        pending += table.get_children()
    return read, bound


def _words(tests: ast.Module) -> Iterator[str]:
    for node in ast.walk(tests):
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                yield from word.split(".")
            case ast.ImportFrom(module=str(word)):
                yield from word.split(".")


def tested_name(node: ast.AST) -> ast.Name | None:
    """The name in an assert that can only test the answer's function: `assert pow(2, 3) == 8`."""
    match node:
        case ast.Assert(
            test=ast.Compare(
                left=ast.Call(func=ast.Name() as called, args=arguments, keywords=[]),
                comparators=[right],
            )
        ) if called.id in _BUILTINS and all(map(_is_literal, [*arguments, right])):
            return called
    return None


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True


def _aliased(tests: ast.Module) -> set[str]:
    """Names that are given another one: `candidate = pow`."""
    return {
        node.value.id
        for node in ast.walk(tests)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
    }


def _classes(tests: ast.Module, free: set[str]) -> set[str]:
    """Names with a capital that come from the answer: nobody calls a function so."""
    found = set(free)
    roots = set(free)
    for node in ast.walk(tests):
        if isinstance(node, ast.ImportFrom) and (node.module or "") not in sys.stdlib_module_names:
            found |= {alias.name for alias in node.names}
            roots |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] not in sys.stdlib_module_names:
                    roots.add(alias.asname or alias.name.partition(".")[0])
    for node in ast.walk(tests):
        if isinstance(node, ast.Attribute) and _root(node) in roots:
            found.add(node.attr)
    return {name for name in found if name.lstrip("_")[:1].isupper()} - _BUILTINS


def _root(node: ast.Attribute) -> str:
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return inner.id if isinstance(inner, ast.Name) else ""


def _bound_in(code: str) -> tuple[dict[str, str], set[str]]:
    """What the answer imports from the library, and the names that it binds in any other way."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            body = ast.parse(code).body
            top = symtable.symtable(code, "answer", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}, set()
    return _library_names(body), _global_names(top, imported=False)[1]


def _library_names(body: list[ast.stmt]) -> dict[str, str]:
    """What the answer imports from the standard library at its top level: name and statement.

    The tests' process makes these imports by itself: a module is no data that could be sent.
    """
    found: dict[str, str] = {}
    for node in body:
        if not isinstance(node, ast.Import | ast.ImportFrom) or not _of_the_library(node):
            continue
        for alias in node.names:
            name = alias.asname or alias.name.partition(".")[0]
            one = (
                ast.Import([alias])
                if isinstance(node, ast.Import)
                else ast.ImportFrom(node.module, [alias], 0)
            )
            # `import a.b` and `import a.c` bind the same name.
            found[name] = "\n".join([*([found[name]] if name in found else []), ast.unparse(one)])
    return found


def _of_the_library(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        modules = [node.module or ""] if not node.level else [""]
    else:
        modules = [alias.name for alias in node.names]
    roots = {module.partition(".")[0] for module in modules}
    return roots <= sys.stdlib_module_names and "__future__" not in roots
