"""The docstrings of a module, and its source without the outputs that their examples promise.

What an example must give is compared outside the sandbox, so it is not sent in: `blanked` empties
these lines of the source. Every other byte and every line number stay as they are.
"""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_NEWLINE = re.compile(rb"\r\n|\r|\n")
_LITERAL = re.compile(rb"[rRuU]?(\"\"\"|'''|\"|')")
_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Docstring:
    """A docstring with examples.

    Args:
        name: dotted, of the function or class that it describes; empty for the module's.
        node: where it stands.
        examples: at least one.
        shown: whether `doctest` would look at it: a function inside a function is out of reach.
    """

    name: str
    node: ast.Constant
    examples: tuple[doctest.Example, ...]
    shown: bool

    def line(self, example: doctest.Example) -> int:
        """The line of the source where `example` starts, or the docstring when it is spliced."""
        rows = (self.node.end_lineno or 0) - self.node.lineno
        aligned = rows == str(self.node.value).count("\n")
        return self.node.lineno + (example.lineno if aligned else 0)


def docstrings(tree: ast.Module) -> list[Docstring]:
    """The docstrings in `tree` that hold examples, in the order of the source.

    One with an example that `doctest` could not read (no blank after `>>>`, say) is passed over.
    """
    found: list[Docstring] = []
    latest: dict[str, int] = {}
    for name, owner, reachable in _owners(tree):
        shown = reachable and not _is_accessor(owner)
        if shown and name in latest:
            # The later definition of a name is the one that there is.
            place = latest.pop(name)
            found[place] = replace(found[place], shown=False)
        node = _docstring(owner)
        if node is not None and (examples := _examples(str(node.value))):
            if shown:
                latest[name] = len(found)
            found.append(Docstring(name, node, examples, shown))
    return found


def _examples(text: str) -> tuple[doctest.Example, ...]:
    if ">>>" not in text:
        return ()
    try:
        return tuple(doctest.DocTestParser().get_examples(text))
    except ValueError:
        return ()


def _owners(tree: ast.Module) -> Iterator[tuple[str, ast.Module | _Named, bool]]:
    """Everything that may have a docstring: its dotted name, and whether `doctest` would see it."""
    pending: list[tuple[str, ast.AST, bool]] = [("", tree, True)]
    while pending:
        prefix, node, reachable = pending.pop()
        name = prefix
        if isinstance(node, ast.Module):
            yield "", node, True
        elif isinstance(node, _Named):
            name = f"{prefix}.{node.name}" if prefix else node.name
            yield name, node, reachable
            reachable = reachable and isinstance(node, ast.ClassDef)
        inner = [(name, child, reachable) for child in ast.iter_child_nodes(node)]
        pending += reversed(inner)


def _docstring(owner: ast.Module | _Named) -> ast.Constant | None:
    first = owner.body[0] if owner.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return first.value if isinstance(first.value.value, str) else None
    return None


def _is_accessor(owner: ast.AST) -> bool:
    """`@name.setter` and its like: the property keeps the docstring that it has."""
    return any(
        isinstance(one, ast.Attribute) and one.attr in ("setter", "deleter", "getter")
        for one in getattr(owner, "decorator_list", ())
    )


def blanked(source: str, found: list[Docstring]) -> str:
    """`source` with the promised outputs of all examples in `found` emptied."""
    data = source.encode()
    starts = [0, *(match.end() for match in _NEWLINE.finditer(data))]
    parts: list[bytes] = []
    done = 0
    for one in sorted(found, key=_place):
        node = one.node
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        literal = _emptied(data[start:end], str(node.value), _promised(one.examples))
        parts += [data[done:start], literal]
        done = end
    return b"".join([*parts, data[done:]]).decode()


def _place(one: Docstring) -> tuple[int, int]:
    return one.node.lineno, one.node.col_offset


def _promised(examples: tuple[doctest.Example, ...]) -> set[int]:
    """The lines of a docstring, from 0, that hold outputs."""
    rows: set[int] = set()
    for example in examples:
        first = example.lineno + example.source.count("\n")
        rows.update(range(first, first + example.want.count("\n")))
    return rows


def _emptied(literal: bytes, value: str, rows: set[int]) -> bytes:
    """A literal of as many lines as `literal`, whose value lacks the text of the given lines."""
    if not rows:
        return literal
    opening = _LITERAL.match(literal)
    if opening is not None:
        quotes = len(opening[1])
        body = literal[opening.end() : -quotes]
        ends = [*_NEWLINE.findall(body), b""]
        parts = [b"" if row in rows else part for row, part in enumerate(_NEWLINE.split(body))]
        emptied = b"".join(part + end for part, end in zip(parts, ends, strict=True))
        candidate = literal[: opening.end()] + emptied + literal[-quotes:]
        wanted = ["" if row in rows else line for row, line in enumerate(value.split("\n"))]
        if _value(candidate) == "\n".join(wanted):
            return candidate
    # Escapes or several literals in a row: no line of it is a line of the value.
    ends = _NEWLINE.findall(literal)
    if not ends:
        return b'"' + b" " * (len(literal) - 2) + b'"'
    return b'"""' + b"".join(ends) + b'"""'


def _value(literal: bytes) -> object:
    try:
        return ast.literal_eval(f"({literal.decode()})")
    except (SyntaxError, ValueError):
        return None
