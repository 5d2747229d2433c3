"""The examples in a request or a docstring: calls with literal arguments, and what they give.

Read are doctests, assert lines, and prose such as ``f(2) == 4``, ``f(2) -> 4``, ``f(2) returns 4``
or ``f(2)  # 4``. Only literals are read (`ast.literal_eval`); nothing is run.

An example *decides* when its expected value is certain: a wrong test would call right code wrong,
so doubt makes it a call without an expected value. In doubt are a sentence that says what should
not be ("f(2) -> 5 instead of 4"), a value that goes on after the literal ("returns 2 or 3"), and
two examples that contradict each other.

What is not covered: arguments that are not literals, exceptions as the expected result, methods.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

_MAX_EXAMPLES = 64
_MAX_TEXT = 200_000
_MAX_LINES = 2_000
_MAX_LINE = 2_000
"""Characters; a longer line is data, and every call in it would be followed to its end."""
_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*)\(")
_BEFORE_DEFINITION = re.compile(r"\b(?:def|class|lambda)\s+$")
_CONNECTOR = re.compile(
    r"""`?\s*(?:==|=>|=|->|→|⇒|↦|\)?\s*\#\s*(?:->|=>|==|→|returns?)?
    |(?:should\s+|must\s+|will\s+)?(?:returns?|gives?|yields?|equals?|evaluates\s+to|is|be)\b)
    \s*`?(?=\S)""",
    re.VERBOSE,
)
# What may follow a value in prose without being a part of it.
_AFTER_VALUE = re.compile(
    r"`?\s*(?:$|[.;:!)\"'](?:\s|$)|[,.;]?\s*(?:and|but|because|since|while|whereas|for)\b"
    r"|,\s*[A-Za-z_]\w*\(|,\s*`|\.\s|\#|\()"
)
_DOUBT = re.compile(
    r"\b(?:not|never|no|instead|rather|wrong(?:ly)?|incorrect(?:ly)?|currently|but|bug(?:gy)?"
    r"|unlike|fails?|broken|approximately|about|roughly|\w+n't)\b|!=|<>",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"""(?<!\w)(?:'[^'\n]*'|"[^"\n]*")(?!\w)""")
_LITERAL_START = re.compile(r"""[-+]?[\d.]|[\[({'"]|[rbuRBU]{1,2}['"]|(?:True|False|None)\b""")
_SCALAR = re.compile(
    r"[-+]?(?:0[xXoObB][\da-fA-F_]+|(?:\d[\d_]*(?:\.\d[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?[jJ]?)"
    r"|True\b|False\b|None\b"
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Example:
    """One call; `decides` when `expected` is what it has to give."""

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    expected: Any = None
    decides: bool = False
    tolerance: float = 0.0
    """Half a unit of the last digit of a float that prose wrote down, such as 3.14."""

    @property
    def key(self) -> str:
        """The call as text; equal for equal calls."""
        return f"{self.function}({self.args!r}, {sorted(self.kwargs.items())!r})"

    def __str__(self) -> str:
        """The call as a person would write it."""
        given = [repr(one) for one in self.args]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.function}({', '.join(given)})"


