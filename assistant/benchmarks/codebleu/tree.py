"""A parse tree in plain Python, without comments and docstrings.

Both scores walk the same tree, so a program is parsed once. Comments and docstrings are
dropped while the tree is copied: no text is rebuilt from tokens, so literals, indentation (tabs
too) and broken code stay what they are (codebleu.md, section 5, behaviour 2).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from assistant.benchmarks.codebleu.grammar import parse

if TYPE_CHECKING:
    import tree_sitter

_NEWLINES = re.compile("\r\n?")
# What a string literal that is no docstring opens with: Python takes neither bytes nor f-strings.
_NO_DOCSTRING = re.compile(rb"[a-zA-Z]*[bBfFtT]")
_OWNERS = frozenset({"function_definition", "class_definition"})


@dataclasses.dataclass(slots=True, eq=False)
class Node:
    """One node of the tree.

    `token` numbers the tokens of the
    program in reading order (-1: the node is no token); a string literal is one token, whatever
    it holds. `variable` marks tokens that are no keyword, operator or bracket. `shape` is
    tree-sitter's own S-expression, kept for broken code only, where it shows what no child does.
    """

    kind: str
    named: bool
    field: str | None
    children: list[Node] = dataclasses.field(default_factory=list)
    text: str = ""
    token: int = -1
    variable: bool = False
    shape: str = ""

    def child(self, field: str) -> Node:
        """The first child in a field of the grammar.

        Raises:
            LookupError: there is none (the code is broken there).
        """
        for node in self.children:
            if node.field == field:
                return node
        raise LookupError(f"a {self.kind} without its {field}")


Numbering = Callable[[Node, "tree_sitter.Node", int], None]
"""Makes a token of a node: gets it, tree-sitter's node, and how many tokens came before."""


@dataclasses.dataclass(slots=True)
class _Level:
    """The way down to the node that is being copied, one step of it."""

    node: Node
    in_string: bool
    docstring_next: bool  # the next statement is a docstring if it is a string


def normalise(source: str) -> str:
    """The same program with LF as its only line end."""
    return _NEWLINES.sub("\n", source)


def as_token(node: Node, raw: tree_sitter.Node, before: int) -> None:
    """Mark a node as the token that it is."""
    node.token = before
    node.text = (raw.text or b"").decode("utf-8", errors="replace")
    node.variable = node.named


def read(source: str, *, strip: bool = True, numbering: Numbering = as_token) -> list[Node]:
    """Parse a program: all its nodes in reading order, parents before children, the root first.

    Args:
        source: Python source, which may be broken.
        strip: drop comments and docstrings; otherwise keep the shapes of broken code.
        numbering: makes the tokens.
    """
    nodes: list[Node] = []
    tokens = 0
    path: list[_Level] = []
    cursor = parse(source.encode("utf-8", errors="replace")).walk()
    while True:
        raw = cursor.node
        assert raw is not None
        kind = raw.type
        above = path[-1] if path else None
        if strip and _is_dropped(raw, kind, above):
            down = False
        else:
            children = raw.child_count
            node = Node(kind, raw.is_named, cursor.field_name)
            if not strip and raw.has_error:
                node.shape = str(raw)
            nodes.append(node)
            in_string = False
            if above is not None:
                above.node.children.append(node)
                in_string = above.in_string
            if (children == 0 or kind == "string") and not in_string and kind != "comment":
                numbering(node, raw, tokens)
                tokens += 1
            down = children > 0 and cursor.goto_first_child()
            if down:
                opens = kind == "module" or (
                    kind == "block" and above is not None and above.node.kind in _OWNERS
                )
                path.append(_Level(node, in_string or kind == "string", opens))
        while not down and not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return nodes
            path.pop()


def token_texts(nodes: list[Node]) -> list[str]:
    """The texts of a program's tokens, in reading order."""
    return [node.text for node in nodes if node.token >= 0]


def _is_dropped(raw: tree_sitter.Node, kind: str, above: _Level | None) -> bool:
    if kind == "comment":
        return True
    if above is None or not above.docstring_next:
        return False
    above.docstring_next = False
    return kind == "expression_statement" and _is_docstring(raw)


def _is_docstring(statement: tree_sitter.Node) -> bool:
    inner = statement
    while inner.type in ("expression_statement", "parenthesized_expression"):
        parts = [part for part in inner.named_children if part.type != "comment"]
        if len(parts) != 1 or any(part.type == "," for part in inner.children):
            return False
        inner = parts[0]
    pieces = [part for part in inner.children if part.type == "string"]
    literals = pieces if inner.type == "concatenated_string" else [inner]
    return all(
        part.type == "string" and not _NO_DOCSTRING.match(part.text or b"") for part in literals
    )
