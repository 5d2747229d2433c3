"""Takes the docstring out of an answer and puts it below the head of a function.

Nothing else of the answer is used: the code of the function stays what it is, character by
character.
"""

from __future__ import annotations

import ast

from lsp.python.blocks import Block, block_at, character_column, indentation, parse
from lsp.python.edits import Insertion, apply
from lsp.python.reply import Refused, columns, function_named, shape_of
from lsp.python.stubs import split_docstring
from lsp.text import Text


def docstring_edit(text: Text, offset: int, name: str, code: str) -> Insertion:
    """The edit that gives the function at `offset` the docstring of the answer.

    Raises:
        Refused: there is no such function or docstring, or the result would mean something else.
    """
    block = block_at(text, text.line_of(offset))
    if block is None or block.node.name != name or not block.body:
        raise Refused(f"The docstring for {name} was not applied: the function is not there.")
    edit = _below_head(text, block, _docstring_lines(code, name))
    _check(text, block, edit)
    return edit


def _docstring_lines(code: str, name: str) -> list[str]:
    """The lines of the docstring literal as the answer has them, without their margin."""
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(code)
    if tree is None:
        raise Refused(f"The docstring for {name} was not applied: the answer is not valid Python.")
    node = function_named(tree, name)
    found = split_docstring(node.body if node is not None else tree.body)[0]
    if found is None:
        raise Refused(f"The docstring for {name} was not applied: the answer holds none.")
    text = Text(code)
    first, last = found.lineno - 1, (found.end_lineno or found.lineno) - 1
    lines = [text.line(number) for number in range(first, last + 1)]
    lines[-1] = lines[-1][: character_column(lines[-1], found.end_col_offset or 0)]
    start = character_column(lines[0], found.col_offset)
    margin = columns(lines[0]) if not lines[0][:start].strip() else 0
    return [lines[0][start:], *(_without_margin(line, margin) for line in lines[1:])]


def _without_margin(line: str, margin: int) -> str:
    content = line.lstrip(" \t")
    return " " * max(columns(line) - margin, 0) + content if content else ""


def _below_head(text: Text, block: Block, lines: list[str]) -> Insertion:
    first = block.lines_of(block.body[0])[0]
    if first == text.line_of(block.header_end):
        raise Refused(
            f"The docstring for {block.node.name} was not applied: its body stands on the line of "
            "its head."
        )
    indent, end = indentation(text.line(first)), text.line_end
    at = text.line_span(text.line_of(block.header_end))[1]
    new = "".join(f"{end}{indent}{line}" if line else end for line in lines)
    return Insertion(at, at, new)


def _check(text: Text, block: Block, edit: Insertion) -> None:
    """The function says something now, and does what it did."""
    after = apply(text, [edit])
    landed = block_at(after, block.first)
    name = block.node.name
    if landed is None or landed.node.name != name:
        raise Refused(f"The docstring for {name} was not applied: it does not parse in its place.")
    docstring, rest = split_docstring(landed.body)
    if docstring is None or shape_of(rest) != shape_of(block.body):
        raise Refused(f"The docstring for {name} was not applied: it would change the code.")
    if not (ast.get_docstring(landed.node) or "").strip():
        raise Refused(f"The docstring for {name} was not applied: it is empty.")
