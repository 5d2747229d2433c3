"""From items to a data-flow graph whose variables have numbers, not names.

Only tokens that take part in an edge stay; the items of one token become one; variables are
numbered in order of appearance, so that consistent renaming changes nothing.
"""

from __future__ import annotations

from collections import Counter

from assistant.benchmarks.codebleu.dataflow import Item, Merge

Edge = tuple[int, str, tuple[int, ...]]
"""Number of a variable, how it gets its value, and the numbers of the variables it is from."""


def merge_ordered(one: Item, other: Item) -> Item:
    """Unite the sources of two items of a token: each source once, in reading order.

    A source is a token with its name, so the order depends on the program alone. The public
    codes unite names and tokens apart from each other, through sets, whose order changes with
    the hash seed (D4).
    """
    sources = sorted({*_sources(one), *_sources(other)})
    tokens = tuple(token for token, _ in sources)
    names = tuple(name for _, name in sources)
    return Item(other.name, other.token, other.relation, names, tokens)


def _sources(item: Item) -> list[tuple[int, str]]:
    # A use has one name for all the definitions that reach it.
    names = item.names * len(item.tokens) if len(item.names) == 1 else item.names
    return list(zip(item.tokens, names, strict=True))


def edges(items: list[Item], merge: Merge = merge_ordered) -> Counter[Edge]:
    """The graph of a program as a multiset of its edges.

    Args:
        items: what `dataflow.extract` found, by token.
        merge: makes one item of two about the same token.
    """
    connected = {token for item in items for token in item.tokens}
    connected |= {item.token for item in items if item.tokens}
    merged: dict[int, Item] = {}
    for item in items:
        if item.token in connected:
            known = merged.get(item.token)
            merged[item.token] = item if known is None else merge(known, item)
    numbers: dict[str, int] = {}
    graph: Counter[Edge] = Counter()
    for item in merged.values():
        sources = tuple(numbers.setdefault(name, len(numbers)) for name in item.names)
        number = numbers.setdefault(item.name, len(numbers))
        graph[number, item.relation, sources] += 1
    return graph
