"""Docstrings are found as `doctest` finds them, and sent inside without what they promise."""

from __future__ import annotations

import ast
import doctest
import types
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from assistant.checks.docstrings import blanked, docstrings


def _read(text: str) -> list[doctest.Example] | None:
    """The examples in a docstring, None when `doctest` can not read them."""
    try:
        return doctest.DocTestParser().get_examples(text)
    except ValueError:
        return None


def _without_docstrings(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


def _outside_literals(source: str) -> str:
    """`source` without its string literals that stand as statements, lines kept."""
    tree, data = ast.parse(source), source.encode()
    lines = data.splitlines(keepends=True)
    starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
    spans = [
        (
            starts[node.value.lineno - 1] + node.value.col_offset,
            starts[(node.value.end_lineno or 0) - 1] + (node.value.end_col_offset or 0),
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    for start, end in sorted(spans, reverse=True):
        data = data[:start] + b"S" + data[end:]
    return data.decode()


prose = st.text("ab é.\t", max_size=8)
example_lines = st.one_of(
    st.tuples(st.just(">>> f(1)"), prose.map(lambda text: "WANT" + text)),
    st.tuples(st.just(">>> (f(\n... 2))"), st.just("WANT 1\nWANT 2\n\nafter")),
    st.tuples(st.just(">>> f(3)"), st.just("Traceback (most recent call last):\nWANT: no")),
    st.tuples(st.just(">>> f(4)"), st.just("")),
    st.tuples(prose, st.just("")),
)


@st.composite
def literals(draw: Any) -> str:
    """A docstring literal, in one of the many ways to write one."""
    parts = draw(st.lists(example_lines, min_size=1, max_size=4))
    text = "\n".join(line for pair in parts for line in pair if line or draw(st.booleans()))
    style = draw(st.sampled_from(["plain", "raw", "single", "repr", "joined", "first"]))
    indented = text.replace("\n", "\n    ")
    if style == "plain":
        return f'"""\n    {indented}\n    """'
    if style == "first":
        return f'"""{indented}"""'
    if style == "raw":
        return f"r'''{indented}\n    '''"
    if style == "single":
        return '"' + "\\n\\\n".join(text.split("\n")).replace('"', "'") + '"'
    if style == "repr":
        return repr(text)
    return "(" + "\n        ".join(repr(line + "\n") for line in text.split("\n")) + ")"


@settings(max_examples=100, deadline=None)
@given(literals(), literals(), st.sampled_from(["\n", "\r\n"]))
def test_blanking_takes_the_promises_and_nothing_else(first: str, second: str, end: str) -> None:
    source = (
        f"{first}\nx = 'é WANT'; y = 1\ndef f(n):\n    {second}\n    return 'WANT'\n"
        "class A: 'no example'; z = 2\n"
    ).replace("\n", end)
    found = docstrings(ast.parse(source))
    sent = blanked(source, found)
    # Two whose examples can not be read are left alone.
    assume(_read(ast.literal_eval(first)) is not None)
    assume(_read(ast.literal_eval(second)) is not None)
    assert _without_docstrings(sent) == _without_docstrings(source)
    assert _outside_literals(sent) == _outside_literals(source)
    assert len(sent.splitlines()) == len(source.splitlines())
    for before, after in zip(ast.walk(ast.parse(source)), ast.walk(ast.parse(sent)), strict=True):
        assert getattr(before, "lineno", 0) == getattr(after, "lineno", 0)
    for node in ast.walk(ast.parse(sent)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            assert not any(example.want for example in _read(node.value.value) or ())


def test_a_docstring_keeps_all_its_lines_but_the_promised_ones() -> None:
    source = 'def f(x):\n    """Prose.\n\n    >>> f(1)\n    1\n    2\n\n    More: 1"""\n'
    wanted = 'def f(x):\n    """Prose.\n\n    >>> f(1)\n\n\n\n    More: 1"""\n'
    assert blanked(source, docstrings(ast.parse(source))) == wanted


@settings(max_examples=40, deadline=None)
@given(literals())
def test_the_examples_are_those_that_doctest_finds(literal: str) -> None:
    assume(_read(ast.literal_eval(literal)) is not None)
    source = (
        f"def f(n):\n    {literal}\n    return n\nclass A:\n    def m(self):\n        {literal}\n"
    )
    ours = [one for one in docstrings(ast.parse(source)) if one.shown]
    module = types.ModuleType("sample")
    exec(compile(source, "<sample>", "exec"), module.__dict__)
    theirs = doctest.DocTestFinder().find(module)
    expected = {
        one.name.partition(".")[2]: [(e.source, e.want) for e in one.examples]
        for one in theirs
        if one.examples
    }
    assert {one.name: [(e.source, e.want) for e in one.examples] for one in ours} == expected


def test_the_last_definition_of_a_name_counts_and_a_property_keeps_its_own() -> None:
    source = '''
def f():
    """>>> 1"""
if True:
    def f():
        """>>> 2"""
class A:
    @property
    def p(self):
        """>>> 3"""
    @p.setter
    def p(self, value):
        """>>> 4"""
'''
    shown = [one.examples[0].source for one in docstrings(ast.parse(source)) if one.shown]
    assert shown == ["2\n", "3\n"]
