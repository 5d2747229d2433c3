"""Two subtrees are the same exactly when tree-sitter writes the same for them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from assistant.benchmarks.codebleu import grammar, syntax, tree
from tests.support.codebleu import ROOT, SUM, compare, values


def written(raw: Any) -> Counter[str]:
    """All subtrees as tree-sitter writes them: the root, and what has children."""
    found = Counter([str(raw)])
    waiting = [raw]
    while waiting:
        for child in waiting.pop().children:
            if child.child_count:
                found[str(child)] += 1
                waiting.append(child)
    return found


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(path.read_text(), id=path.name)
        for path in sorted((ROOT / "assistant" / "benchmarks").glob("**/*.py"))
    ]
    + ["x = a not in b is not c", "def f(:\n  x = $ 3 ??", "x = 10for e in y:\n  pass", "", "f(a"],
)
def test_shapes_are_those_of_tree_sitter(source: str):
    nodes = tree.read(source, strip=False)
    raw = grammar.parse(source.encode()).root_node
    assert sorted(syntax.subtrees(nodes).values()) == sorted(written(raw).values())


def test_shapes_are_the_same_in_different_programs():
    one, other = "x = a + b\n", "def f(q):\n    y = c - 2\n    return q\n"
    shapes = [syntax.subtrees(tree.read(source, strip=False)) for source in (one, other)]
    texts = [written(grammar.parse(source.encode()).root_node) for source in (one, other)]
    assert (shapes[0] & shapes[1]).total() == (texts[0] & texts[1]).total()
    assert shapes[0] != shapes[1]


def test_operators_literals_and_names_do_not_count():
    """A limit of the metric (D5), not an error of ours."""
    assert values("x = a - b", "x = a + b") == (1.0, 1.0)
    assert values("m = n // 2 + 1", "k = z % 7 - 3") == (1.0, 1.0)


def test_recall_precision_and_f1():
    junk = "\n".join(f"def junk{i}(a, *b):\n    print(a[{i}], *b)\n" for i in range(20))
    match = compare(SUM, SUM + junk).syntax
    whole = match.total
    assert match.value == (whole - 1) / whole  # all but the module itself
    assert match.f1 is not None and match.f1 < 0.3
    assert match.precision is not None and match.precision < 0.5
    assert compare(SUM, SUM + junk).data_flow.value == 1.0


def test_f1_counts_a_shape_as_often_as_both_sides_have_it():
    one, many = "f(x)\n", "f(x)\n" * 9
    match = compare(many, one).syntax
    # the module differs; statement, call and arguments are there once in one, nine times in many
    assert match.value == 27 / 28
    assert match.precision == 3 / 4
    assert match.f1 == 2 * 3 / (28 + 4)


def test_deep_nesting_is_linear_and_no_failure():
    deep = "x = " + "+".join(["a"] * 900) + "\n"
    started = time.process_time()
    match = compare(deep, deep)
    assert (match.syntax.value, match.data_flow.value) == (1.0, 1.0)
    assert match.syntax.total > 900
    assert time.process_time() - started < 5
    nodes = tree.read("x = " + "(" * 20_000 + "a" + ")" * 20_000, strip=True)
    assert syntax.subtrees(nodes).total() > 20_000
