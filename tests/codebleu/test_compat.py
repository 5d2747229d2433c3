"""codebleu 0.7.0 made again: its defects, each by name, and that ours has none of them."""

from __future__ import annotations

import pytest

from assistant.benchmarks.codebleu import CODEBLEU_070, compat, features
from tests.support.codebleu import compare, humaneval, mbpp_test, values


@pytest.mark.parametrize(
    ("source", "stripped"),
    [
        ("x = 1  # gone\n\n# gone\ny = 2\n", "x = 1  \ny = 2"),
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1"),
        ('x = [\n"a",\n"b",\n]\n', "x = [\n,\n,\n]"),  # D12: at column 0
        ('x = 1\n"a".join(x)\n', "x = 1\n.join(x)"),  # D12: it opens a statement
        ("if x:\n\ty = 1\n\tz = 2\n", "if x:\n\ty = 1\n z = 2"),  # D13
        ("def f(:\n    # kept\n", "def f(:\n    # kept\n"),  # D9: the tokenizer refuses
        ('y = f"{{x}} {n}"\n', 'y = f"{{x}} {n}"'),  # 3.12 and later take f-strings apart
        ("y = f'''a\n  {x!r:>{w}}\n'''\n", "y = f'''a\n  {x!r:>{w}}\n'''"),
        ('f"{n}"\n', ""),
        ("a = 1; b = 2 \\\n  + 3\n", "a = 1; b = 2  + 3"),
    ],
)
def test_the_old_stripper(source: str, stripped: str):
    assert compat.strip_tokens(source) == stripped


def test_the_old_stripper_breaks_programs_indented_with_tabs():
    broken = 0
    for code in mbpp_test():
        broken += not features.parses(compat.strip_tokens(code))
    assert broken == 61  # D13


@pytest.mark.parametrize(
    ("source", "because"),
    [
        ('self.name = "x"\nself.age = self.name\n', "the quotes of a string are no tokens"),
        ("identifier = integer\n", "a variable that is spelled like its kind is a keyword"),
    ],
)
def test_graphs_that_were_lost(source: str, because: str):
    then = compare(source, source, CODEBLEU_070).data_flow
    now = compare(source, source).data_flow
    assert (then.value, then.total, then.failed) == (0.0, 0, False), because
    assert now.value == 1.0
    assert now.total > 0


def test_broken_predictions_had_a_score():
    reference = "def f(x):\n    y = x\n    return y\n"
    then = compare(reference, reference + "def g(:\n", CODEBLEU_070)
    assert then.syntax.value is not None and then.syntax.value > 0.5
    now = compare(reference, reference + "def g(:\n")
    assert (now.syntax.value, now.data_flow.value, now.unparsable) == (0.0, 0.0, True)


def test_an_empty_reference_graph_was_zero_and_is_undefined():
    bodies = [solution for _, solution in humaneval()]
    then = [compare(body, body, CODEBLEU_070).data_flow for body in bodies]
    assert sum(match.value or 0 for match in then) / len(then) == pytest.approx(0.933, abs=5e-4)
    now = [compare(f"def f():\n{body}", f"def f():\n{body}").data_flow for body in bodies]
    assert sum(match.undefined for match in now) == 11  # D8
    assert {match.value for match in now} == {1.0, None}


def test_the_package_s_examples():
    """Its own tests' pairs whose parts are perfect or nothing."""
    foo, bar = "def foo ( x ) :\n    return x", "def bar ( x ) :\n    return x"
    assert values(foo, bar) == values(foo, foo) == (1.0, 1.0)
    assert values("def test ( ) :\n pass", "some rannnndom words in length more than 3") == (
        0,
        None,
    )
