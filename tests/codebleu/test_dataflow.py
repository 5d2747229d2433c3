"""Data flow: GraphCodeBERT's rules, computed without walking nested loops 2^depth times."""

from __future__ import annotations

import os
import re
import time
from random import Random

import pytest

from assistant.benchmarks.codebleu import compat, dataflow, graph, tree
from assistant.benchmarks.codebleu.dataflow import COMES_FROM, COMPUTED_FROM, Item
from tests.support.codebleu import BRANCHES, ROOT, SUM, compare, values
from tests.support.twice import walk_twice


def extract(source: str) -> list[Item]:
    return dataflow.extract(tree.read(source)[0], graph.merge_ordered)


def flow(source: str) -> list[tuple[str, int, str, tuple[int, ...]]]:
    return [(item.name, item.token, item.relation, item.tokens) for item in extract(source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("y = x", [("y", 0, COMPUTED_FROM, (2,)), ("x", 2, COMES_FROM, ())]),
        ("x: int", []),
        ("f(x)\nf(x)", [("f", 4, COMES_FROM, (0,)), ("x", 6, COMES_FROM, (2,))]),
        ("a, b = b, a", [("a", 0, COMPUTED_FROM, (4,)), ("b", 2, COMPUTED_FROM, (6,))]),
        ("a.b = 'text'", [("a", 0, COMPUTED_FROM, (4,)), ("b", 2, COMPUTED_FROM, (4,))]),
        ("def f(a=(b, c)): pass", [("a", 3, COMES_FROM, (6,)), ("a", 3, COMES_FROM, (8,))]),
        ("[a for a in b]", [("a", 1, COMES_FROM, (3,)), ("a", 3, COMPUTED_FROM, (5,))]),
        # the first round uses x before anything defines it, the second what the first left
        ("for i in x: x", [("i", 1, COMPUTED_FROM, (3,)), ("x", 3, "", (3,)), ("x", 5, "", (3,))]),
        ("while x: x = y", [("x", 1, "", (3,)), ("x", 3, COMPUTED_FROM, (5,))]),
        ("if p: x = a\nelse: x = b\nx", [("x", 11, COMES_FROM, (3, 8))]),
        ("x = a\nif p: x = b\nx", [("x", 9, COMES_FROM, (0, 6))]),
    ],
)  # fmt: skip
def test_rules(source: str, expected: list[tuple[str, int, str, tuple[int, ...]]]):
    found = flow(source)
    for name, token, relation, tokens in expected:
        here = [item for item in found if item[:2] == (name, token)]
        assert here, f"no item for {name} at {token} in {found}"
        if relation == COMPUTED_FROM or tokens:
            assert any(item[3] == tokens for item in here), (here, tokens)
        assert not relation or all(item[2] == relation for item in here)
    assert bool(found) == bool(expected)


COMPOUND = [
    *["for {n} in {e}:", "for {n}, {n} in {e}:", "for {n} in {e}:|else:", "for {n} in {e}:"],
    *["while {e}:", "while {e}:|else:", "while {e}:", "def f({n}, {n}=({n}, {n})):"],
    *["if {e}:", "if {e}:|else:", "if {e}:|elif {e}:", "if {e}:|elif {e}:|else:"],
]


