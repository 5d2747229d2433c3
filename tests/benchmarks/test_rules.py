"""When an output counts as right: each rule of the published benchmarks, and its limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.benchmarks.rules import Rule, right, rule_of

NAN = float("nan")


def equal(got, want, atol: float = 0.0) -> bool:
    return right(Rule.EQUAL, got, want, [], atol)


@pytest.mark.parametrize(
    ("got", "want", "passes"),
    [
        (1, 1, True),
        (True, 1, True),  # as `==` has it, and so the published verdicts
        (1.0, 1, True),
        ((1, 2), [1, 2], False),
        (0.3, 0.1 + 0.2, True),
        (0.30001, 0.3, False),
        ([0.1 + 0.2], [0.3], True),
        ((0.1 + 0.2,), [0.3], False),
        ([0.3, 1], [0.1 + 0.2, 1], False),  # not all of them floats: no tolerance
        ([1.0], [1.0, 2.0], False),
        (1, 1.0000001, False),  # another type: no tolerance
        (math.inf, math.inf, True),
        (-math.inf, math.inf, False),
        (1e308, math.inf, False),
        (NAN, NAN, False),
        ("a", 1.0, False),
        (None, 1.0, False),
        (10**400, 1.0, False),
    ],
)
def test_equality_as_the_published_judges_have_it(got, want, passes: bool):
    assert equal(got, want) is passes


def test_a_tolerance_of_the_task_reaches_into_lists_of_lists():
    assert equal([[1.0, 2], [3]], [[1.00001, 2], [3]], atol=1e-3)
    assert not equal([[1.0, 2], [3]], [[1.01, 2], [3]], atol=1e-3)
    assert not equal([[1.0, 2]], [[1.0, "2"]], atol=1e-3)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e-3))
def test_the_tolerance_is_absolute_and_relative_to_the_expected_value(want: float, off: float):
    allowed = 1e-6 + 1e-7 * abs(want)

    assert equal(want + off, want) == (want + off == want or abs(want + off - want) <= allowed)


class TestSpecialRules:
    """The few tasks with several right outputs."""

    def test_which_tasks_they_are(self):
        assert rule_of("HumanEval/32") is Rule.ROOT
        assert rule_of("Mbpp/2") is Rule.SAME_SET
        assert rule_of("Mbpp/737") is Rule.NOT_NONE
        assert rule_of("HumanEval/2") is Rule.EQUAL

    def test_any_root_of_the_polynomial(self):
        coefficients = [[-6, 11, -6, 1]]  # (x - 1)(x - 2)(x - 3)
        assert all(right(Rule.ROOT, x, 1.0, coefficients, 1e-4) for x in (1, 2.0, 3.0000001))
        assert not right(Rule.ROOT, 1.5, 1.0, coefficients, 1e-4)
        for odd in ("1", None, NAN, math.inf, 10**400, 1j):
            assert not right(Rule.ROOT, odd, 1.0, coefficients, 1e-4)

    @given(st.lists(st.integers(0, 5)), st.randoms())
    def test_the_order_of_a_set_does_not_matter(self, items: list[int], random):
        other = list(items)
        random.shuffle(other)

        assert right(Rule.SAME_SET, tuple(other), items, [], 0)
        assert not right(Rule.SAME_SET, [*other, 6], items, [], 0)

    def test_what_is_no_set_at_all_is_wrong(self):
        for odd in (None, 3, [[1]], [{}]):
            assert not right(Rule.SAME_SET, odd, [1], [], 0)

    def test_whether_there_is_a_match(self):
        assert right(Rule.NOT_NONE, True, True, ["x"], 0)
        assert not right(Rule.NOT_NONE, False, True, ["x"], 0)

    def test_digits_of_numbers_of_different_length(self):
        assert right(Rule.DIGIT_DISTANCE, 1, 1, [1, 2], 0)
        assert right(Rule.DIGIT_DISTANCE, 11, 2, [1, 92], 0) is False
        assert right(Rule.DIGIT_DISTANCE, 10, 2, [1, 92], 0)
        assert not right(Rule.DIGIT_DISTANCE, "10", 2, [1, 92], 0)

    def test_the_height_of_a_pyramid(self):
        assert right(Rule.PYRAMID, 33, 33, [3, 4], 0)
        assert right(Rule.PYRAMID, 35, 33, [3, 4], 0)
        assert not right(Rule.PYRAMID, 36, 33, [3, 4], 0)
        assert not right(Rule.PYRAMID, None, 33, [3, 4], 0)
