"""Finds Python functions that say what they do and do not do it yet.

A stub is a function with a docstring or a comment whose body is nothing else but `pass`, `...`,
`raise NotImplementedError` or not there at all. Text in, offsets out: nothing here knows the
protocol, and no model is asked.

What is not covered: abstract methods and overloads (their bodies belong elsewhere), and several
statements on one line.
"""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lsp.python.blocks import Block, FunctionNode, block_at, character_column, indentation
from lsp.text import Text

# Comments that talk to tools, and rules that only draw a line, describe nothing.
_NOT_A_DESCRIPTION = re.compile(
    r"#\s*(!|-\*-|noqa\b|type:|pylint:|fmt:|pragma\b|ruff:|mypy:|region\b|%%|[^\w\s]*\s*$)"
)
# The indentation of a line that opens a block, and that of the line below it.
_OPENED = re.compile(
    r"^([ \t]*)[^\s#][^\r\n]*:[ \t]*(?:\r\n|\n|\r)([ \t]+)(?=[^\s#])", re.MULTILINE
)
_IMPLEMENTED_ELSEWHERE = frozenset({"abstractmethod", "overload"})


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a body goes: `[start, end)` is replaced by `before` and the indented body."""

    start: int
    end: int
    before: str
    indent: str
    unit: str = "    "
    """One step of indentation as the document uses it."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A function without a body, in offsets of the text that it was found in."""

    name: str
    start: int
    """First character of the line of its first decorator, or of its `def`."""
    end: int
    """End of its last line, without the line ending."""
    slot: Slot
    source: str
    """What a model is given: decorators, the `def` line and the description, dedented."""
    node: FunctionNode = field(compare=False, repr=False)


def find_stub(text: Text, offset: int) -> Stub | None:
    """The stub that `offset` lies on (any character of it, or of the comment above it), or None.

    The blank line below it counts: there the cursor stands when somebody has described a function
    and pressed Enter.
    """
    line = text.line_of(offset)
    block = block_at(text, line)
    if line and not text.line(line).strip():
        above = block_at(text, line - 1)
        block = above if above is not None and above.last == line - 1 else block
    if block is None or _IMPLEMENTED_ELSEWHERE & set(map(_last_name, block.node.decorator_list)):
        return None
    docstring, rest = split_docstring(block.body)
    if len(rest) > 1 or not all(map(is_placeholder, rest)):
        return None
    comments = _comments_inside(text, block, docstring, rest)
    described = [c for c in (comments or block.comments_above) if not _NOT_A_DESCRIPTION.match(c)]
    slot = _slot(text, block, docstring, rest)
    if slot is None or (docstring is None and not described):
        return None
    description = _description(docstring, described if docstring is None else comments)
    source = "\n".join([*_decorators(block), _signature(text, block), *description])
    start, end = text.line_span(block.first)[0], text.line_span(block.last)[1]
    return Stub(block.node.name, start, end, slot, source, block.node)


def split_docstring(body: Sequence[ast.stmt]) -> tuple[ast.Expr | None, Sequence[ast.stmt]]:
    """The docstring statement of a body, if it has one, and the statements after it."""
    match body:
        case [ast.Expr(value=ast.Constant(value=str())) as docstring, *rest]:
            return docstring, rest
    return None, body


def is_placeholder(statement: ast.stmt) -> bool:
    """True for `pass`, `...` and `raise NotImplementedError`, called or not."""
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name)), cause=None):
            return name == "NotImplementedError"
    return False


def _signature(text: Text, block: Block) -> str:
    """The `def` line, dedented; one that runs over several lines is put on one."""
    start = text.line_starts[block.lines_of(block.node)[0]]
    written = text.value[start : block.header_end].strip()
    if len(Text(written).line_starts) == 1:
        return written
    bare = copy.copy(block.node)
    bare.body, bare.decorator_list = [ast.Pass()], []
    return ast.unparse(bare).removesuffix("pass").rstrip()


def _last_name(decorator: ast.expr) -> str:
    """`abstractmethod` for both `@abstractmethod` and `@abc.abstractmethod`."""
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    if isinstance(decorator, ast.Attribute):
        return decorator.attr
    return decorator.id if isinstance(decorator, ast.Name) else ""


def _decorators(block: Block) -> list[str]:
    return [f"@{ast.unparse(decorator)}" for decorator in block.node.decorator_list]


