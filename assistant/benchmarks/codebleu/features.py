"""What the two scores need to know of one program: small, comparable, picklable."""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections import Counter

from assistant.benchmarks.codebleu import compat, dataflow, graph, syntax, tree
from assistant.benchmarks.codebleu.rules import Order, Rules, Strip

MOST_CHARACTERS = 500_000
"""Longer programs are not read: they count as failed. A solution of a benchmark has about 500."""


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """One program, reduced to what is compared.

    Attributes:
        subtrees: how often each shape of subtree occurs; empty where extraction failed.
        edges: how often each edge of the data-flow graph occurs; empty where extraction failed.
        parsable: this Python parses it.
        syntax_failed: the subtrees could not be extracted.
        data_flow_failed: the graph could not be extracted.
    """

    subtrees: Counter[bytes]
    edges: Counter[graph.Edge]
    parsable: bool
    syntax_failed: bool = False
    data_flow_failed: bool = False


def parses(source: str) -> bool:
    """Whether the running Python's parser accepts a program."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\d" in a plain string is no affair of ours
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def features(source: str, rules: Rules) -> Features:
    """Extract both structures of a program.

    Raises:
        StateProblem: tree-sitter or its grammar is not installed.
    """
    if len(source) > MOST_CHARACTERS:
        return Features(Counter(), Counter(), True, syntax_failed=True, data_flow_failed=True)
    if rules.unparsable_is_zero and not parses(source):
        parsable = False
    else:
        parsable = True
    nodes = _read(source, rules)
    merge = graph.merge_ordered if rules.order is Order.READING else compat.merge_sets
    failed = False
    try:
        items = dataflow.extract(nodes[0], merge, splits_strings=not rules.own_tokens)
        edges = graph.edges(items, merge)
    except LookupError:
        edges, failed = Counter(), rules.failures_count
    return Features(syntax.subtrees(nodes), edges, parsable, data_flow_failed=failed)


def _read(source: str, rules: Rules) -> list[tree.Node]:
    if rules.own_tokens:
        source = tree.normalise(source)
    if rules.strip is Strip.TOKENS:
        source = compat.strip_tokens(source)
    return tree.read(
        source,
        strip=rules.strip is Strip.TREE,
        numbering=tree.as_token if rules.own_tokens else compat.numbering(source),
    )