class Programs:
    """Makes programs of a few names, so that definitions and uses meet in every way."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def name(self) -> str:
        return self.random.choice("abcd")

    def expression(self, depth: int = 2) -> str:
        forms = ["{n}", "{n}", "1", "'s'", "{n}.{n}", "{n}[{n}]"]
        if depth:
            forms += ["({e} + {e})", "f({e}, {e})", "[{e} for {n} in {e} if {e}]", "{n}[{e}]"]
        return self.fill(self.random.choice(forms), depth - 1)

    def fill(self, form: str, depth: int) -> str:
        parts = re.split(r"\{([ne])\}", form)
        made = {"n": self.name, "e": lambda: self.expression(max(depth, 0))}
        return "".join(made[part]() if place % 2 else part for place, part in enumerate(parts))

    def simple(self) -> str:
        forms = ["{n} = {e}", "{n}, {n} = {e}, {e}", "{n}, {n} = {e}", "{n} += {e}", "f({e})"]
        forms += ["{n}[{n}] = {e}", "{n}.{n} = 's'", "{n} = lambda {n}={e}: {n}", "{n}: {n} = {e}"]
        return self.fill(self.random.choice(forms), 2)

    def statement(self, depth: int) -> str:
        if not depth or self.random.random() < 0.3:
            return self.simple()
        heads = self.random.choice(COMPOUND).split("|")
        return "\n".join(f"{self.fill(head, 1)}\n{self.block(depth - 1)}" for head in heads)

    def block(self, depth: int) -> str:
        body = self.program(depth)
        return "\n".join(f" {line}" for line in body.split("\n"))

    def program(self, depth: int) -> str:
        return "\n".join(self.statement(depth) for _ in range(self.random.randint(1, 3)))


def test_the_same_items_as_walking_every_loop_twice():
    for seed in range(20_000 if os.environ.get("ASSISTANT_SOAK") else 300):
        source = Programs(seed).program(seed % 5)
        root = tree.read(source)[0]
        for merge in (graph.merge_ordered, compat.merge_sets):
            items = dataflow.extract(root, merge)
            slow = walk_twice(root, merge)
            assert items == slow, (seed, source)
            assert graph.edges(items, merge) == graph.edges(slow, merge)


def test_the_same_items_on_real_programs():
    for path in sorted((ROOT / "assistant" / "benchmarks").glob("**/*.py")):
        root = tree.read(path.read_text())[0]
        assert dataflow.extract(root, graph.merge_ordered) == walk_twice(root, graph.merge_ordered)


def nested(depth: int, body: str) -> str:
    lines = [f"{' ' * level}for i{level} in range(n{level}):" for level in range(depth)]
    lines += [" " * depth + body]
    return "\n".join(lines) + "\n"


def test_fifty_nested_loops_are_quick():
    source = nested(50, "x = x + y * i0; y = x")
    started = time.process_time()
    items = extract(source)
    assert time.process_time() - started < 2
    (assigned,) = [item for item in items if item.name == "x" and item.relation == COMPUTED_FROM]
    (used,) = [item for item in items if item.token == assigned.token + 2]
    assert used.tokens == (assigned.token,)  # by the round before
    assert values(source, source) == (1.0, 1.0)


def test_deep_expressions_and_long_chains_are_no_failure():
    for source in ("x = " + "+".join(["a"] * 800), "x = a" + ".b(c)" * 400, "if a: b\n" * 3000):
        both = compare(source, source)
        assert both.data_flow.value == 1.0
        assert not both.data_flow.failed
    assert len(extract("x = " + "(" * 20_000 + "a" + ")" * 20_000)) == 2
    chain = "if a: b = 1\n" + "elif a: b = c\n" * 2000 + "else: b = d\n"
    started = time.process_time()
    assert compare(chain, chain).data_flow.value == 1.0
    assert time.process_time() - started < 10


def test_renaming_changes_nothing():
    renames = {"values": "identifier", "value": "integer", "out": "string", "total": "block"}
    renamed = SUM
    for old, new in sorted(renames.items(), reverse=True):
        renamed = renamed.replace(old, new)
    assert values(SUM, renamed) == values(renamed, SUM) == (1.0, 1.0)
    other = BRANCHES.replace("x", "width").replace("y", "height").replace("strict", "lax")
    assert values(BRANCHES, other) == values(other, BRANCHES) == (1.0, 1.0)


def test_text_beyond_ascii_counts_as_text():
    source = "grüße = 'ä'; länge = len(grüße); größe = länge\n"
    plain = source.replace("ü", "u").replace("ß", "s").replace("ä", "a").replace("ö", "o")
    assert values(plain, source) == values(source, plain) == (1.0, 1.0)


def test_what_a_rule_needs_and_broken_code_lacks_is_a_failure():
    with pytest.raises(LookupError, match="without its left"):
        dataflow.extract(tree.Node("for_in_clause", True, None), graph.merge_ordered)


def test_sources_are_united_in_reading_order():
    one = Item("x", 9, COMPUTED_FROM, ("b", "a"), (4, 7))
    other = Item("x", 9, COMPUTED_FROM, ("c", "b"), (2, 4))
    both = graph.merge_ordered(one, other)
    assert (both.names, both.tokens) == (("c", "b", "a"), (2, 4, 7))
    assert graph.merge_ordered(other, one) == both
    assert graph.merge_ordered(both, both) == both
