"""What codebleu 0.7.0 does otherwise, made again to compare with numbers published with it.

Each function is a defect of that package, named as in codebleu.md; `rules.CODEBLEU_070` puts
them together. Nothing here is used by default.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.benchmarks.codebleu.dataflow import Item
from assistant.benchmarks.codebleu.tree import Node, Numbering

if TYPE_CHECKING:
    import tree_sitter

_FSTRING_START = getattr(tokenize, "FSTRING_START", None)
_FSTRING_END = getattr(tokenize, "FSTRING_END", None)

Position = tuple[int, int]


def strip_tokens(source: str) -> str:
    """Drop comments and docstrings by joining tokens, as codebleu 0.7.0 does.

    Strings that are no docstrings go too (D12), tabs become single spaces (D13), and source
    that the tokenizer refuses comes back whole (D9). Blank lines go.
    """
    try:
        tokens = list(_tokens(source))
    except (tokenize.TokenError, SyntaxError):
        return source
    pieces = []
    before = tokenize.INDENT  # the kind of the last token, comments included
    row, column = -1, 0
    for kind, text, start, end in tokens:
        if start[0] > row:
            column = 0
        pieces.append(" " * (start[1] - column))
        opens = before in (tokenize.INDENT, tokenize.NEWLINE) or start[1] == 0
        if kind != tokenize.COMMENT and not (kind == tokenize.STRING and opens):
            pieces.append(text)
        before = kind
        row, column = end
    return "\n".join(line for line in "".join(pieces).split("\n") if line.strip())


def _tokens(source: str) -> Iterator[tuple[int, str, Position, Position]]:
    """Tokens as Python 3.11 has them: an f-string is one string (3.12 takes it apart)."""
    lines = source.split("\n")
    opened: list[Position] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == _FSTRING_START:
            opened.append(token.start)
        elif token.type == _FSTRING_END:
            start = opened.pop()
            if not opened:
                yield tokenize.STRING, _between(lines, start, token.end), start, token.end
        elif not opened:
            yield token.type, token.string, token.start, token.end


def _between(lines: list[str], start: Position, end: Position) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    inner = lines[start[0] : end[0] - 1]
    return "\n".join([lines[start[0] - 1][start[1] :], *inner, lines[end[0] - 1][: end[1]]])


def numbering(source: str) -> Numbering:
    """Token texts as codebleu 0.7.0 cuts them.

    Columns count bytes but cut characters, so text after a non-ASCII character is shifted; line
    ends inside a token are lost; two tokens at one place (of no width) are one; and a token that
    is spelled like its kind (a variable named `identifier`) counts as a keyword.
    """
    lines = source.split("\n")
    placed: dict[tuple[Position, Position], list[Node]] = {}

    def number(node: Node, raw: tree_sitter.Node, before: int) -> None:
        (row, left), (last, right) = raw.start_point, raw.end_point
        if row == last:
            node.text = lines[row][left:right]
        else:
            node.text = "".join([lines[row][left:], *lines[row + 1 : last], lines[last][:right]])
        node.variable = node.kind != node.text
        same = placed.setdefault(((row, left), (last, right)), [])
        same.append(node)
        for other in same:
            other.token = before

    return number


def merge_sets(one: Item, other: Item) -> Item:
    """Unite two items through sets: the order of the names depends on PYTHONHASHSEED (D4)."""
    names = tuple(set([*one.names, *other.names]))  # noqa: C405  (a set display differs in order)
    tokens = tuple(sorted({*one.tokens, *other.tokens}))
    return Item(other.name, other.token, other.relation, names, tokens)
