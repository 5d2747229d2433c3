"""Intervals, tests and what could be detected, against hand counts and simulated experiments."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.experiments import inference

NAN = float("nan")


def _binomial_two_sided(successes: int, trials: int) -> float:
    """By enumeration: all outcomes that are at most as likely, each side alike."""
    weights = [math.comb(trials, i) for i in range(trials + 1)]
    observed = weights[successes]
    return sum(weight for weight in weights if weight <= observed) / 2**trials


@pytest.mark.parametrize(("better", "worse"), [(0, 0), (5, 1), (1, 5), (10, 3), (4, 4), (7, 0)])
def test_one_seed_is_tested_by_mcnemars_exact_test(better: int, worse: int):
    first = np.array([[1.0] * worse + [0.0] * better + [1.0, 0.0, 1.0]])
    second = np.array([[0.0] * worse + [1.0] * better + [1.0, 0.0, 1.0]])

    found = inference.difference(first, second)

    assert (found.only_second, found.only_first) == (better, worse)
    assert found.p == pytest.approx(_binomial_two_sided(better, better + worse))
    assert found.value == pytest.approx((better - worse) / first.size)
    assert "McNemar" in found.test


def test_cells_without_a_verdict_and_seeds_without_a_run_count_neither_way():
    first = np.array([[1.0, 0.0, NAN, 0.0], [NAN] * 4, [1.0, 0.0, 0.0, 0.0]])
    second = np.array([[1.0, 1.0, 1.0, NAN], [1.0] * 4, [1.0, 1.0, 0.0, 0.0]])

    found = inference.difference(first, second)

    assert found.cells == 6
    assert found.value == pytest.approx(2 / 6)
    # Of the second arm alone all three seeds are there.
    assert inference.estimate(second).value == pytest.approx(9 / 11)


def test_one_seed_of_shares_has_wilsons_interval():
    found = inference.estimate(np.array([[1.0] * 50 + [0.0] * 50]), shares=True)

    assert (found.low, found.high) == pytest.approx((0.4038, 0.5962), abs=2e-4)
    assert found.method == "Wilson"


def test_nothing_to_estimate_from_is_refused():
    with pytest.raises(ValueError, match="no values"):
        inference.estimate(np.full((2, 3), NAN))


def test_a_table_has_a_row_a_seed_and_a_column_a_problem():
    found = inference.table({2: {"b": 1.0}, 1: {"a": 0.0, "b": None}}, ["a", "b"])

    assert found.shape == (2, 2)
    assert found[0, 0] == 0.0 and found[1, 1] == 1.0
    assert np.isnan(found[0, 1]) and np.isnan(found[1, 0])


def test_an_interval_over_seeds_is_wider_where_seeds_differ():
    """Two arms with the same mean; in one a whole seed is lost."""
    rng = np.random.default_rng(0)
    steady = (rng.random((3, 200)) < 0.4).astype(float)
    shaky = np.stack([(rng.random(200) < share).astype(float) for share in (0.1, 0.4, 0.7)])

    narrow, wide = inference.estimate(steady), inference.estimate(shaky)

    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_same_numbers_come_again():
    values = (np.random.default_rng(1).random((3, 50)) < 0.3).astype(float)

    assert inference.estimate(values) == inference.estimate(values.copy())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_the_p_value_and_bonferroni(values: list[float]):
    found = inference.holm(values)

    for p, corrected in zip(values, found, strict=True):
        assert p <= corrected <= min(1.0, len(values) * p) + 1e-12
    # A smaller p never has a larger correction.
    ordered = [corrected for _, corrected in sorted(zip(values, found, strict=True))]
    assert ordered == sorted(ordered)


def test_holm_by_hand():
    assert inference.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert inference.holm([]) == []


@given(st.floats(1e-4, 0.2), st.floats(1e-4, 0.2))
def test_what_is_detectable_grows_with_the_error(one: float, other: float):
    small, large = sorted((one, other))

    assert inference.minimum_detectable(small) <= inference.minimum_detectable(large)


@given(st.floats(0.5, 0.98), st.floats(0.5, 0.98))
def test_more_power_needs_a_larger_difference(one: float, other: float):
    small, large = sorted((one, other))

    assert inference.minimum_detectable(0.01, power=small) <= inference.minimum_detectable(
        0.01, power=large
    )


def test_what_is_detectable_by_hand():
    assert inference.minimum_detectable(0.01) == pytest.approx(0.028016, abs=1e-6)


def test_more_problems_and_more_seeds_detect_smaller_differences():
    rng = np.random.default_rng(2)
    first, second = ((rng.random((3, 400)) < share).astype(float) for share in (0.4, 0.45))

    def detectable(seeds: int, problems: int) -> float:
        found = inference.difference(first[:seeds, :problems], second[:seeds, :problems])
        return found.detectable

    assert detectable(3, 400) < detectable(3, 100) < detectable(3, 25)
    assert detectable(3, 100) < detectable(1, 100)


def test_equal_arms_do_not_claim_that_everything_is_detectable():
    """No cell differs; by the rule of three up to 3 of 200 may."""
    same = np.tile([1.0, 0.0], (2, 50))

    found = inference.difference(same, same)

    assert (found.value, found.p) == (0.0, 1.0)
    assert found.detectable == pytest.approx(2.8016 * math.sqrt(3) / 200, rel=1e-3)


@pytest.mark.parametrize(
    ("share", "freedom", "value"),
    # Student 1908 and any table since.
    [(0.975, 1, 12.7062), (0.975, 2, 4.3027), (0.975, 10, 2.2281), (0.8, 5, 0.9195),
     (0.975, 1e6, 1.95997), (0.995, 30, 2.7500)],
)  # fmt: skip
def test_students_t_is_that_of_the_tables(share, freedom, value):
    assert inference.t_quantile(share, freedom) == pytest.approx(value, rel=2e-4)
    assert inference.t_test(value, freedom) == pytest.approx(2 * (1 - share), rel=2e-3)
    assert inference.t_test(0.0, freedom) == 1.0


def test_the_error_of_equal_seeds_is_that_of_the_problems_alone():
    """Three times the same answers are not three times as many problems."""
    once = (np.random.default_rng(6).random((1, 80)) < 0.4).astype(float)

    thrice, _ = inference.standard_error(np.repeat(once, 3, axis=0))
    alone, _ = inference.standard_error(once)

    assert thrice == pytest.approx(alone)
    assert alone == pytest.approx(once.std(ddof=1) / math.sqrt(80))


def test_the_error_of_seeds_that_differ_is_that_of_the_seeds():
    values = np.repeat([[0.0], [0.5], [1.0]], 200, axis=1)

    error, freedom = inference.standard_error(values)

    assert error == pytest.approx(0.5 / math.sqrt(3), rel=0.02)
    assert freedom == pytest.approx(2, rel=0.05)


def test_problems_of_their_own_for_each_seed_are_so_many_problems():
    """With a base of its own each seed has other questions: one cell a column."""
    rng = np.random.default_rng(7)
    errors = []
    for _ in range(40):
        values = np.full((3, 150), NAN)
        for seed in range(3):
            values[seed, 50 * seed : 50 * seed + 50] = rng.random(50) < 0.4
        errors.append(inference.standard_error(values)[0])

    # Somewhat more than that of 150 problems: three seeds that chance to differ count as such.
    assert 1.0 <= np.mean(errors) / math.sqrt(0.4 * 0.6 / 150) <= 1.3


def _experiments(rng: np.random.Generator, count: int, effect: float) -> list[inference.Difference]:
    """Simulated pairs of arms, 3 seeds by 120 problems: problems are harder and easier, seeds
    differ a little."""
    found = []
    for _ in range(count):
        hard = rng.normal(-0.3, 0.8, size=120)
        tables = []
        for arm in range(2):
            seeds = rng.normal(arm * effect, 0.05, size=(3, 1))
            shares = 1 / (1 + np.exp(-1.7 * (hard + seeds)))
            tables.append((rng.random((3, 120)) < shares).astype(float))
        found.append(inference.difference(*tables))
    return found


def test_equal_arms_are_told_apart_about_once_in_twenty():
    found = _experiments(np.random.default_rng(3), 150, 0.0)

    wrong = sum(one.p < 0.05 for one in found) / len(found)
    spread = np.std([one.value for one in found])

    assert 0.005 <= wrong <= 0.1
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.25)
    # Interval and test are the same statement.
    assert all((one.low <= 0 <= one.high) == (one.p >= 0.05) for one in found)


def test_a_difference_of_the_detectable_size_is_mostly_found():
    """The effect is chosen so that it is about as large as what is said to be detectable."""
    found = _experiments(np.random.default_rng(4), 100, 0.4)

    mean = np.mean([one.value for one in found])
    detectable = np.mean([one.detectable for one in found])
    seen = np.mean([one.p < 0.05 for one in found])

    assert mean == pytest.approx(detectable, rel=0.1)
    assert 0.65 <= seen <= 0.92
