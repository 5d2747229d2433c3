"""The figures against enumeration, published values and simple laws."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.benchmarks.statistics import bootstrap, mcnemar, pass_at_k, wilson


@pytest.mark.parametrize("n", range(1, 9))
def test_pass_at_k_is_the_share_of_choices_with_a_pass(n: int):
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        choices = list(itertools.combinations([True] * c + [False] * (n - c), k))
        share = sum(map(any, choices)) / len(choices)

        assert pass_at_k(n, c, k) == pytest.approx(share, abs=1e-12)


def test_pass_at_k_of_large_numbers_neither_overflows_nor_loses_digits():
    exact = 1 - math.comb(9_990, 100) / math.comb(10_000, 100)

    assert pass_at_k(10_000, 10, 100) == pytest.approx(exact, rel=1e-12)
    assert pass_at_k(200, 199, 2) == 1.0


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0), (0, 0, 1)])
def test_numbers_that_contradict_each_other_are_refused(n: int, c: int, k: int):
    with pytest.raises(ValueError):
        pass_at_k(n, c, k)


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17:857), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_published_intervals(passed: int, total: int, low: float, high: float):
    found = wilson(passed, total)

    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_its_estimate_and_is_symmetric(counts: tuple[int, int]):
    passed, total = counts
    found, mirrored = wilson(passed, total), wilson(total - passed, total)

    assert 0 <= found.low <= passed / total <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-12)


def test_no_interval_of_nothing():
    with pytest.raises(ValueError):
        wilson(0, 0)
    with pytest.raises(ValueError):
        bootstrap([])


def test_bootstrap_repeats_itself_and_agrees_with_wilson_on_zeros_and_ones():
    values = [1.0] * 72 + [0.0] * 92
    found, expected = bootstrap(values), wilson(72, 164)

    assert found == bootstrap(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.012)
    # Its ends are shares of 164 that resampling can give.
    assert math.isclose(found.low * 164, round(found.low * 164), abs_tol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_bootstrap_stays_within_the_values(values: list[float]):
    found = bootstrap(values, resamples=200)

    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9


def test_bootstrap_covers_the_truth_about_as_often_as_it_says():
    """The share of samples of 60 coin flips whose interval holds the coin's own share."""
    import random

    generator = random.Random(7)
    flips = [[float(generator.random() < 0.4) for _ in range(60)] for _ in range(200)]
    intervals = [bootstrap(one, resamples=400) for one in flips]
    covered = sum(found.low <= 0.4 <= found.high for found in intervals)

    assert 0.89 <= covered / len(flips) <= 0.99


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (2, 10, 0.03857421875)],
)
def test_mcnemar_is_the_two_sided_binomial_test(first: int, second: int, p: float):
    assert mcnemar(first, second) == pytest.approx(p, rel=1e-12)
    assert mcnemar(second, first) == mcnemar(first, second)


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_counts_outcomes_at_least_as_uneven(first: int, second: int):
    count = first + second
    extreme = max(first, second)
    uneven = sum(
        math.comb(count, heads)
        for heads in range(count + 1)
        if max(heads, count - heads) >= extreme
    )

    assert mcnemar(first, second) == pytest.approx(min(1.0, uneven / 2**count), rel=1e-12)


def test_mcnemar_of_thousands_of_tasks_is_a_number():
    assert 0 < mcnemar(1000, 1100) < 0.05
    assert mcnemar(0, 5000) == 0.0 or mcnemar(0, 5000) < 1e-300
