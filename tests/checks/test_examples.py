"""Examples in a request: what decides, what is an input only, and what is no example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks.examples import find_examples

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8).filter(str.isprintable),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def one(text: str):
    (found,) = find_examples(text)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("so that f(2) == 4", 4),
        ("f(2) -> 4, and f is quick", 4),
        ("f(2) => 'a b'", "a b"),
        ("f(2) → [1, (2, 3)].", [1, (2, 3)]),
        ("`f(2)` returns `-4`.", -4),
        ("f(2) should return {'a': 1}", {"a": 1}),
        ("f(2) must be True", True),
        ("f(2) is 25.", 25),
        ("f(2) = 1.5", 1.5),
        ("f(2)  # 4", 4),
        ("print(f(2))  # -> 4", 4),
        ("assert f(2) == 4, 'four'", 4),
        ("    assert 4 == f(2)", 4),
        ("assert f(2) == [\n    1,\n    2,\n]", [1, 2]),
        (">>> f(2)\n4\n", 4),
        (">>> f(2)\n[1,\n 2]\n\nmore", [1, 2]),
        (">>> f(2) == 4\nTrue\n", 4),
        ("It's simple, isn't it: f(2) == 'don' and so on", None),
    ],
)
def test_the_value_that_a_call_has_to_give(text: str, expected: object):
    found = one(text)

    assert (found.function, found.args) == ("f", (2,))
    assert found.decides == (expected is not None)
    assert found.expected == expected


@pytest.mark.parametrize(
    "text",
    [
        "f(2) returns 5 instead of 4",
        "f(2) must not return 4",
        "currently f(2) gives 5",
        "f(2) -> 2 or 3",
        "f(2) returns 3 items",
        "f(2) == 2 * 3",
        "f(2) == 2 + x",
        "f(2) -> 3, 1",
        "f(2) != 4",
        "f(2) is not 4",
        "f(2) -> int",
        "f(2) gives an error",
        "assert f(2) != 4",
        "assert not f(2)",
        "assert f(2) in (1, 2)",
        "assert f(2) == g(3)",
        ">>> f(2) == 4\nFalse\n",
        ">>> f(2)\nTraceback (most recent call last):\n    ...\nValueError: two\n",
        ">>> f(2)\n<object at 0x7f>\n",
        ">>> f(2)\n[1, ..., 9]\n",
        ">>> f(2)\n\n",
        "f(2) == 4 and, later, f(2) == 5",
    ],
)
def test_in_doubt_a_call_is_an_input_and_decides_nothing(text: str):
    found = next(example for example in find_examples(text) if example.function == "f")

    assert found.args == (2,)
    assert not found.decides
    assert found.expected is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f(x) -> y",
        "def f(n=3) -> int:",
        "class F(2):",
        "math.sqrt(4) == 2",
        "f(2",
        "f(2]) == 1",
        "f(*[1]) == 1",
        "f(**{'a': 1}) == 1",
        "f('open",
        "f(g(2)) == h",
        "f(2 for x in y)",
    ],
)
def test_what_is_no_call_with_literals(text: str):
    assert [example for example in find_examples(text) if example.function in "fF"] == []


def test_a_signature_without_parameters_is_no_example_of_none():
    assert not one("reset() -> None").decides
    assert one("reset() == None").decides


def test_a_rounded_float_is_right_to_its_last_digit():
    assert one("area(1) -> 3.14").tolerance == pytest.approx(0.005)
    assert one("assert area(1) == 3.14").tolerance == 0
    assert one("area(1) -> 3").tolerance == 0


def test_each_call_comes_once_and_the_certain_one_of_two_wins():
    found = find_examples("f(1)\nf(1) == 2\nf(1) == 2\nf(2) == 3")

    assert [(example.args, example.expected) for example in found] == [((1,), 2), ((2,), 3)]
    assert all(example.decides for example in found)


def test_keyword_arguments_are_a_part_of_the_call():
    found = one("f([1], key='a') == 2")

    assert (found.args, found.kwargs, str(found)) == (([1],), {"key": "a"}, "f([1], key='a')")


@given(st.lists(LITERALS, max_size=3), LITERALS)
def test_what_repr_writes_is_read_back(args: list[object], expected: object):
    call = f"f({', '.join(map(repr, args))})"

    for text in (f"assert {call} == {expected!r}", f">>> {call}\n{expected!r}\n"):
        found = one(text)
        assert found.args == tuple(args)
        # A console shows nothing for None.
        assert (found.decides, found.expected) == (True, expected)


@given(st.text("f(2)=->' \"[],#>\\\n\u2192azé.\0", max_size=60))
def test_any_text_can_be_read(text: str):
    for example in find_examples(text):
        assert str(example)


def test_what_is_nested_too_deeply_to_be_sent_is_no_example():
    for depth in (50, 90, 150, 5000):
        found = find_examples(f"assert f({'[' * depth}{']' * depth}) == 1")
        assert len(found) == (depth < 95)


def test_a_huge_text_is_read_quickly():
    assert len(find_examples("f(1) == 1 " * 50_000)) == 1
    assert find_examples("f(" * 100_000) == []
