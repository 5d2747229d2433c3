"""Functions as text: their `def` line, and their source without the docstring."""

from __future__ import annotations

import ast
import warnings

Function = ast.FunctionDef | ast.AsyncFunctionDef
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What reading a stranger's code may raise."""


def parse(source: str) -> ast.Module:
    """The syntax tree, without warnings about odd escapes in code that is not ours.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python 3 (`NOT_PYTHON`).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def signature_of(function: Function) -> str:
    """The `def` line, written on one line."""
    start = "async def" if isinstance(function, ast.AsyncFunctionDef) else "def"
    gives = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{start} {function.name}({ast.unparse(function.args)}){gives}:"


def docstring_node(function: Function) -> ast.Expr | None:
    """The statement that is the docstring, if there is one."""
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first if isinstance(first.value.value, str) else None
    return None


def source_of(module: str, node: ast.stmt) -> str:
    """The lines of a statement at the top of a module, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(module.split("\n")[first - 1 : node.end_lineno]) + "\n"


def without_docstring(module: str, function: Function) -> str:
    """The source of a function at the top of a module without its docstring.

    Comments and layout stay. A function of nothing but a docstring gets `pass`.
    """
    source, node = source_of(module, function), docstring_node(function)
    if node is None:
        return source
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    # Columns count bytes of UTF-8.
    lines = [line.encode() for line in source.split("\n")]
    start, end = node.lineno - first, (node.end_lineno or node.lineno) - first
    before, after = lines[start][: node.col_offset], lines[end][node.end_col_offset or 0 :]
    rest = after.lstrip(b" \t;")
    if len(function.body) == 1:
        kept = [before + b"pass" + after]
    elif rest and not rest.startswith(b"#"):
        kept = [before + rest]
    else:
        kept = [before.rstrip()] if before.strip() else []
    return b"\n".join([*lines[:start], *kept, *lines[end + 1 :]]).decode()
