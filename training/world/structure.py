"""The shape of a program: its syntax tree with every name and constant made equal.

The split into training and evaluation goes by this shape, and by nothing else: two problems whose
code differs in names, builtins, methods or constants only are on the same side. It needs no seed
and no list of what exists, so a problem made next year lands on the side where it belongs.
"""

from __future__ import annotations

import ast
import hashlib

HELDOUT_PERCENT = 15
VALIDATION_PERCENT = 3

# Fields that hold a spelling and not a shape: identifiers, attribute and keyword names, values.
_SPELLING = {"id", "arg", "attr", "name", "value", "kind", "s", "n", "type_comment"}


def _strip_docstring(node: ast.AST) -> list[ast.stmt]:
    body: list[ast.stmt] = node.body  # type: ignore[attr-defined]
    first = body[0] if body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        return body[1:]
    return body


def _is_negative_number(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.UnaryOp)
        and isinstance(node.op, ast.USub)
        and isinstance(node.operand, ast.Constant)
    )


def _shape(node: object, parts: list[str]) -> None:
    if isinstance(node, list):
        parts.append("[")
        for item in node:
            _shape(item, parts)
        parts.append("]")
        return
    if not isinstance(node, ast.AST):
        # Whether an optional spelling is there (`**kwargs` against `k=`) is a matter of shape.
        parts.append("0" if node is None else "_")
        return
    if isinstance(node, ast.Constant):
        parts.append("C")
        return
    if _is_negative_number(node):
        parts.append("C")  # -5 is a constant to a reader
        return
    parts.append(type(node).__name__ + "(")
    is_scope = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module)
    for field in node._fields:
        if field in ("ctx", "annotation", "returns", "type_comment"):
            continue  # type hints are decoration: with and without them the shape is the same
        value = getattr(node, field, None)
        if is_scope and field == "body":
            value = _strip_docstring(node)
        if field in _SPELLING and not isinstance(value, ast.AST | list):
            parts.append("0" if value is None else "_")
        else:
            _shape(value, parts)
    parts.append(")")


def shape(code: str) -> str:
    """The normalised syntax tree of `code` as text.

    Raises:
        SyntaxError: the code does not parse.
    """
    parts: list[str] = []
    _shape(ast.parse(code), parts)
    return "".join(parts)


def structure_hash(code: str) -> str:
    """16 hexadecimal digits that are equal for code of the same shape."""
    return hashlib.sha256(shape(code).encode()).hexdigest()[:16]


def bucket(structure: str) -> int:
    """A number from 0 to 99 that depends on the structure alone."""
    return int(hashlib.sha256(f"split:{structure}".encode()).hexdigest()[:8], 16) % 100


def split_of(structure: str, basic: frozenset[str]) -> str:
    """train, validation or heldout.

    Args:
        structure: of the problem's code.
        basic: structures of the building blocks alone; they always belong to the training data,
            so that what is held out is a new composition of known parts.
    """
    if structure in basic:
        return "train"
    number = bucket(structure)
    if number < HELDOUT_PERCENT:
        return "heldout"
    return "validation" if number < HELDOUT_PERCENT + VALIDATION_PERCENT else "train"
