"""Code in other languages, by a real grammar: Python's own, installed under another name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import tree_sitter_python

from assistant.checks import check, languages
from assistant.outcomes import Outcome


@pytest.fixture
def grammar(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package of a grammar for a language called `adder`."""
    module = ModuleType("tree_sitter_adder")
    module.language = tree_sitter_python.language  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tree_sitter_adder", module)
    languages._parser.cache_clear()
    yield module
    languages._parser.cache_clear()


@pytest.mark.parametrize("code", ["", "x = 1\n", "def f():\n    return 'é😀'\n", "x = '\udc80'\n"])
def test_what_its_grammar_accepts_is_parsed(grammar: ModuleType, code: str):
    found = check(code, language="adder")

    assert (found.outcome, found.layer) == (Outcome.PARSED, "none")
    assert "it parses as adder" in found.detail


@pytest.mark.parametrize(
    ("code", "place"),
    [("é = = 1\n", "line 1, column 5"), ("x = 1\ny = (2\n", "line 2, column 1"), ("\0", "line 1")],
)
def test_what_it_does_not_accept_is_an_error_with_its_place(grammar, code: str, place: str):
    found = check(code, language="adder")

    assert (found.outcome, found.kind) == (Outcome.ERROR, "SyntaxError")
    assert place in found.detail


def test_deep_nesting_breaks_nothing(grammar):
    assert check("(" * 100_000, language="adder").outcome is Outcome.ERROR
    assert check("(" * 10_000 + "1" + ")" * 10_000, language="adder").outcome is Outcome.PARSED


def test_a_package_may_hold_several_grammars(grammar):
    grammar.language_adder = grammar.language
    del grammar.language

    assert check("x = 1", language="adder").outcome is Outcome.PARSED


@pytest.mark.parametrize("name", ["language", "language_adder"])
def test_a_grammar_that_can_not_be_used_is_as_good_as_none(grammar, name: str):
    del grammar.language
    setattr(grammar, name, lambda: 0)

    assert check("x = 1", language="adder").outcome is Outcome.NOT_CHECKED


@pytest.mark.parametrize("language", ["cobol", "c++", "no such language", "../x", "c#"])
def test_without_a_grammar_it_is_not_checked_and_the_package_is_named(language: str):
    found = check("x", language=language)

    assert found.outcome is Outcome.NOT_CHECKED
    assert f"no checks for {language} without its grammar (tree-sitter-" in found.detail
