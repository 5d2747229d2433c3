"""The imports and definitions of a Python file, bodies cut.

Read with tree-sitter's grammar, which makes sense of a file that is being written too. A file in
another language has no outline.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Point

MAX_CHARACTERS = 400_000
"""Parsing holds up everything else; so much takes 40 ms."""
_MOST_METHODS = 40
_MOST_LINES = 12
"""Of a constant."""
_BLOCKS = frozenset(
    {
        *("if_statement", "else_clause", "elif_clause", "try_statement", "except_clause"),
        *("finally_clause", "with_statement", "block", "ERROR"),
    }
)
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Import:
    """One name that an import binds."""

    bound: str
    """The name in this file; `*` for all of the module's."""
    module: str
    """Dotted; without the dots in front."""
    level: int
    """Dots in front."""
    name: str
    """What of the module; empty for the module itself."""
    text: str
    """The statement."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function, class or constant at the top of a file, or a method."""

    name: str
    """With that of its class: `Cart.total`."""
    start: int
    end: int
    """In characters of the file."""
    shown: str
    """What it is used by: signature and docstring, fields, signatures of methods."""
    short: str
    """The signature alone; of a class with those of its methods."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file imports and defines."""

    imports: tuple[Import, ...] = ()
    definitions: tuple[Definition, ...] = ()
    """In the order of the file; methods after their class."""

    def find(self, name: str) -> Definition | None:
        """The last definition of a name, as Python would have it."""
        return next((one for one in reversed(self.definitions) if one.name == name), None)

    def around(self, offset: int) -> Definition | None:
        """The class that stands around a place, or None."""
        inside = (one for one in self.top if one.start < offset <= one.end)
        return next((one for one in inside if _is_class(one)), None)

    @property
    def top(self) -> tuple[Definition, ...]:
        """All but methods."""
        return tuple(one for one in self.definitions if "." not in one.name)


def outline(text: str) -> Outline:
    """The outline of a Python file; an empty one when it is too large."""
    if len(text) > MAX_CHARACTERS:
        return Outline()
    return _Reader(text).outline()


def words(text: str) -> frozenset[str]:
    """Every identifier in a text, comments and docstrings included."""
    return frozenset(_WORD.findall(text))


def _is_class(definition: Definition) -> bool:
    return re.search(r"^class\b", definition.short, re.MULTILINE) is not None


@functools.cache
def _language() -> Language:
    import tree_sitter
    import tree_sitter_python

    return tree_sitter.Language(tree_sitter_python.language())


class _Reader:
    """Reads one file."""

    def __init__(self, text: str) -> None:
        from tree_sitter import Parser

        self._body = text.encode("utf-8", "replace")
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        """Where the lines begin, in characters."""
        self._root = Parser(_language()).parse(self._body).root_node

    def outline(self) -> Outline:
        imports: list[Import] = []
        definitions: list[Definition] = []
        for node in _statements(self._root):
            match node.type:
                case "import_statement" | "import_from_statement":
                    imports += self._imports(node)
                case "function_definition" | "class_definition" | "decorated_definition":
                    definitions += self._definitions(node)
                case "expression_statement" | "type_alias_statement":
                    definitions += self._constant(node)
        return Outline(tuple(imports), tuple(definitions))

    def _text(self, start: int, end: int) -> str:
        return self._body[start:end].decode("utf-8", "replace")

    def _offset(self, byte: int, point: Point) -> int:
        return self._lines[point.row] + len(self._text(byte - point.column, byte))

    def _of(self, node: Node | None) -> str:
        return "" if node is None else self._text(node.start_byte, node.end_byte)

    def _imports(self, node: Node) -> Iterator[Import]:
        text = self._of(node)
        source = node.child_by_field_name("module_name")
        module = self._of(source)
        level = len(module) - len(module.lstrip("."))
        for child in node.children_by_field_name("name"):
            name = child.child_by_field_name("name") if child.type == "aliased_import" else child
            alias = self._of(child.child_by_field_name("alias")) or self._of(name)
            if source is not None:
                yield Import(alias, module.lstrip("."), level, self._of(name), text)
            else:
                # `import a.b` binds `a`, and is used by its whole name.
                yield Import(alias, self._of(name), 0, "", text)
        if source is not None and any(one.type == "wildcard_import" for one in node.children):
            yield Import("*", module.lstrip("."), level, "*", text)

    def _definitions(self, node: Node, above: str = "") -> Iterator[Definition]:
        inner = node.child_by_field_name("definition") or node
        name = self._of(inner.child_by_field_name("name"))
        body = inner.child_by_field_name("body")
        if not name or body is None:
            return
        if inner.type == "class_definition" and not above:
            methods = [
                method
                for child in _statements(body)
                if child.type in ("function_definition", "decorated_definition")
                for method in self._definitions(child, f"{name}.")
            ]
            yield self._class(node, name, body, methods)
            yield from methods
        else:
            yield self._function(node, above + name, body)

    def _function(self, node: Node, name: str, body: Node) -> Definition:
        indent = self._indent(node)
        head = self._text(node.start_byte - len(indent), body.start_byte).rstrip()
        doc = self._docstring(body)
        short = f"{head} ..."
        shown = f"{head}\n{indent}    {doc}\n{indent}    ..." if doc else short
        return self._made(node, name, shown, short)

    def _class(self, node: Node, name: str, body: Node, methods: list[Definition]) -> Definition:
        indent = self._indent(node)
        head = self._text(node.start_byte - len(indent), body.start_byte).rstrip()
        doc = self._docstring(body)
        fields = [
            self._of(child)
            for child in _statements(body)
            if child.type == "expression_statement" and child.children[0].type == "assignment"
            if child.start_point.row + _MOST_LINES > child.end_point.row
        ]
        lines = [f"{indent}    {one}" for one in ([doc] if doc else []) + fields]
        signatures = [method.short for method in methods[:_MOST_METHODS]]
        shown = "\n".join([head, *lines, *signatures])
        short = "\n".join([head, *signatures])
        empty = "" if signatures or lines else " ..."
        return self._made(node, name, shown + empty, short if signatures else f"{head} ...")

    def _constant(self, node: Node) -> Iterator[Definition]:
        if node.type == "type_alias_statement":
            left = node.child_by_field_name("left")
        elif node.children and node.children[0].type == "assignment":
            left = node.children[0].child_by_field_name("left")
        else:
            return
        lines = self._of(node).split("\n")
        text = "\n".join(lines if len(lines) <= _MOST_LINES else [*lines[:3], "    ..."])
        for name in words(self._of(left)) if left is not None else ():
            yield self._made(node, name, text, text)

    def _made(self, node: Node, name: str, shown: str, short: str) -> Definition:
        start = self._offset(node.start_byte, node.start_point)
        end = self._offset(node.end_byte, node.end_point)
        return Definition(name, start, end, shown, short)

    def _docstring(self, body: Node) -> str:
        first = body.children[0] if body.children else None
        if first is None or first.type != "expression_statement" or not first.children:
            return ""
        return self._of(first) if first.children[0].type == "string" else ""

    def _indent(self, node: Node) -> str:
        line = self._text(node.start_byte - node.start_point.column, node.start_byte)
        return line if not line.strip() else ""


def _statements(node: Node) -> Iterator[Node]:
    """The statements of a block, with those in branches of it; in the order of the file."""
    pending = list(reversed(node.children))
    while pending:
        child = pending.pop()
        if child.type in _BLOCKS:
            pending += reversed(child.children)
        else:
            yield child
