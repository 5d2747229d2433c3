"""Inputs for a function that nobody gave tests for: made from its type hints, the same each time.

A parameter without a hint is read by its name (`text`, `numbers`, `n`), and one whose name says
nothing gets a mixed set. The values are small on purpose: a function that loops or recurses over
them still ends, and equal elements are likely.

What is not covered: values that are no plain data (callables, files, classes of the code). A
parameter hinted as one makes `inputs_for` give nothing.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.checks.values import encode

MOST_INPUTS = 24
"""Enough to tell most different functions apart, and a few milliseconds to run."""
_POOL = 14
_DEPTH = 4


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter that a call has to give."""

    name: str
    hint: str = ""
    """The annotation as source text; empty without one."""
    keyword: bool = False
    """It can be given by name only."""


@dataclass(frozen=True, slots=True)
class Input:
    """The arguments of one call."""

    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> bytes:
        """Equal for equal inputs, whatever order a set has in this process.

        Raises:
            ValueError: the arguments are nested too deeply or too large to be sent.
        """
        return encode([list(self.args), list(self.kwargs)])


def parameters_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[Parameter, ...]:
    """The parameters that a call of `node` has to give; if there is none, those that it may."""
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    required = positional[: len(positional) - len(given.defaults)]
    named = [
        one
        for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    ]
    chosen = [_parameter(one) for one in required]
    chosen += [_parameter(one, keyword=True) for one in named]
    return tuple(chosen or [_parameter(one) for one in positional])


def _parameter(arg: ast.arg, *, keyword: bool = False) -> Parameter:
    hint = ast.unparse(arg.annotation) if arg.annotation is not None else ""
    return Parameter(arg.arg, hint, keyword)


def inputs_for(parameters: Sequence[Parameter], count: int = MOST_INPUTS) -> list[Input]:
    """At most `count` different inputs, always the same ones for equal parameters.

    Returns:
        None of them twice; empty when there is a parameter that no plain value fits.
    """
    pools = [pool_of(parameter) for parameter in parameters]
    if not all(pools):
        return []
    if not pools:
        return [Input(())]
    columns = [_column(pool, index, count * 3) for index, pool in enumerate(pools)]
    found: dict[bytes, Input] = {}
    for row in zip(*columns, strict=True):
        pairs = list(zip(parameters, row, strict=True))
        made = Input(
            tuple(value for parameter, value in pairs if not parameter.keyword),
            tuple((parameter.name, value) for parameter, value in pairs if parameter.keyword),
        )
        found.setdefault(made.key, made)
    return list(found.values())[:count]


def _column(pool: list[Any], index: int, length: int) -> list[Any]:
    """The pool in its own order, then shuffled again and again, each parameter differently."""
    values, rng = list(pool) if index == 0 else [], random.Random(f"column {index}")
    while len(values) < length:
        values += rng.sample(pool, len(pool))
    return values[:length]


def pool_of(parameter: Parameter) -> list[Any]:
    """Values for one parameter; empty when no plain value fits its hint."""
    try:
        tree = ast.parse(parameter.hint or "None", mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return []
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):  # a quoted annotation
        return pool_of(Parameter(parameter.name, tree.value)) if tree.value != "" else []
    if not parameter.hint or _last_name(tree) in ("Any", "object"):
        return list(_by_name(parameter.name))
    return _pool(tree, _DEPTH)


_SCALARS: dict[str, list[Any]] = {
    "int": [0, 1, 2, 3, -1, 5, 10, 4, 7, 12, -4, 6, 20, 9],
    "float": [0.0, 1.0, 2.5, -1.5, 0.5, 3.0, 10.0, -0.25, 7.75, 100.0],
    "complex": [0j, 1 + 2j, -1.5 + 0j, 2j],
    "bool": [True, False],
    "str": [
        *("", "a", "hello", "Hello World", "racecar", "abcabc", "a1b2 c3", "  two  words ", "AbC"),
        *("3", "x,y;z", "The quick brown fox", "level level", "äöü ß"),
    ],
    "bytes": [b"", b"a", b"hello", b"\x00\xff"],
    "None": [None],
}
_MIXED: list[Any] = [
    *(3, "hello", [3, 1, 2], 0, "", [], [1, 2, 2, 3], "Hello World", 10, ["b", "a", "b"], -1),
    *({"a": 1, "b": 2}, [[1, 2], [3]], 2.5, "racecar", 7),
]
_SEQUENCES: dict[str, Callable[[list[Any]], Any]] = {
    **dict.fromkeys(
        ("list", "List", "Sequence", "Iterable", "Collection", "MutableSequence"), list
    ),
    **dict.fromkeys(("Iterator", "Generator", "Reversible", "Container"), list),
    **dict.fromkeys(("set", "Set", "AbstractSet", "MutableSet"), set),
    **dict.fromkeys(("frozenset", "FrozenSet"), frozenset),
}
_MAPPINGS = frozenset({"dict", "Dict", "Mapping", "MutableMapping"})
_ALIASES = {"Number": "float", "Real": "float", "Integral": "int", "AnyStr": "str", "Text": "str"}