def find_examples(text: str) -> list[Example]:
    """The examples in `text`, each call once, in order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "5 is 5" is a matter of the request's author
        found = list(_found(text[:_MAX_TEXT].splitlines()[:_MAX_LINES]))
    return _merged(found)[:_MAX_EXAMPLES]


def _merged(found: Iterable[Example]) -> list[Example]:
    """Each call once; contradicting expectations decide nothing."""
    kept: dict[str, Example] = {}
    contradicted: set[str] = set()
    for example in filter(_can_be_sent, found):
        earlier = kept.setdefault(example.key, example)
        if not example.decides:
            continue
        if not earlier.decides:
            kept[example.key] = example
        elif repr(earlier.expected) != repr(example.expected):
            contradicted.add(example.key)
    return [
        replace(one, expected=None, decides=False) if key in contradicted else one
        for key, one in kept.items()
    ]


def _can_be_sent(example: Example) -> bool:
    from assistant.checks.values import encode

    try:
        encode([list(example.args), example.kwargs, example.expected])
    except ValueError:  # nested too deeply, or a number of a million digits
        return False
    return True


def _found(lines: list[str]) -> Iterator[Example]:
    number = 0
    while number < len(lines):
        stripped = lines[number].strip()
        if stripped.startswith(">>> "):
            expected: list[str] = []
            following = number + 1
            while following < len(lines) and _is_output(lines[following]):
                expected.append(lines[following].strip())
                following += 1
            yield from _in_doctest(stripped[4:], "\n".join(expected))
            number = following
        elif stripped.startswith("assert "):
            taken, examples = _in_assert(lines[number : number + 20])
            yield from examples
            number += taken
        else:
            yield from _in_prose(stripped[:_MAX_LINE])
            number += 1


def _is_output(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith((">>>", '"""', "'''", "```"))


def _in_doctest(statement: str, output: str) -> Iterator[Example]:
    tree = _parsed(statement)
    call = tree.body[0].value if tree and isinstance(tree.body[0], ast.Expr) else None
    if isinstance(call, ast.Compare) and (example := _compared(call)) is not None:
        yield example if output == "True" else replace(example, expected=None, decides=False)
    elif call is not None and (example := _call(call)) is not None:
        known, value = _literal(output)
        yield replace(example, expected=value, decides=True) if known else example


def _in_assert(lines: list[str]) -> tuple[int, list[Example]]:
    """The examples of one assert statement and how many lines it takes."""
    indent = len(lines[0]) - len(lines[0].lstrip())
    for count in range(1, len(lines) + 1):
        text = "\n".join(line[indent:] for line in lines[:count])
        tree = _parsed(text)
        if tree is not None:
            return count, _asserted(tree.body[0])
    return 1, []


def _asserted(statement: ast.stmt) -> list[Example]:
    if not isinstance(statement, ast.Assert):
        return []
    if isinstance(statement.test, ast.Compare):
        example = _compared(statement.test)
        return [example] if example is not None else []
    # `assert f(2)` and `assert not f(2)` say less than a value: they give inputs.
    calls = (node for node in ast.walk(statement.test) if isinstance(node, ast.Call))
    return [example for call in calls if (example := _call(call)) is not None]


def _compared(node: ast.Compare) -> Example | None:
    """`f(2) == 4` or `4 == f(2)`; with another operator a call that decides nothing."""
    if len(node.ops) != 1:
        return None
    sides = [node.left, node.comparators[0]]
    for call, other in (sides, sides[::-1]):
        if (example := _call(call)) is not None:
            known, value = _literal(ast.unparse(other))
            if known and isinstance(node.ops[0], ast.Eq | ast.Is):
                return replace(example, expected=value, decides=True)
            return example
    return None


def _in_prose(line: str) -> Iterator[Example]:
    doubt = _DOUBT.search(_QUOTED.sub("", line)) is not None
    for match in _CALL.finditer(line):
        if _BEFORE_DEFINITION.search(line[: match.start()]):
            continue
        end = _closed(line, match.end() - 1)
        tree = _parsed(line[match.start() : end]) if end else None
        node = tree.body[0].value if tree and isinstance(tree.body[0], ast.Expr) else None
        example = _call(node) if node is not None else None
        if example is None:
            continue
        yield example if doubt else _with_value(example, line[end:])


def _with_value(example: Example, rest: str) -> Example:
    """`example` with the value that `rest`, the text behind the call, gives it, if it is sure."""
    connector = _CONNECTOR.match(rest)
    if connector is None:
        return example
    text = rest[connector.end() :]
    # `reset() -> None` is a signature.
    if "->" in connector.group() and not (example.args or example.kwargs):
        return example
    end = _literal_end(text)
    known, value = _literal(text[:end])
    if not known or not _AFTER_VALUE.match(text[end:]):
        return example
    return replace(example, expected=value, decides=True, tolerance=_tolerance(text[:end]))


def _literal_end(text: str) -> int:
    """Where the literal at the start of `text` ends; 0 when there is none."""
    if not _LITERAL_START.match(text):
        return 0
    if scalar := _SCALAR.match(text):
        return scalar.end()
    start = re.match(r"[rbuRBU]{0,2}", text)
    return _closed(text, start.end() if start else 0)


def _closed(text: str, start: int) -> int:
    """The position after the bracket or string that opens at `start`; 0 when it does not close."""
    pending: list[str] = []
    position = start
    while position < len(text):
        char = text[position]
        if char in "'\"":
            position = _string_end(text, position)
            if position == 0:
                return 0
        else:
            if char in _CLOSING:
                pending.append(_CLOSING[char])
            elif char in ")]}" and (not pending or pending.pop() != char):
                return 0
            position += 1
        if not pending:
            return position
    return 0


def _string_end(text: str, start: int) -> int:
    quote = text[start]
    position = start + 1
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == quote:
            return position + 1
        position += 1
    return 0


def _call(node: ast.AST) -> Example | None:
    """The call in `node` when it is a plain function's and all its arguments are literals."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    try:
        args = tuple(ast.literal_eval(one) for one in node.args)
        kwargs = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    if len(kwargs) != len(node.keywords):
        return None
    return Example(node.func.id, args, kwargs)


def _literal(text: str) -> tuple[bool, Any]:
    """Whether `text` is a literal, and its value."""
    text = text.strip()
    if not text or text.startswith("..."):
        return False, None
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False, None
    return not _has_ellipsis(value), value


def _has_ellipsis(value: Any) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_has_ellipsis, value))
    if isinstance(value, dict):
        return any(map(_has_ellipsis, [*value, *value.values()]))
    return value is ...


def _parsed(text: str) -> ast.Module | None:
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return tree if len(tree.body) == 1 else None


def _tolerance(text: str) -> float:
    """Half a unit of the last decimal written; 0 where there are none."""
    decimals = [len(one) for one in re.findall(r"\d\.(\d+)(?![\d.eE])", text)]
    return 0.5 * 10.0 ** -min(decimals) * (1 + 1e-9) if decimals else 0.0
