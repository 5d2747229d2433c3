"""Takes a model's answer apart: the body for one stub, and the imports that the body needs.

The answer is a whole function. Only its body enters the document: the header and docstring that
stand there are the user's. What does not fit is refused with a sentence, never applied in part.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.errors import RequestProblem
from lsp.python.blocks import FunctionNode, character_column, first_line, indentation, parse
from lsp.python.strings import lines_inside_strings
from lsp.python.stubs import Stub, is_placeholder, split_docstring
from lsp.text import Text


class Refused(RequestProblem):
    """An answer or a document that an edit can not be made from; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Body:
    """The statements of an answer, ready to be indented.

    Attributes:
        lines: the source lines from the first statement to the last, as the model indented them;
            the first without its indentation.
        margin: the columns of indentation that the statements have, a tab counting four.
        unit: the columns of one step of indentation inside them.
        fixed: indices of lines that begin inside a string and must not be touched.
        imports: module-level imports that the statements need.
        shape: `ast.dump` of the statements, to compare with what landed in the document.
    """

    lines: tuple[str, ...]
    margin: int
    unit: int
    fixed: frozenset[int]
    imports: tuple[str, ...]
    shape: str


def body_for(stub: Stub, code: str) -> Body:
    """The body of the function in `code` that implements `stub`.

    Raises:
        Refused: the answer does not parse, holds another function or none, or leans on
            definitions beside the function.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(code)
    if tree is None:
        raise Refused(f"The answer for {stub.name} was not applied: it is not valid Python.")
    node = function_named(tree, stub.name)
    if node is None:
        raise Refused(f"The answer was not applied: it holds no function {stub.name}.")
    _check_same_signature(stub, node)
    statements = split_docstring(node.body)[1]
    if all(map(is_placeholder, statements)):
        raise Refused(f"The answer for {stub.name} was not applied: its body is empty.")
    first, last = statements[0], statements[-1]
    fixed = frozenset(line - (first_line(first) - 1) for line in lines_inside_strings(code))
    lines = _source_lines(Text(code), first, last)
    margin = _margin(Text(code).line(first_line(first) - 1), first)
    return Body(
        lines=lines,
        margin=margin,
        unit=_step(Text(code), statements),
        fixed=fixed,
        imports=_imports(tree, node, statements),
        shape=shape_of(statements),
    )


def columns(line: str) -> int:
    """Width of a line's indentation, a tab counting four."""
    return len(indentation(line).expandtabs(4))


def shape_of(statements: Sequence[ast.stmt]) -> str:
    """The syntax of statements without their places."""
    return "\n".join(ast.dump(statement) for statement in statements)


def function_named(tree: ast.Module, name: str) -> FunctionNode | None:
    """The last function of that name, at the top or in a class that the model wrapped it in."""
    scopes = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for scope in scopes:
        found = [n for n in scope if isinstance(n, FunctionNode) and n.name == name]
        if found:
            return found[-1]
    return None


def _check_same_signature(stub: Stub, node: FunctionNode) -> None:
    same_kind = isinstance(node, ast.AsyncFunctionDef) == isinstance(
        stub.node, ast.AsyncFunctionDef
    )
    if not same_kind or _parameters(node.args) != _parameters(stub.node.args):
        wanted, given = ast.unparse(stub.node.args), ast.unparse(node.args)
        raise Refused(
            f"The answer for {stub.name} was not applied: it has another signature, "
            f"{_keyword(node)} {stub.name}({given}) instead of "
            f"{_keyword(stub.node)} {stub.name}({wanted})."
        )


def _keyword(node: FunctionNode) -> str:
    return "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"


def _parameters(arguments: ast.arguments) -> str:
    """Names, kinds, order and defaults; annotations are the document's business."""
    bare = ast.parse(f"def f({ast.unparse(arguments)}): pass").body[0]
    assert isinstance(bare, ast.FunctionDef)
    for node in ast.walk(bare.args):
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(bare.args)


def _imports(
    tree: ast.Module, function: FunctionNode, statements: Sequence[ast.stmt]
) -> tuple[str, ...]:
    """The answer's module-level imports that the body uses.

    Raises:
        Refused: the body uses another definition of the answer, or a star or relative import.
    """
    needed_beside(tree, function, statements)
    return needed_imports(tree, function.name, statements)


def needed_imports(tree: ast.Module, name: str, statements: Sequence[ast.stmt]) -> tuple[str, ...]:
    """The module-level imports of an answer that some of its statements use, one a line.

    Raises:
        Refused: they use a star or relative import, which only the person can place.
    """
    used = {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)}
    needed = []
    for statement in tree.body:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            continue
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
            continue
        aliases = [a for a in statement.names if a.name == "*" or bound_by(a) in used]
        if not aliases:
            continue
        if aliases[0].name == "*" or (isinstance(statement, ast.ImportFrom) and statement.level):
            raise Refused(
                f"The answer for {name} was not applied: it needs "
                f"`{ast.unparse(statement)}`, which is yours to add."
            )
        statement.names = aliases
        needed.append(ast.unparse(statement))
    return tuple(needed)


def needed_beside(tree: ast.Module, function: FunctionNode, statements: Sequence[ast.stmt]) -> None:
    """See that statements of a function use nothing that the answer defines beside it.

    Raises:
        Refused: they do, and it has no place.
    """
    used = {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name)}
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom) or function in ast.walk(statement):
            continue
        if beside := used & (_bound_at(statement) - {function.name}):
            raise Refused(
                f"The answer for {function.name} was not applied: it needs "
                f"{' and '.join(sorted(beside))}, defined beside the function."
            )


def bound_by(alias: ast.alias) -> str:
    """The name that an import binds: `os` for `import os.path`."""
    return alias.asname or alias.name.partition(".")[0]


def _bound_at(statement: ast.stmt) -> set[str]:
    """The names that a statement of the answer's module binds, but for those of its classes."""
    if isinstance(statement, FunctionNode | ast.ClassDef):
        return {statement.name}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _source_lines(text: Text, first: ast.stmt, last: ast.stmt) -> tuple[str, ...]:
    """The lines of the statements, with the comment behind the last one."""
    lines = [text.line(number) for number in range(first_line(first) - 1, last.end_lineno or 0)]
    end = character_column(lines[-1], last.end_col_offset or 0)
    rest = lines[-1][end:]
    lines[-1] = lines[-1][:end] + (rest.rstrip() if rest.lstrip().startswith("#") else "")
    lines[0] = lines[0][character_column(lines[0], first.col_offset) :]
    return tuple(lines)


def _margin(line: str, first: ast.stmt) -> int:
    """Columns before the first statement; behind a `def` on its line, one step."""
    return columns(line) if len(indentation(line)) == first.col_offset else columns(line) + 4


def _step(text: Text, statements: Sequence[ast.stmt]) -> int:
    """Columns from a statement to those inside it; four when nothing is inside any."""
    steps = []
    for outer in (node for statement in statements for node in ast.walk(statement)):
        inner = getattr(outer, "body", None)
        if isinstance(outer, ast.stmt) and isinstance(inner, list) and inner:
            depths = [columns(text.line(node.lineno - 1)) for node in (outer, inner[0])]
            steps.append(depths[1] - depths[0])
    return min((step for step in steps if step > 0), default=4)
