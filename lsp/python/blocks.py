"""Finds the function that a line belongs to, in text that parses and in text that does not.

While someone types, the file around the cursor is broken most of the time; and a function whose
body is only a comment does not parse at all. So there are two ways to the same `Block`: the syntax
tree of the whole text, and, when there is none, indentation: the nearest `def` above, read with a
`pass` put under it.

What is not covered by the second way: decorators over several lines, and `def` inside a string.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from lsp.text import Text

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_DEF = re.compile(r"(?P<indent>[ \t]*)(async[ \t]+)?def[ \t]+\w+")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'', re.DOTALL)
_TOKEN = re.compile(
    _STRING.pattern + r"""|"(?:\\.|[^"\\\r\n])*"|'(?:\\.|[^'\\\r\n])*'|\#[^\r\n]*|[()\[\]{}:]""",
    re.DOTALL,
)
LONGEST_HEADER = 10_000
"""Characters after which an unclosed parameter list is given up."""


@dataclass(frozen=True, slots=True)
class Block:
    """One function in a text. Lines count from 0; `header_end` is the offset after its colon."""

    node: FunctionNode
    shift: int
    """Add it to a line number of `node` (from 1) to get a line of the text (from 0)."""
    body: tuple[ast.stmt, ...]
    """The statements that stand in the text; empty when there are none, which Python forbids."""
    first: int
    """The line of the first decorator, or of the `def`."""
    last: int
    """The last line: of the last statement, or of a comment below it that is indented as deep."""
    header_end: int
    comments_above: tuple[str, ...]
    """Comments on the lines directly above, at the same indentation."""

    def lines_of(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        """First and last line of a node."""
        return node.lineno + self.shift, (node.end_lineno or node.lineno) + self.shift


def block_at(text: Text, line: int) -> Block | None:
    """The innermost function that `line` belongs to, comments directly above it included."""
    blocks = _by_tree(text)
    for block in _by_indentation(text, line) if blocks is None else blocks:
        if block.first - len(block.comments_above) <= line <= block.last:
            return block
    return None


def qualified_name(text: Text, line: int) -> str | None:
    """The name of the innermost function around a line, with its classes: `Cart.total`.

    None where there is none, and in a text that does not parse.
    """
    tree, names = parse(text.value), []
    scope: ast.AST | None = tree
    while scope is not None:
        scope = next((one for one in ast.iter_child_nodes(scope) if _holds(one, line)), None)
        if isinstance(scope, FunctionNode | ast.ClassDef):
            names.append(scope)
    while names and isinstance(names[-1], ast.ClassDef):
        names.pop()
    return ".".join(one.name for one in names) or None


def _holds(node: ast.AST, line: int) -> bool:
    if not isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
        return False
    if not isinstance(node, ast.stmt):
        return any(_holds(one, line) for one in node.body)
    return first_line(node) - 1 <= line < (node.end_lineno or 0)


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None when there is none (null bytes and absurd nesting included)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in the user's text is not ours
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def first_line(statement: ast.stmt) -> int:
    """The line, from 1, that a statement begins on, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def indentation(line: str) -> str:
    """The white space that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t\f"))]


@lru_cache(maxsize=4)
def _by_tree(text: Text) -> tuple[Block, ...] | None:
    """All functions, the later first; None for a text that does not parse.

    Kept, since editors ask at each movement of the cursor.
    """
    tree = parse(text.value)
    if tree is None:
        return None
    nodes = [node for node in ast.walk(tree) if isinstance(node, FunctionNode)]
    found = [_block(text, node, -1, tuple(node.body)) for node in nodes]
    return tuple(
        sorted((b for b in found if b is not None), key=lambda block: block.first, reverse=True)
    )


def _by_indentation(text: Text, line: int) -> Iterator[Block]:
    """The functions around `line`, innermost first, each read on its own."""
    below = min(line + 1, len(text.line_starts) - 1)
    while below < len(text.line_starts) - 1 and _is_comment_or_decorator(text.line(below - 1)):
        below += 1  # from a comment or decorator above a function, its `def` is further down
    for number in range(below, -1, -1):
        if match := _DEF.match(text.line(number)):
            block = _read_alone(text, number, match["indent"])
            if block is not None:
                yield block
            if not match["indent"] and number <= line:
                return  # nothing above a function of the module holds this line


def character_column(line: str, column: int) -> int:
    """A column of the syntax tree, which counts bytes of UTF-8, as a count of characters."""
    return column if line.isascii() else len(line.encode()[:column].decode())


def _is_comment_or_decorator(line: str) -> bool:
    return line.lstrip(" \t\f").startswith(("#", "@"))


def _read_alone(text: Text, line: int, indent: str) -> Block | None:
    first = line
    while first > 0 and text.line(first - 1).startswith(f"{indent}@"):
        first -= 1
    header_end = find_header_end(text.value, text.line_starts[line])
    if header_end is None:
        return None
    last = _last_line(text, text.line_of(header_end), indent, header_end)
    start, end = text.line_starts[first], text.line_span(last)[1]
    wrapper = "if 1:\n" if indent else ""
    source = wrapper + text.value[start:end]
    shift = first - 1 - bool(wrapper)
    for placeholder in ("", f"\n{indent}    pass"):
        tree = parse(source + placeholder)
        if tree is not None:
            holder = tree.body[0].body[0] if isinstance(tree.body[0], ast.If) else tree.body[0]
            if not isinstance(holder, FunctionNode):
                return None
            body = tuple(holder.body[:-1] if placeholder else holder.body)
            return _block(text, holder, shift, body)
    return None


def _last_line(text: Text, line: int, indent: str, header_end: int) -> int:
    """The last line below the header that is indented deeper than it."""
    opening = re.compile(r"\s*[rRuU]?").match(text.value, header_end)
    docstring = _STRING.match(text.value, opening.end() if opening else header_end)
    last = line if docstring is None else text.line_of(docstring.end())
    for number in range(last + 1, len(text.line_starts)):
        content = text.line(number)
        if not content.strip():
            continue
        if len(indentation(content).expandtabs()) <= len(indent.expandtabs()):
            break
        last = number
    return last


def _block(text: Text, node: FunctionNode, shift: int, body: tuple[ast.stmt, ...]) -> Block | None:
    first, def_line = first_line(node) + shift, node.lineno + shift
    header_end = find_header_end(text.value, text.line_starts[def_line])
    if header_end is None:
        return None
    last = text.line_of(header_end)
    if body:
        last = max(last, (body[-1].end_lineno or 0) + shift)
    indent = indentation(text.line(def_line))
    last = _with_comments_below(text, last, len(indent.expandtabs()))
    above = tuple(_comments_above(text, first, indent))
    return Block(node, shift, body, first, last, header_end, above)


def _with_comments_below(text: Text, last: int, depth: int) -> int:
    for number in range(last + 1, len(text.line_starts)):
        content = text.line(number)
        if not content.strip():
            continue
        deeper = len(indentation(content).expandtabs()) > depth
        if not (deeper and content.lstrip().startswith("#")):
            break
        last = number
    return last


def _comments_above(text: Text, first: int, indent: str) -> list[str]:
    found: list[str] = []
    while first > 0 and text.line(first - 1).startswith(f"{indent}#"):
        first -= 1
        found.insert(0, text.line(first).strip())
    return found


def find_header_end(source: str, start: int) -> int | None:
    """The offset after the colon that ends the `def` at `start`; None when it has none."""
    depth = 0
    for match in _TOKEN.finditer(source, start, start + LONGEST_HEADER):
        token = match.group()
        if token in "([{":
            depth += 1
        elif token in ")]}":
            depth -= 1
        elif token == ":" and depth == 0:
            return match.end()
        if depth < 0:
            return None
    return None
