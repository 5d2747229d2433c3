"""The weight moves from the token loss to the structural loss."""

from __future__ import annotations

import itertools

import pytest

from training.curriculum import Curriculum


def test_the_warmup_is_the_token_loss_alone():
    curriculum = Curriculum(steps=100, warmup=0.1, alpha_end=0.5)
    assert {curriculum.weights(step) for step in range(10)} == {(1.0, 0.0)}


def test_after_the_warmup_alpha_falls_and_beta_rises_by_as_much():
    curriculum = Curriculum(steps=100, warmup=0.1, alpha_end=0.5)
    weights = [curriculum.weights(step) for step in range(10, 100)]
    assert all(a > b for (a, _), (b, _) in itertools.pairwise(weights))
    assert all(alpha + beta == pytest.approx(1.0) for alpha, beta in weights)
    assert weights[-1] == (0.5, 0.5)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_too_short_for_a_curriculum_has_the_token_loss(steps):
    assert Curriculum(steps, warmup=0.5).weights(0) == (1.0, 0.0)
