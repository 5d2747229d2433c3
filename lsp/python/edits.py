"""Turns an answer's body into the text edits of one document.

Only the stub's slot and, when the body needs them, whole import lines at the top are written. The
edits are checked in place before they leave here: the document must parse afterwards if it parsed
before, and the function in it must hold exactly the statements of the answer.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from lsp.python.blocks import FunctionNode, block_at, parse
from lsp.python.reply import Body, Refused, bound_by, columns, shape_of
from lsp.python.stubs import Stub, split_docstring
from lsp.text import Text


@dataclass(frozen=True, slots=True)
class Insertion:
    """`[start, end)` of a text becomes `new`."""

    start: int
    end: int
    new: str


def edits_for(text: Text, stub: Stub, body: Body) -> list[Insertion]:
    """The edits that put `body` into `stub`, in the order of their places.

    Raises:
        Refused: an import can not be placed, or the result is not what the answer says.
    """
    filled = _filled(text, stub, body)
    after = text.replace(filled.start, filled.end, filled.new)
    _check_in_place(text, after, stub, body)
    imports = import_edit(after, stub.name, body.imports)
    return [filled] if imports is None else [imports, filled]


def apply(text: Text, edits: list[Insertion]) -> Text:
    """The text after the edits, none of which overlap."""
    for edit in reversed(edits):
        text = text.replace(edit.start, edit.end, edit.new)
    return text


def _filled(text: Text, stub: Stub, body: Body) -> Insertion:
    lines = [
        line if index in body.fixed else _indented(line, index, stub, body)
        for index, line in enumerate(body.lines)
    ]
    return Insertion(stub.slot.start, stub.slot.end, stub.slot.before + text.line_end.join(lines))


def _indented(line: str, index: int, stub: Stub, body: Body) -> str:
    """A line of the answer at its depth in the document, in the document's own steps."""
    content = line.lstrip(" \t\f")
    if not content:
        return ""
    if index == 0:
        return stub.slot.indent + content
    steps, rest = divmod(max(columns(line) - body.margin, 0), body.unit)
    return stub.slot.indent + stub.slot.unit * steps + " " * rest + content


def _check_in_place(before: Text, after: Text, stub: Stub, body: Body) -> None:
    if parse(before.value) is not None and parse(after.value) is None:
        raise Refused(
            f"The answer for {stub.name} was not applied: it does not parse in its place."
        )
    block = block_at(after, after.line_of(stub.start))
    landed = None if block is None else shape_of(split_docstring(block.body)[1])
    if block is None or block.node.name != stub.name or landed != body.shape:
        raise Refused(
            f"The answer for {stub.name} was not applied: it would not mean the same there."
        )


def import_edit(after: Text, name: str, imports: Sequence[str]) -> Insertion | None:
    """One insertion with the imports that the module does not have yet.

    Args:
        after: the text with everything else in its place.
        name: what needs them.
        imports: statements, one each.

    Raises:
        Refused: they can not be placed.
    """
    if not imports:
        return None
    tree = parse(after.value)
    if tree is None:
        raise Refused(
            f"The answer for {name} was not applied: it needs `{'; '.join(imports)}`, "
            "and the file does not parse. Add that line yourself and try again."
        )
    missing = _missing(tree, name, imports)
    if not missing:
        return None
    return _placed(after, tree, missing)


def _missing(tree: ast.Module, needer: str, imports: Sequence[str]) -> list[str]:
    """The imports that are not there; a name that means something else there is refused."""
    imported, defined = _module_names(tree)
    missing = []
    for line in imports:
        statement = ast.parse(line).body[0]
        assert isinstance(statement, ast.Import | ast.ImportFrom)
        wanted = []
        for alias in statement.names:
            name, target = bound_by(alias), _target(statement, alias)
            there = imported.get(name, set())
            if name in defined or any(other[0] != target[0] for other in there):
                raise Refused(
                    f"The answer for {needer} was not applied: it needs `{line}`, "
                    f"and {name} already means something else here."
                )
            if target not in there:
                wanted.append(alias)
        if wanted:
            statement.names = wanted
            missing.append(ast.unparse(statement))
    return missing


def _module_names(tree: ast.Module) -> tuple[dict[str, set[tuple[str, str]]], set[str]]:
    """What the module's names are: imports with their targets, and everything else."""
    imported: dict[str, set[tuple[str, str]]] = {}
    defined: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                imported.setdefault(bound_by(alias), set()).add(_target(node, alias))
        elif isinstance(node, FunctionNode | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
        else:
            pending.extend(ast.iter_child_nodes(node))
    return imported, defined - imported.keys()


def _target(statement: ast.Import | ast.ImportFrom, alias: ast.alias) -> tuple[str, str]:
    """What an import binds its name to, and what it loads: `import a.b` binds `a`."""
    if isinstance(statement, ast.Import):
        return (alias.name if alias.asname else bound_by(alias)), alias.name
    source = f"{'.' * statement.level}{statement.module or ''}:{alias.name}"
    return source, source


def _placed(after: Text, tree: ast.Module, missing: list[str]) -> Insertion:
    """Below the first block of imports, else below the module's docstring or first comments."""
    docstring, statements = split_docstring(tree.body)
    anchor: ast.stmt | None = docstring
    for statement in statements:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            break
        anchor = statement
    end, block = after.line_end, after.line_end.join(missing)
    if anchor is None:
        line = 0
        while after.line(line).startswith(("#!", "# -*-")):
            line += 1
        at = after.line_starts[line]
        return Insertion(at, at, block + end * 3)
    at = after.line_span((anchor.end_lineno or 1) - 1)[1]
    return Insertion(at, at, (end * 2 if anchor is docstring else end) + block)
