"""Data flow of a Python program by GraphCodeBERT's rules (https://arxiv.org/abs/2009.08366).

An item says that a token's value comes from, or is computed from, other tokens. The rules:
a token that was defined before comes from its definitions; the names on the left of an
assignment (plain, augmented, `for ... in`) are computed from the tokens on the right, pairwise
where both sides have equally many parts; a default comes from its value; the branches of an
`if` start from the same definitions and are joined; loops run twice; a comprehension's `for` comes
before its result. Literals are tokens like names, and a call or attribute is the tokens in it.

The walk is made of generators on a list, not of recursion: no depth of nesting is a failure.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from assistant.benchmarks.codebleu.reaching import (
    NOTHING,
    Effect,
    Effects,
    defines,
    in_loop,
    join,
    mentions,
    repeat,
    then,
)
from assistant.benchmarks.codebleu.tree import Node

COMES_FROM = "comesFrom"
COMPUTED_FROM = "computedFrom"
_ASSIGNMENTS = frozenset({"assignment", "augmented_assignment", "for_in_clause"})

Source = tuple[str, int]
"""Name and number of a token that another one's value is made of."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One edge or several into a token.

    `names` are what the item shows of its sources and `tokens` which tokens they are: two
    lists, because a use names its variable once, however many definitions reach it.
    """

    name: str
    token: int
    relation: str
    names: tuple[str, ...]
    tokens: tuple[int, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Use:
    """A token that comes from whatever definitions reach it."""

    name: str
    token: int
    reaching: Effect


Merge = Callable[[Item, Item], Item]
"""Makes one item of two about the same token."""


@dataclasses.dataclass(slots=True)
class _Scope:
    """The code walked so far, since the start of the program or of the innermost loop's body."""

    merge: Merge
    splits_strings: bool
    effects: Effects = dataclasses.field(default_factory=dict)
    found: list[Item | _Use] = dataclasses.field(default_factory=list)


_Walk = Iterator["_Walk"]


def extract(root: Node, merge: Merge, *, splits_strings: bool = False) -> list[Item]:
    """All items of a program, by token.

    Args:
        root: the program.
        merge: how the items of one token in several rounds of a loop become one.
        splits_strings: pair the left side of an assignment with the quotes and the text of a
            string on its right, and fail there, as the public codes do for `self.name = "x"`.

    Raises:
        LookupError: the tree lacks a part that a rule needs (broken code).
    """
    scope = _Scope(merge, splits_strings)
    walks = [_visit(root, scope)]
    while walks:
        deeper = next(walks[-1], None)
        if deeper is None:
            walks.pop()
        else:
            walks.append(deeper)
    items = [_resolve(found) if isinstance(found, _Use) else found for found in scope.found]
    return sorted(items, key=lambda item: item.token)


def _resolve(use: _Use) -> Item:
    tokens = use.reaching.fresh
    if tokens is None:
        return Item(use.name, use.token, COMES_FROM, (), ())
    return Item(use.name, use.token, COMES_FROM, (use.name,), tuple(sorted(tokens)))


def _visit(node: Node, scope: _Scope) -> _Walk:
    if node.token >= 0:
        _mention(node, scope)
    elif node.kind in _ASSIGNMENTS:
        yield from _assignment(node, scope)
    elif node.kind == "default_parameter":
        yield from _default(node, scope)
    elif node.kind == "if_statement":
        yield from _if(node, scope)
    elif node.kind in ("for_statement", "while_statement"):
        yield from _loop(node, scope)
    else:
        for child in node.children:
            if child.kind == "for_in_clause":
                yield _visit(child, scope)
        for child in node.children:
            if child.token >= 0:
                _mention(child, scope)
            elif child.kind != "for_in_clause":
                yield _visit(child, scope)


def _mention(node: Node, scope: _Scope) -> None:
    if not node.variable:
        return
    before = scope.effects.get(node.text, NOTHING)
    scope.found.append(_Use(node.text, node.token, before))
    if node.kind == "identifier":
        scope.effects[node.text] = then(before, mentions(node.token))


def _assignment(node: Node, scope: _Scope) -> _Walk:
    if node.kind == "for_in_clause":
        lefts, rights = [node.child("left")], [node.children[-1]]
    elif not any(child.field == "right" for child in node.children):
        return  # an annotation without a value
    else:
        lefts, rights = _sides(node, scope)
    for right in rights:
        yield _visit(right, scope)
    _assign(lefts, rights, scope)


def _sides(node: Node, scope: _Scope) -> tuple[list[Node], list[Node]]:
    """The parts on both sides, pairwise where there are equally many."""
    left, right = node.child("left"), node.child("right")
    if right.token >= 0 and not scope.splits_strings:
        return [left], [right]
    lefts = [child for child in left.children if child.kind != ","]
    rights = [child for child in right.children if child.kind != ","]
    if len(lefts) != len(rights) or not lefts:
        return [left], [right]
    if right.token >= 0:
        raise LookupError("the parts of a string are no tokens")
    return lefts, rights


def _assign(lefts: list[Node], rights: list[Node], scope: _Scope) -> None:
    for left, right in zip(lefts, rights, strict=True):
        sources = _variables(right)
        names = tuple(source.text for source in sources)
        tokens = tuple(source.token for source in sources)
        for target in _variables(left):
            scope.found.append(Item(target.text, target.token, COMPUTED_FROM, names, tokens))
            scope.effects[target.text] = defines(target.token)


def _default(node: Node, scope: _Scope) -> _Walk:
    value = node.child("value")
    yield _visit(value, scope)
    for name in _variables(node.child("name")):
        for source in _variables(value):
            scope.found.append(
                Item(name.text, name.token, COMES_FROM, (source.text,), (source.token,))
            )
        scope.effects[name.text] = defines(name.token)


def _if(node: Node, scope: _Scope) -> _Walk:
    before = dict(scope.effects)
    branches: list[Effects] = []
    has_else = False
    for child in node.children:
        if child.kind not in ("elif_clause", "else_clause"):
            yield _visit(child, scope)
            continue
        has_else = has_else or child.kind == "else_clause"
        branch = dataclasses.replace(scope, effects=dict(before))
        yield _visit(child, branch)
        branches.append(branch.effects)
    branches.append(scope.effects)
    if not has_else:
        branches.append(before)
    scope.effects = join(branches)


def _loop(node: Node, scope: _Scope) -> _Walk:
    body = _Scope(scope.merge, scope.splits_strings)
    if node.kind == "while_statement":
        for child in node.children:
            yield _visit(child, body)
    else:
        lefts, rights = _sides(node, scope)
        for right in rights:
            yield _visit(right, body)
        _assign(lefts, rights, body)
        # The rule wants the block last: the body of a loop with an `else` is not walked.
        if node.children[-1].kind == "block":
            yield _visit(node.children[-1], body)
    items: dict[tuple[str, int, str], Item] = {}
    for found in body.found:
        if isinstance(found, _Use):
            effect = body.effects.get(found.name, NOTHING)
            before = scope.effects.get(found.name, NOTHING)
            reaching = in_loop(found.reaching, before, effect)
            scope.found.append(_Use(found.name, found.token, reaching))
    for found in [*body.found, *body.found]:  # the two rounds
        if isinstance(found, Item):
            key = (found.name, found.token, found.relation)
            items[key] = scope.merge(items[key], found) if key in items else found
    scope.found.extend(items.values())
    repeat(scope.effects, body.effects)


def _variables(node: Node) -> list[Node]:
    """The variables under a node, in reading order."""
    found = []
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.token < 0:
            waiting.extend(reversed(node.children))
        elif node.variable:
            found.append(node)
    return found
