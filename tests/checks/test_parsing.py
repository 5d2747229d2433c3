"""The first check: is it Python at all, and if not, where and why."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks import parse_error


@pytest.mark.parametrize(
    ("code", "line", "column", "reason"),
    [
        ("def f(:\n    pass\n", 1, 7, "invalid syntax"),
        ("x = 1\n  y = 2\n", 2, 0, "unexpected indent"),
        ("print('ä', )\nx = (1,\n", 2, 5, "'(' was never closed"),
        ("s = 'open\n", 1, 5, "unterminated string literal"),
        ("return 3\n", 1, 1, "'return' outside function"),
        ("def f(a, a): pass\n", 1, 0, "duplicate argument 'a'"),
        ("nonlocal x\n", 1, 1, "nonlocal declaration not allowed at module level"),
    ],
)
def test_an_error_names_its_place_and_reason(code: str, line: int, column: int, reason: str):
    problem = parse_error(code)

    assert problem is not None
    assert problem.line == line
    assert reason in problem.reason
    assert not column or problem.column == column
    assert f"line {line}" in str(problem)


@pytest.mark.parametrize("code", ["x = '\0'", "x = '\ud800'", "(" * 5000 + ")" * 5000])
def test_text_that_the_compiler_can_not_even_read_is_a_finding_and_no_exception(code: str):
    assert parse_error(code) is not None


def test_a_doubtful_escape_is_a_matter_of_its_author(recwarn: pytest.WarningsRecorder):
    assert parse_error(r"import re; re.match('\d', '1')") is None
    assert not recwarn.list


def test_nothing_is_executed():
    assert parse_error("raise SystemExit(1)") is None


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_is_judged_as_the_parser_judges_it(code: str):
    """Where `ast.parse` refuses, so does the check; it refuses nothing that compiles."""
    try:
        compile(code, "x", "exec")
    except Exception:
        assert parse_error(code) is not None
    else:
        assert parse_error(code) is None
        ast.parse(code)
