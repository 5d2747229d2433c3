"""Does every name that the code reads exist? The second check; it runs nothing.

CPython's own `symtable` decides which scope a name belongs to, so closures, class bodies,
comprehensions, `global`, `except ... as`, `with`, the walrus and `match` targets follow the
language and not a copy of its rules.

What is not covered: order (a module-level name used before the line that binds it), attributes,
and names inside quoted annotations. Doubt goes in favour of the code: a star import, and a
module that writes into its own `globals()`, switch the check off, and a name that the code
itself tries under `except NameError` is taken as optional.
"""

from __future__ import annotations

import ast
import builtins
import symtable
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass

# Bound in every module by the import system, or by `site` in every interactive or plain run.
_MODULE_NAMES = {
    *("__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__path__"),
    *("__builtins__", "__cached__", "__dict__", "__annotations__", "__conditional_annotations__"),
    # Read by every `super()`; whether a class stands around it is not this check's matter.
    "__class__",
    *("exit", "quit", "copyright", "credits", "license", "_", "WindowsError"),
}
_CLASS_NAMES = frozenset({"__module__", "__qualname__", "__firstlineno__"})
_NAMESPACE_CALLS = frozenset({"locals", "vars"})
# The two ways in which `enum` puts the members of a class into the module.
_ENUM_EXPORTS = frozenset({"_convert_", "global_enum"})


@dataclass(frozen=True, slots=True)
class Undefined:
    """A name that is read and bound nowhere; line and column count from 1."""

    name: str
    line: int
    column: int

    def __str__(self) -> str:
        """The finding as one line for a person."""
        name = self.name if len(self.name) <= 60 else f"{self.name[:60]}..."
        return f"NameError at line {self.line}, column {self.column}: {name} is not defined"


def undefined_names(code: str, known: Collection[str] = ()) -> list[Undefined]:
    """The names that `code` reads and nothing binds, in the order of their lines.

    Args:
        code: a module that parses.
        known: names that the surroundings of the code provide, such as those of the file that
            it will be put into.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
        table = symtable.symtable(code, "<answer>", "exec")
    if _binds_unseen_names(tree):
        return []
    bound = _module_bindings(table) | _MODULE_NAMES | set(dir(builtins)) | set(known)
    optional = _optional(tree)
    missing = {name for name in _global_reads(table) if name not in bound} - optional
    return _locations(tree, missing, code.splitlines())


def _binds_unseen_names(tree: ast.Module) -> bool:
    """True when names may be bound that no syntax shows."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        if _may_write_namespace(node):
            return True
    return False


def _may_write_namespace(node: ast.AST) -> bool:
    """`globals()`, `vars()["x"] = ...`, `locals().update(...)`, `exec(...)`, exported enums."""
    match node:
        case ast.Call(func=ast.Name(id="globals" | "exec")):
            return True
        case ast.Subscript(value=ast.Call(func=ast.Name(id=name)), ctx=ast.Store()):
            return name in _NAMESPACE_CALLS
        case ast.Attribute(value=ast.Call(func=ast.Name(id=name)), attr="update"):
            return name in _NAMESPACE_CALLS
        case ast.Attribute(attr=attribute):
            return attribute in _ENUM_EXPORTS
    return False


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """`table` and all below it. Without recursion: generated code nests as deep as it likes."""
    pending = [table]
    while pending:
        pending += (current := pending.pop()).get_children()
        yield current


def _symbols(table: symtable.SymbolTable) -> Iterator[symtable.Symbol]:
    """`table.get_symbols()` without what each name is the name of.

    The library looks for that among all children, for each name: many seconds in a file of some
    thousand functions.
    """
    raw: dict[str, int] = table._table.symbols  # type: ignore[attr-defined]  # has no other way
    top = table.get_type() == "module"
    return (symtable.Symbol(name, flags, module_scope=top) for name, flags in raw.items())


def _module_bindings(table: symtable.SymbolTable) -> set[str]:
    """Names bound at module level, there or through `global` in a function."""
    names = {
        symbol.get_name()
        for symbol in _symbols(table)
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_annotated()
    }
    for inner in _tables(table):
        names |= {
            symbol.get_name()
            for symbol in _symbols(inner)
            if symbol.is_declared_global() and (symbol.is_assigned() or symbol.is_imported())
        }
    return names


def _global_reads(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that some scope reads and that only the module or the builtins can provide."""
    for scope in _tables(table):
        top = scope.get_type() == "module"
        for symbol in _symbols(scope):
            if not symbol.is_referenced() or not (top or symbol.is_global()):
                continue
            name = symbol.get_name()
            if scope.get_type() == "class" and name in _CLASS_NAMES:
                continue
            yield name


def _optional(tree: ast.Module) -> set[str]:
    """Names that are read inside a `try` which expects a NameError."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(map(_expects_name_error, node.handlers)):
            for statement in node.body:
                names |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
    return names


def _expects_name_error(handler: ast.ExceptHandler) -> bool:
    kind = handler.type
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(one, ast.Name) and one.id == "NameError" for one in kinds)


_Scope = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def _locations(tree: ast.Module, missing: set[str], lines: list[str]) -> list[Undefined]:
    """The first reading of each missing name, ordered by place."""
    # When no reading is certain, at least the name is told.
    first = {name: Undefined(name, 1, 1) for name in missing}
    found: set[str] = set()
    for node in sorted(_free_names(tree, missing), key=lambda node: (node.lineno, node.col_offset)):
        if node.id not in found:
            first[node.id] = Undefined(node.id, node.lineno, _column(node, lines))
            found.add(node.id)
    return sorted(first.values(), key=_place)


def _free_names(tree: ast.AST, missing: set[str]) -> Iterator[ast.Name]:
    """Names in `tree` that are missing and that no function around them binds as its own."""
    pending = [(tree, missing)]
    while pending:
        node, wanted = pending.pop()
        if isinstance(node, ast.Name) and node.id in wanted:
            yield node
        inner = wanted - _own_names(node) if isinstance(node, _Scope) else wanted
        if inner:
            pending += ((child, inner) for child in ast.iter_child_nodes(node))


def _own_names(scope: ast.AST) -> set[str]:
    """Parameters and targets of `scope`, without those of the functions inside it."""
    names: set[str] = set()
    pending = list(ast.iter_child_nodes(scope))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if not isinstance(node, _Scope):
            pending.extend(ast.iter_child_nodes(node))
    return names


def _place(found: Undefined) -> tuple[int, int]:
    return found.line, found.column


def _column(node: ast.Name, lines: list[str]) -> int:
    """The column in characters, from 1; the syntax tree counts bytes of UTF-8."""
    line = lines[node.lineno - 1] if node.lineno <= len(lines) else ""
    return len(line.encode()[: node.col_offset].decode(errors="ignore")) + 1