def _description(docstring: ast.Expr | None, comments: Sequence[str]) -> list[str]:
    """The docstring as a model is given it; comments stand in for a missing one."""
    if docstring is None:
        words, comments = "\n".join(comment.lstrip("# \t") for comment in comments), []
    else:
        assert isinstance(docstring.value, ast.Constant)
        words = inspect.cleandoc(str(docstring.value.value))
    quoted = words.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    lines = f'"""{quoted}"""'.splitlines()
    if len(lines) > 1:
        lines[-1:] = [lines[-1].removesuffix('"""'), '"""']
    return [f"    {line}".rstrip() for line in [*lines, *comments]]


def _comments_inside(
    text: Text, block: Block, docstring: ast.Expr | None, rest: Sequence[ast.stmt]
) -> list[str]:
    """The comments from the header's end to the function's, in order."""
    found = [_comment_after(text, block.header_end)]
    statements = [s for s in (docstring, *rest) if s is not None]
    taken = {n for s in statements for n in range(block.lines_of(s)[0], block.lines_of(s)[1] + 1)}
    ends = {block.lines_of(s)[1]: _end_of(text, block, s) for s in statements}
    for line in range(text.line_of(block.header_end), block.last + 1):
        if line in ends:
            found.append(_comment_after(text, ends[line]))
        elif line not in taken and line > text.line_of(block.header_end):
            found.append(_comment_after(text, text.line_starts[line]))
    return [comment for comment in found if comment]


def _comment_after(text: Text, offset: int) -> str:
    """The comment that follows `offset` on its line, if nothing but white space precedes it."""
    rest = text.value[offset : text.line_span(text.line_of(offset))[1]].strip()
    return rest if rest.startswith("#") else ""


def _slot(
    text: Text, block: Block, docstring: ast.Expr | None, rest: Sequence[ast.stmt]
) -> Slot | None:
    """Where the body goes; None when statements share a line, which nobody means to keep."""
    statements = [s for s in (docstring, *rest) if s is not None]
    if any(not _ends_its_line(text, _end_of(text, block, s)) for s in statements):
        return None
    header_line = text.line_of(block.header_end)
    indent, unit = _indents(text, block, header_line)
    inline = bool(statements) and block.lines_of(statements[0])[0] == header_line
    if inline:
        return _inline_slot(text, block, statements[0], docstring, indent, unit)
    if rest:
        first, last = block.lines_of(rest[0])
        return Slot(text.line_starts[first], text.line_span(last)[1], "", indent, unit)
    end = text.line_span(block.last)[1]
    return Slot(end, end, text.line_end, indent, unit)


def _inline_slot(
    text: Text,
    block: Block,
    statement: ast.stmt,
    docstring: ast.Expr | None,
    indent: str,
    unit: str,
) -> Slot | None:
    """For `def f(): ...` and `def f(): "..."`; the comment behind stays where it was."""
    end = text.line_span(block.lines_of(statement)[1])[1]
    comment = _comment_after(text, _end_of(text, block, statement))
    if statement is not docstring:
        before = f"  {comment}" if comment else ""
        return Slot(block.header_end, end, before + text.line_end, indent, unit)
    kept = text.value[block.header_end : end].strip()
    return Slot(block.header_end, end, text.line_end + indent + kept + text.line_end, indent, unit)


def _end_of(text: Text, block: Block, statement: ast.stmt) -> int:
    """The offset after a statement; the syntax tree counts bytes of UTF-8."""
    line = block.lines_of(statement)[1]
    column = character_column(text.line(line), statement.end_col_offset or 0)
    return text.line_starts[line] + column


def _ends_its_line(text: Text, offset: int) -> bool:
    rest = text.value[offset : text.line_span(text.line_of(offset))[1]].strip()
    return not rest or rest.startswith("#")


def _indents(text: Text, block: Block, header_line: int) -> tuple[str, str]:
    """The indentation of the body, and the one step that the text takes for it."""
    outer = indentation(text.line(block.lines_of(block.node)[0]))
    for line in range(header_line + 1, block.last + 1):
        inner = indentation(text.line(line))
        if text.line(line).strip() and inner.startswith(outer) and inner != outer:
            return inner, inner[len(outer) :]
    unit = _unit(text)
    return outer + unit, unit


def _unit(text: Text) -> str:
    """One step of indentation as most of the text takes it; four spaces when it shows none."""
    steps = Counter(
        inner[len(outer) :]
        for outer, inner in _OPENED.findall(text.value)
        if inner.startswith(outer) and inner != outer
    )
    return steps.most_common(1)[0][0] if steps else "    "
