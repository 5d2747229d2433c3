"""Correlations against numpy's own, and what overall and within problems tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from training.experiments.correlation import correlate


def _answers(problems: int, each: int, rng: np.random.Generator):
    names = [f"p{i}" for i in range(problems) for _ in range(each)]
    return names, rng.random(problems * each)


def test_over_all_answers_it_is_pearsons_r():
    rng = np.random.default_rng(0)
    names, scores = _answers(40, 5, rng)
    passed = (scores + rng.normal(0, 0.3, len(scores)) > 0.5).astype(float)

    found = correlate(list(scores), list(passed), names)

    assert found.overall.r == pytest.approx(np.corrcoef(scores, passed)[0, 1])
    assert found.overall.low < found.overall.r < found.overall.high
    assert (found.answers, found.problems) == (200, 40)


def test_easy_problems_alone_correlate_over_all_and_not_within():
    """Each problem has its own level of both; within it they have nothing to do with each other."""
    rng = np.random.default_rng(5)
    level = np.repeat(rng.random(60), 6)
    names = [f"p{i}" for i in range(60) for _ in range(6)]
    scores = -level + rng.normal(0, 0.05, len(level))
    passed = (rng.random(len(level)) < level).astype(float)

    found = correlate(list(scores), list(passed), names)

    assert found.overall.r < -0.4 and found.overall.high < 0
    assert found.within.low < 0 < found.within.high


def test_nearer_answers_to_the_same_question_are_seen_within():
    rng = np.random.default_rng(2)
    names, scores = _answers(60, 6, rng)
    passed = (scores < 0.4).astype(float)

    found = correlate(list(scores), list(passed), names)

    assert found.within.r < -0.5 and found.within.high < 0


@pytest.mark.parametrize(("scores", "passed"), [([0.5] * 4, [1, 0, 1, 0]), ([1, 2, 3, 4], [0] * 4)])
def test_what_does_not_vary_has_no_correlation(scores, passed):
    found = correlate(scores, passed, ["a", "a", "b", "b"])

    assert found.overall.r is None and found.within.r is None
