"""GraphCodeBERT's walk as its paper's code does it: loops twice, states copied, no algebra.

It takes 2^depth steps in nested loops. The tests hold `dataflow.extract` to it.
"""

from __future__ import annotations

from dataclasses import replace

from assistant.benchmarks.codebleu.dataflow import COMES_FROM, COMPUTED_FROM, Item, Merge
from assistant.benchmarks.codebleu.tree import Node

_USE = "a use"  # until the end: its sources are all definitions of one name
States = dict[str, list[int]]


def walk_twice(root: Node, merge: Merge) -> list[Item]:
    items, _ = _walk(root, {}, merge)
    told = [replace(item, relation=COMES_FROM) if item.relation == _USE else item for item in items]
    return sorted(told, key=lambda item: item.token)


def _variables(node: Node) -> list[Node]:
    if node.token >= 0:
        return [node] if node.variable else []
    return [found for child in node.children for found in _variables(child)]


def _walk(node: Node, states: States, merge: Merge) -> tuple[list[Item], States]:
    states = {name: list(tokens) for name, tokens in states.items()}
    if node.token >= 0:
        return _token(node, states), states
    if node.kind in ("assignment", "augmented_assignment", "for_in_clause"):
        if node.kind != "for_in_clause" and not any(c.field == "right" for c in node.children):
            return [], states
        right = node.children[-1] if node.kind == "for_in_clause" else node.child("right")
        return _assign(node.child("left"), right, states, merge, node.kind != "for_in_clause")
    if node.kind == "default_parameter":
        return _default(node, states, merge)
    if node.kind == "if_statement":
        return _branches(node, states, merge)
    items: list[Item] = []
    if node.kind == "for_statement":
        for _ in range(2):
            found, states = _assign(node.child("left"), node.child("right"), states, merge, True)
            items += found
            if node.children[-1].kind == "block":
                found, states = _walk(node.children[-1], states, merge)
                items += found
        return _united(items, merge), states
    first = [child for child in node.children if child.kind == "for_in_clause"]
    others = [child for child in node.children if child.kind != "for_in_clause"]
    rounds = 1
    if node.kind == "while_statement":
        first, others, rounds = [], node.children, 2
    for _ in range(rounds):
        for child in [*first, *others]:
            found, states = _walk(child, states, merge)
            items += found
    return (_united(items, merge) if rounds == 2 else items), states


def _token(node: Node, states: States) -> list[Item]:
    if not node.variable:
        return []
    if node.text in states:
        sources = tuple(sorted(set(states[node.text])))
        return [Item(node.text, node.token, _USE, (node.text,), sources)]
    if node.kind == "identifier":
        states[node.text] = [node.token]
    return [Item(node.text, node.token, _USE, (), ())]


def _assign(
    left: Node, right: Node, states: States, merge: Merge, pairwise: bool
) -> tuple[list[Item], States]:
    lefts = [child for child in left.children if child.kind != ","]
    rights = [child for child in right.children if child.kind != ","]
    if not pairwise or right.token >= 0 or len(lefts) != len(rights) or not lefts:
        lefts, rights = [left], [right]
    items: list[Item] = []
    for part in rights:
        found, states = _walk(part, states, merge)
        items += found
    for one, other in zip(lefts, rights, strict=True):
        sources = _variables(other)
        names, tokens = tuple(s.text for s in sources), tuple(s.token for s in sources)
        for target in _variables(one):
            items.append(Item(target.text, target.token, COMPUTED_FROM, names, tokens))
            states[target.text] = [target.token]
    return items, states


def _default(node: Node, states: States, merge: Merge) -> tuple[list[Item], States]:
    items, states = _walk(node.child("value"), states, merge)
    for name in _variables(node.child("name")):
        for source in _variables(node.child("value")):
            items.append(Item(name.text, name.token, COMES_FROM, (source.text,), (source.token,)))
        states[name.text] = [name.token]
    return items, states


def _branches(node: Node, states: States, merge: Merge) -> tuple[list[Item], States]:
    items: list[Item] = []
    ends: list[States] = []
    current = states
    for child in node.children:
        branch = child.kind in ("elif_clause", "else_clause")
        found, after = _walk(child, states if branch else current, merge)
        items += found
        if branch:
            ends.append(after)
        else:
            current = after
    ends.append(current)
    if not any(child.kind == "else_clause" for child in node.children):
        ends.append(states)
    joined: dict[str, set[int]] = {}
    for end in ends:
        for name, tokens in end.items():
            joined.setdefault(name, set()).update(tokens)
    return items, {name: sorted(tokens) for name, tokens in joined.items()}


def _united(items: list[Item], merge: Merge) -> list[Item]:
    united: dict[tuple[str, int, str], Item] = {}
    for item in items:
        key = (item.name, item.token, item.relation)
        if key in united and item.relation == _USE:
            known = united[key]
            names = known.names or item.names
            tokens = tuple(sorted({*known.tokens, *item.tokens}))
            united[key] = replace(item, names=names, tokens=tokens)
        elif key in united:
            united[key] = merge(united[key], item)
        else:
            united[key] = item
    return list(united.values())
