"""The building blocks of a pipeline, as data.

Templates use `str.format` fields: `{x}` the loop variable (`{a}` and `{b}` where items are
pairs), `{0}` and `{1}` the function's parameters, any other field a constant of the block. In
wordings a constant is shown as it is written in code, and `{np}` is the plural noun phrase of
what the block works on ("the even numbers in nums").
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """What is gone through."""

    key: str
    item: str
    """Type of an item: int, str, char, row, pair, entry (a dictionary's key and value)."""
    params: tuple[str, ...]
    expr: str
    nouns: tuple[str, ...]
    np: tuple[str, ...]
    """Wordings with `{noun}` and the parameters; the adjectives come with the noun."""
    pre: tuple[str, ...] = ()
    step: str = ""
    weight: float = 1.0


@dataclass(frozen=True)
class Filter:
    """Keeps an item where a condition holds."""

    key: str
    items: tuple[str, ...]
    cond: str
    be: str
    """Predicate: "all numbers {be}"."""
    rel: tuple[str, ...]
    """Follows the noun: "numbers {rel}"."""
    adj: tuple[str, ...] = ()
    gloss: str = ""
    constants: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Map:
    """Turns an item into another value."""

    key: str
    items: tuple[str, ...]
    out: str
    expr: str
    np: tuple[str, ...]
    do: tuple[str, ...]
    """Imperative for items called "each one" or "them": follows "keep the even ones and"."""
    gloss: str = ""
    constants: dict[str, str] = field(default_factory=dict)
    formula: str = ""


@dataclass(frozen=True)
class Reducer:
    """Makes the result.

    `lines` are the code; besides the fields of the other blocks they may use `{arg}` (the items
    as the only argument of a call), `{seq}` (a list of them), and `{src}`, `{cond}`, `{e}` in a
    loop: a line that is just `{loop}` opens `for ... in ...:` with an `if` when there are
    conditions, and the lines after it that start with a tab are its body.
    """

    key: str
    items: tuple[str, ...]
    out: str
    """Type of the result: int, str, bool, list, strlist, dict, float, any."""
    lines: tuple[str, ...]
    np: tuple[str, ...]
    do: tuple[str, ...]
    """Imperative after the other steps: "... and add them up"."""
    step: str
    constants: dict[str, str] = field(default_factory=dict)
    clause: bool = False
    """The wordings in `np` are clauses: "{np} are in ascending order"."""
    verbs: tuple[str, ...] = ()
    """Imperatives with the noun phrase: "add up {np}"."""
    weight: float = 1.0
    nonempty: bool = False
    """The code fails without an item, so the tests always have one."""
    formula: str = ""
