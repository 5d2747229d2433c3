"""Whole lines of a document that are handed to a model dedented, and come back indented again.

For any language. Lines that begin inside a Python string are part of a value: they are neither
dedented nor indented.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lsp.python.blocks import indentation
from lsp.python.edits import Insertion
from lsp.python.strings import lines_inside_strings
from lsp.text import Text

_TAB = 4
"""Columns of a tab where spaces and tabs are compared."""
_STEPS = (2, 3, 4, 8)
_LOOKED_AT = 2000
"""Lines of a document that show how it indents."""
LONGEST_BLOCK = 200
"""Lines of a block that is taken as a whole when nothing was selected."""

_CONTROL = re.compile(r"(?:\}\s*)?(?:if|else|elif|for|while|switch|catch|try|do|with|match|when)\b")
_CLOSER = re.compile(r"[\])}]|end\b|</|fi\b|done\b|esac\b")


@dataclass(frozen=True, slots=True)
class Region:
    """Lines of a text, from the first character of the first to the end of the last."""

    start: int
    end: int
    indent: str
    """What was taken from the beginning of its lines."""
    code: str
    """The lines dedented, joined by `\\n`."""


def region_of(text: Text, first: int, last: int, language: str) -> Region:
    """The lines `first` to `last` of a text; empty lines at either end are left out."""
    while first < last and not text.line(first).strip():
        first += 1
    while last > first and not text.line(last).strip():
        last -= 1
    lines = [text.line(number) for number in range(first, last + 1)]
    inside = lines_inside_strings("\n".join(lines)) if language == "python" else set()
    free = [line for number, line in enumerate(lines) if number not in inside and line.strip()]
    indent = _common([indentation(line) for line in free])
    kept = [
        line if number in inside else line.removeprefix(indent) if line.strip() else ""
        for number, line in enumerate(lines)
    ]
    start, end = text.line_starts[first], text.line_span(last)[1]
    return Region(start, end, indent, "\n".join(kept))


def indented(code: str, region: Region, text: Text, language: str) -> list[str]:
    """The lines of an answer as they stand in the document: at its depth, in its own steps."""
    lines = code.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    inside = lines_inside_strings("\n".join(lines)) if language == "python" else set()
    free = [line for number, line in enumerate(lines) if number not in inside and line.strip()]
    margin = min((_columns(line) for line in free), default=0)
    unit = unit_of(text)
    step = _step(free, _width(unit))
    return [
        line
        if number in inside
        else ""
        if not line.strip()
        else region.indent + _in_steps(line, margin, step, unit)
        for number, line in enumerate(lines)
    ]


def _in_steps(line: str, margin: int, step: int, unit: str) -> str:
    """A line without its margin; its indentation in the document's steps."""
    content = line.lstrip(" \t\f")
    steps, rest = divmod(max(_columns(line) - margin, 0), step)
    return unit * steps + " " * rest + content


def replacement(text: Text, start: int, end: int, lines: Sequence[str]) -> Insertion | None:
    """The edit that makes `[start, end)`, whole lines, these lines; None when it changes nothing.

    Lines that stay at the beginning and at the end are not part of it.
    """
    ending = text.line_end
    old = Text(text.value[start:end])
    before = old.lines()
    after = [f"{line}{ending}" for line in lines[:-1]] + list(lines[-1:])
    head = _same(before, after, min(len(before), len(after)))
    tail = _same(before[::-1], after[::-1], min(len(before), len(after)) - head)
    if head == len(before) == len(after):
        return None
    first = start + sum(map(len, before[:head]))
    last = end - sum(map(len, before[len(before) - tail :]))
    return Insertion(first, last, "".join(after[head : len(after) - tail]))


def _same(one: Sequence[str], other: Sequence[str], most: int) -> int:
    return next((n for n in range(most) if one[n] != other[n]), most)


def enclosing(text: Text, line: int) -> tuple[int, int]:
    """First and last line of what `line` belongs to in a language that is not read here.

    The nearest block above whose head looks like a function, by indentation; otherwise the lines
    around up to the next empty ones.
    """
    while line and not text.line(line).strip():
        line -= 1
    found = None
    first, depth = line, _columns(text.line(line))
    if _heads_function(text, line):
        found = line
    while found is None and depth and first and line - first < LONGEST_BLOCK:
        first -= 1
        content = text.line(first)
        if content.strip() and _columns(content) < depth:
            depth = _columns(content)
            if "(" in content and not _CONTROL.match(content.lstrip()):
                found = first
    if found is None:
        return _paragraph(text, line)
    return found, _end_of_block(text, found)


def _heads_function(text: Text, line: int) -> bool:
    content = text.line(line)
    below = next(
        (
            text.line(n)
            for n in range(line + 1, min(line + 4, len(text.line_starts)))
            if text.line(n).strip()
        ),
        "",
    )
    deeper = _columns(below) > _columns(content)
    return "(" in content and not _CONTROL.match(content.lstrip()) and deeper


def _end_of_block(text: Text, head: int) -> int:
    depth, last = _columns(text.line(head)), head
    for number in range(head + 1, min(head + LONGEST_BLOCK, len(text.line_starts))):
        content = text.line(number)
        if not content.strip():
            continue
        if _columns(content) <= depth:
            closes = _columns(content) == depth and _CLOSER.match(content.lstrip())
            opens = content.strip() == "{"
            if not (closes or opens):
                return last
            last = number
            if closes:
                return last
        last = number
    return last


def _paragraph(text: Text, line: int) -> tuple[int, int]:
    first = last = line
    while first and text.line(first - 1).strip() and line - first < LONGEST_BLOCK // 2:
        first -= 1
    end = len(text.line_starts) - 1
    while last < end and text.line(last + 1).strip() and last - line < LONGEST_BLOCK // 2:
        last += 1
    return first, last


def unit_of(text: Text) -> str:
    """One step of indentation as most of the text takes it; four spaces when it shows none."""
    steps: Counter[str] = Counter()
    outer = ""
    for number in range(min(len(text.line_starts), _LOOKED_AT)):
        line = text.line(number)
        if not line.strip():
            continue
        inner = indentation(line)
        added = inner[len(outer) :] if inner.startswith(outer) else ""
        if added == "\t" or (added.strip(" ") == "" and len(added) in _STEPS):
            steps[added] += 1
        outer = inner
    return steps.most_common(1)[0][0] if steps else " " * _TAB


def _step(lines: Sequence[str], usual: int) -> int:
    """Columns of one step of indentation in an answer; as in the document where it shows none."""
    increments = Counter(
        increment
        for one, other in pairwise(lines)
        if (increment := _columns(other) - _columns(one)) in _STEPS
    )
    if not increments:
        return usual
    most = max(increments.values())
    return usual if increments[usual] == most else max(increments, key=lambda n: increments[n])


def _columns(line: str) -> int:
    return len(indentation(line).expandtabs(_TAB))


def _width(unit: str) -> int:
    return len(unit.expandtabs(_TAB))


def _common(indents: Sequence[str]) -> str:
    if not indents:
        return ""
    shortest = min(indents, key=len)
    while not all(one.startswith(shortest) for one in indents):
        shortest = shortest[:-1]
    return shortest
