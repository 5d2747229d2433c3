"""When two values are the same: strictly, as Python has it, and within a tolerance."""

from __future__ import annotations

import collections
import copy
import math
from collections import Counter, OrderedDict, deque
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.checks.compare import Equality, same

SETTINGS = settings(max_examples=150, deadline=None)
NAN = math.nan

numbers = st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from([0.0, -0.0])
leaves = st.none() | numbers | st.text(max_size=2) | st.binary(max_size=2)
hashable = leaves | st.tuples(leaves, leaves) | st.frozensets(leaves, max_size=2)
plain = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(deque)
        | st.sets(hashable, max_size=3)
        | st.frozensets(hashable, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3)
        | st.dictionaries(hashable, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(hashable, st.integers(-1, 1), max_size=3).map(Counter)
    ),
    max_leaves=8,
)


@SETTINGS
@given(plain)
def test_every_value_is_the_same_as_its_copy(value: Any) -> None:
    for equality in Equality:
        assert same(copy.deepcopy(value), value, equality=equality)


@SETTINGS
@given(plain, plain)
def test_python_s_equality_is_python_s_and_strict_implies_it(one: Any, other: Any) -> None:
    assert same(one, other, equality=Equality.PYTHON) == (one == other)
    if same(one, other):
        assert one == other
        assert type(one) is type(other)
    assert same(one, other) == same(other, one)


@SETTINGS
@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(0, 10), st.floats(0, 10))
def test_a_wider_tolerance_never_refuses_more(
    got: float, want: float, tight: float, more: float
) -> None:
    for key in ("abs_tol", "rel_tol"):
        if same(got, want, **{key: tight}):
            assert same(got, want, **{key: tight + more})


S, P = Equality.STRICT, Equality.PYTHON


@pytest.mark.parametrize(
    ("got", "want", "strict", "python"),
    [
        (True, 1, False, True),
        (1.0, 1, False, True),
        (1, True, False, True),
        ([1], (1,), False, False),
        ([True], [1], False, True),
        ({1: 2}, {True: 2}, False, True),
        ({1: 2}, {1: 2.0}, False, True),
        ({1}, {1.0}, False, True),
        ({(1, 2)}, {(1, True * 2)}, True, True),
        ({(1, 1)}, {(1, True)}, False, True),
        ({frozenset([1])}, {frozenset([True])}, False, True),
        ({1, "a", None, (2,)}, {(2,), None, "a", 1}, True, True),
        ({1}, frozenset([1]), False, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, True),
        (OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), False, False),
        (OrderedDict(a=1, b=2), {"b": 2, "a": 1}, False, True),
        (Counter(a=0), Counter(), True, True),
        (Counter(a=1), {"a": 1}, False, True),
        (collections.defaultdict(int, a=1), {"a": 1}, False, True),
        (deque([1]), [1], False, False),
        (0.0, -0.0, True, True),
        (-0.0, 0, False, True),
        (NAN, NAN, False, False),
        ([NAN], [NAN], False, False),
        ({NAN}, {NAN}, False, False),
        (NAN, 1, False, False),
        (math.inf, math.inf, True, True),
        (-math.inf, math.inf, False, False),
        (b"a", bytearray(b"a"), False, True),
        (b"a", "a", False, False),
        (Fraction(1, 2), 0.5, False, True),
        (Decimal("1"), 1, False, True),
        (Decimal("sNaN"), Decimal("sNaN"), False, False),
        (Decimal("sNaN"), 1, False, False),
        (range(3), range(0, 3, 1), True, True),
        (range(3), [0, 1, 2], False, False),
        (None, 0, False, False),
        ("", [], False, False),
        ([], 0, False, False),
        (0, [], False, False),
        (int, int, True, True),
        (..., ..., True, True),
        (10**400, 1.0, False, False),
    ],
)
def test_the_two_equalities(got: Any, want: Any, strict: bool, python: bool) -> None:
    assert same(got, want) is strict
    assert same(got, want, equality=P) is python


def test_nan_equals_nan_when_asked_and_nothing_else() -> None:
    cases = (NAN, [NAN], {NAN}, {NAN: 1}, {1: (NAN,)}, {(NAN, 1)}, Decimal("NaN"), complex(NAN, 1))
    for value in cases:
        assert not same(copy.deepcopy(value), value)
        for equality in Equality:
            assert same(copy.deepcopy(value), value, equality=equality, nan_equal=True)
    assert not same(NAN, 0.0, nan_equal=True, abs_tol=1e9)
    assert not same(0.0, NAN, nan_equal=True, abs_tol=1e9)


@pytest.mark.parametrize(
    ("got", "want", "options", "expected"),
    [
        (1.0000001, 1.0, {"rel_tol": 1e-6}, True),
        (1.00001, 1.0, {"rel_tol": 1e-6}, False),
        (0.05, 0.0, {"abs_tol": 0.1}, True),
        (0.05, 0.0, {"rel_tol": 0.1}, False),
        ([{"a": (1.05,)}], [{"a": (1.0,)}], {"abs_tol": 0.1}, True),
        ({1.05}, {1.0}, {"abs_tol": 0.1}, False),
        ({1.05: 1}, {1.0: 1}, {"abs_tol": 0.1}, False),
        (1, 1.05, {"abs_tol": 0.1}, False),
        (1, 1.05, {"abs_tol": 0.1, "equality": P}, True),
        (True, 1.05, {"abs_tol": 0.1, "equality": P}, False),
        (1.05, 1, {"abs_tol": 0.1, "equality": P}, False),
        (math.inf, 1e308, {"rel_tol": 10.0, "abs_tol": 1e308}, False),
        (1.0, math.inf, {"rel_tol": 1.0}, False),
        (NAN, 1.0, {"abs_tol": 1e9}, False),
        (1 + 1.05j, 1 + 1j, {"abs_tol": 0.1}, True),
        (10**400, 1.0, {"abs_tol": 1.0, "equality": P}, False),
        ("1.0", 1.0, {"abs_tol": 9.0, "equality": P}, False),
    ],
)
def test_tolerance(got: Any, want: Any, options: dict[str, Any], expected: bool) -> None:
    assert same(got, want, **options) is expected


def test_depth_is_no_danger() -> None:
    one: Any = 1
    other: Any = 1
    for level in range(50_000):
        one, other = ([one], [other]) if level % 2 else ({"a": one}, {"a": other})
    for equality in Equality:
        assert same(one, other, equality=equality)
        assert not same(one, [other], equality=equality)