def _pool(node: ast.expr, depth: int) -> list[Any]:
    """Values that fit an annotation, at most `_POOL` of them, the plainest first."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return pool_of(Parameter("", node.value))
        return [None] if node.value is None else []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _mixed([_pool(node.left, depth), _pool(node.right, depth)])
    if isinstance(node, ast.Subscript):
        return _generic(_last_name(node.value), _arguments(node.slice), depth)
    return _generic(_last_name(node), [], depth)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _arguments(node: ast.expr) -> list[ast.expr]:
    return list(node.elts) if isinstance(node, ast.Tuple) else [node]


def _generic(name: str, inner: list[ast.expr], depth: int) -> list[Any]:
    name = _ALIASES.get(name, name)
    if depth == 0:
        return []
    if name in _SCALARS and not inner:
        return _SCALARS[name][:_POOL]
    if name in ("Any", "object", "T", "TypeVar"):
        return _MIXED[:_POOL]
    if name == "Optional" and len(inner) == 1:
        return _mixed([_pool(inner[0], depth), [None]])
    if name == "Union":
        return _mixed([_pool(one, depth) for one in inner])
    if name == "Literal":
        return [one.value for one in inner if isinstance(one, ast.Constant)]
    if name in ("Annotated", "Final") and inner:
        return _pool(inner[0], depth)
    if name in _MAPPINGS:
        return _dicts(inner, depth)
    if name in ("tuple", "Tuple"):
        return _tuples(inner, depth)
    if name in _SEQUENCES:
        elements = _pool(inner[0], depth - 1) if inner else _SCALARS["int"]
        return [_made(_SEQUENCES[name], one) for one in _lists(elements)]
    return []


def _made(kind: Callable[[list[Any]], Any], elements: list[Any]) -> Any:
    try:
        return kind(elements)
    except TypeError:  # a set of lists, which no call could be given
        return kind([])


def _lists(elements: list[Any]) -> list[list[Any]]:
    """Empty, one, sorted, reversed, with duplicates, and some in no order."""
    if not elements:
        return []
    rng = random.Random("lists")
    some = elements[1:6] or elements
    found = [[], elements[1:2] or elements[:1], some, some[::-1], [some[0]] * 3, some + some[:2]]
    for length in (2, 3, 4, 4, 5, 6, 7, 8):
        found.append([rng.choice(elements) for _ in range(length)])
    return found[:_POOL]


def _dicts(inner: list[ast.expr], depth: int) -> list[Any]:
    keys = _pool(inner[0], depth - 1) if inner else _SCALARS["str"][1:]
    values = _pool(inner[1], depth - 1) if len(inner) > 1 else _SCALARS["int"]
    if not keys or not values:
        return []
    rng = random.Random("dicts")
    found: list[Any] = [{}]
    for length in (1, 2, 3, 2, 4, 3, 5, 6):
        try:
            chosen = keys[:length] if length < 4 else rng.sample(keys, min(length, len(keys)))
            found.append({key: rng.choice(values) for key in chosen})
        except TypeError:
            return [{}]
    return found


def _tuples(inner: list[ast.expr], depth: int) -> list[Any]:
    endless = len(inner) == 2 and isinstance(inner[1], ast.Constant) and inner[1].value is ...
    if not inner or endless:
        elements = _pool(inner[0], depth - 1) if inner else _SCALARS["int"]
        return [tuple(one) for one in _lists(elements)]
    pools = [_pool(one, depth - 1) for one in inner]
    if not all(pools):
        return []
    columns = [_column(pool, index, _POOL) for index, pool in enumerate(pools)]
    return list(zip(*columns, strict=True))


def _mixed(pools: list[list[Any]]) -> list[Any]:
    """One of each in turn; a kind that no value fits is left out."""
    longest = max(map(len, pools), default=0)
    turns = [pool[index] for index in range(longest) for pool in pools if index < len(pool)]
    return turns[: _POOL + 4]


_TEXTS = ("text", "string", "word", "sentence", "name", "line", "char", "prefix", "suffix", "s1")
_WHOLE = ("count", "size", "length", "limit", "index", "number", "num", "width", "height", "year")
_SHORT = {
    **dict.fromkeys(("s", "t", "c", "ch", "str", "sep", "substring", "pattern", "title"), "str"),
    **dict.fromkeys(("n", "k", "i", "j", "m", "x", "y", "a", "b", "z", "start", "end"), "int"),
    **dict.fromkeys(("steps", "times", "days", "low", "high", "base", "exponent"), "int"),
    **dict.fromkeys(("flag", "reverse", "strict"), "bool"),
    **dict.fromkeys(("price", "rate", "ratio", "radius", "temperature"), "float"),
    **dict.fromkeys(
        ("numbers", "nums", "values", "lst", "xs", "ys", "list1", "list2"), "list[int]"
    ),
    **dict.fromkeys(("items", "arr", "array", "data", "sequence", "seq", "digits"), "list[int]"),
    **dict.fromkeys(("scores", "integers", "elements", "l", "ages", "sizes"), "list[int]"),
    **dict.fromkeys(("words", "strings", "names", "texts", "lines", "keys"), "list[str]"),
    **dict.fromkeys(("sentences", "letters", "parts", "tokens"), "list[str]"),
    **dict.fromkeys(("matrix", "grid", "lists", "rows", "nested"), "list[list[int]]"),
    **dict.fromkeys(("d", "mapping", "dictionary", "counts", "prices", "entry"), "dict[str, int]"),
    **dict.fromkeys(("pairs", "tuples", "points", "intervals"), "list[tuple[int, int]]"),
}


def _by_name(name: str) -> list[Any]:
    """What a parameter without a hint most likely takes; the mixed set when its name is silent."""
    lower = name.lower().rstrip("0123456789") or name.lower()
    last = lower.rpartition("_")[2]
    for one in (name.lower(), lower, last):
        if one in _SHORT:
            return _pool(ast.parse(_SHORT[one], mode="eval").body, _DEPTH)
    if last in _TEXTS:
        return _SCALARS["str"]
    return _SCALARS["int"] if last in _WHOLE else _MIXED
