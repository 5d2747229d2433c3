"""Takes an answer apart that holds a function, or other lines, in a new version.

A model that is shown a method tends to answer with imports above it, or with its class around it.
Imports go to the top of the file, the class is left out; what else it wrote beside a method has no
place, and is refused when the method needs it.
"""

from __future__ import annotations

import ast
import textwrap

from lsp.python.blocks import first_line, parse
from lsp.python.reply import Refused, function_named, needed_beside, needed_imports
from lsp.text import Text

_Import = ast.Import | ast.ImportFrom


def function_answer(
    code: str, name: str, before: str, *, nested: bool
) -> tuple[str, tuple[str, ...]]:
    """The lines for a place in a file, and the imports that go to its top.

    Args:
        code: the answer.
        name: the function that the place holds; empty when it holds other lines.
        before: what stands there now, dedented.
        nested: it stands inside something, so that definitions beside it have no place.

    Raises:
        Refused: the function is not there, or needs what has no place.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(code)
    if tree is None and (tree := parse(textwrap.dedent(code))) is not None:
        code = textwrap.dedent(code)
    if tree is None:
        if name:
            raise Refused(f"The answer for {name} was not applied: it is not valid Python.")
        return code, ()  # a part of a statement, perhaps: it is read in its place
    if not name:
        return _without_imports(code, name, tree, before)
    node = function_named(tree, name)
    if node is None:
        raise Refused(f"The answer was not applied: it holds no function {name}.")
    if not nested and node in tree.body:
        return _without_imports(code, name, tree, before)
    needed_beside(tree, node, [node])
    lines = Text(code)
    first, last = first_line(node) - 1, (node.end_lineno or node.lineno) - 1
    start, end = lines.line_starts[first], lines.line_span(last)[1]
    return lines.value[start:end], needed_imports(tree, name, [node])


def _without_imports(
    code: str, name: str, tree: ast.Module, before: str
) -> tuple[str, tuple[str, ...]]:
    """The answer without its imports, unless the place held imports itself."""
    old = parse(before)
    if old is not None and _imports_of(old):
        return code, ()
    imports = _imports_of(tree)
    rest = [statement for statement in tree.body if not isinstance(statement, _Import)]
    if not imports or not rest:
        return code, ()
    gone = {number for node in imports for number in range(node.lineno, (node.end_lineno or 0) + 1)}
    if any(statement.lineno in gone for statement in rest):
        return code, ()  # on one line with something else
    text = Text(code)
    kept = [text.line(n) for n in range(len(text.line_starts)) if n + 1 not in gone]
    return "\n".join(kept), needed_imports(tree, name or "these lines", rest)


def _imports_of(tree: ast.Module) -> list[_Import]:
    return [statement for statement in tree.body if isinstance(statement, _Import)]
